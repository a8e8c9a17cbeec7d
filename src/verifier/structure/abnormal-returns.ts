import type { Refusal } from '../../abi/verdict.ts';
import { resolveType } from '../../object/btf/types.ts';
import type { FunctionSpec } from '../../object/spec.ts';
import { functionAt, type Program } from '../../program/program.ts';
import { refuse } from '../refuse.ts';

const TAIL_CALL = 12;
const NUMBERS: ReadonlySet<string> = new Set(['int', 'enum', 'enum64']);

/**
 * A legacy packet load that fails, and a tail call that succeeds, end a function without its exit: its caller must be
 * able to take a number for the result, so that BTF has to say that it returns one.
 */
export function abnormalReturn(program: Program): Refusal | undefined {
  for (const [pc, instruction] of program.instructions.entries()) {
    const isTailCall =
      instruction?.kind === 'call' && instruction.target.type === 'helper' && instruction.target.id === TAIL_CALL;
    if (!isTailCall && instruction?.kind !== 'packet') continue;
    const holder = functionAt(program, pc);
    if (holder === undefined || holder.start === 0 || returnsNumber(program, holder)) continue;
    const what = isTailCall ? 'makes a tail call' : 'loads from the packet in the legacy way';
    return refuse(
      program,
      'abnormal-return',
      null,
      `${holder.name} ${what} and is not known by BTF to return an integer`,
      'Let the function return int, and compile with -g',
    );
  }
  return undefined;
}

function returnsNumber({ btf }: Program, { btfId }: FunctionSpec): boolean {
  if (btf === null || btfId === null) return false;
  const func = btf.typeById(btfId);
  const proto = func.kind === 'func' ? btf.typeById(func.type) : undefined;
  return proto?.kind === 'func_proto' && NUMBERS.has(resolveType(btf, proto.type).kind);
}
