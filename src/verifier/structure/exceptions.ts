import type { Refusal } from '../../abi/verdict.ts';
import type { Btf } from '../../object/btf/btf.ts';
import { functionAt, functionNamed, type Program } from '../../program/program.ts';
import { refuse } from '../refuse.ts';
import { declTags } from '../regions/decl-tags.ts';

const THROW = 'bpf_throw';
/** The tag that names the function to which a thrown number goes. */
const CALLBACK_TAG = 'exception_callback:';

/** Where bpf_throw may not be called: in a function that the kernel calls back, or in one that such a function calls. */
export function exceptionOutOfPlace(program: Program): Refusal | undefined {
  if (!program.kernelSymbols.some(({ name }) => name === THROW)) return undefined;
  const { btfId, name } = program.functions[0]!;
  if (program.btf !== null && btfId !== null && hasExceptionCallback(program.btf, btfId)) {
    return refuse(
      program,
      'not-followed',
      null,
      `${name} has a function for exceptions, which is not followed by this verifier`,
    );
  }
  const calledBack = functionsCalledBack(program);
  for (const [pc, instruction] of program.instructions.entries()) {
    if (instruction?.kind !== 'call' || instruction.target.type !== 'kfunc') continue;
    if (program.kernelSymbols[instruction.target.btfId]?.name !== THROW) continue;
    const holder = functionAt(program, pc)!;
    if (!calledBack.has(holder.start)) continue;
    const message = `${holder.name} calls ${THROW} at instruction ${pc} and runs as a callback, out of which nothing can be thrown`;
    return refuse(program, 'kfunc', null, message, 'Return 1 from the callback to end it');
  }
  return undefined;
}

function hasExceptionCallback(btf: Btf, func: number): boolean {
  return [...declTags(btf, func, -1)].some((tag) => tag.startsWith(CALLBACK_TAG));
}

/** Starts of the functions whose address is taken, and of those that they call. */
function functionsCalledBack(program: Program): ReadonlySet<number> {
  const found = new Set<number>();
  const callsOf = new Map<number, number[]>();
  for (const [pc, instruction] of program.instructions.entries()) {
    const callee = functionNamed(instruction);
    if (callee === undefined) continue;
    if (instruction!.kind === 'imm64') found.add(callee);
    const { start } = functionAt(program, pc)!;
    callsOf.set(start, [...(callsOf.get(start) ?? []), callee]);
  }
  // A set goes on to what is added while it is walked.
  for (const start of found) for (const callee of callsOf.get(start) ?? []) found.add(callee);
  return found;
}
