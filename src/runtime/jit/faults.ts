import { RunError } from '../../abi/runner.ts';
import type { Instruction } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';
import { ENDINGS } from '../call/limits.ts';
import { reach } from '../call/reach.ts';
import type { JitOptions } from './environment.ts';

/** The error with which the instruction at `pc` ends the run; `value` is the register that holds its address. */
export function errorAt({ memory, helpers, stack }: JitOptions, program: Program, pc: number, value: bigint): RunError {
  const { instructions } = program;
  const instruction = instructions[pc];
  if (instruction === undefined) {
    const isWithin = instructions[pc - 1]?.kind === 'imm64';
    return isWithin ? ENDINGS.withinImmediate(pc) : ENDINGS.outOfRange(pc);
  }
  switch (instruction.kind) {
    case 'invalid':
      return new RunError('bad-instruction', pc, instruction.message);
    case 'call': {
      const { target } = instruction;
      if (target.type === 'kfunc') return ENDINGS.noKernelFunction(pc, program, target.btfId);
      if (target.type === 'helper' && !helpers.has(target.id)) return ENDINGS.noHelper(pc, target.id);
      return ENDINGS.callDepth(pc, stack.frames);
    }
    case 'load':
    case 'store':
    case 'atomic':
      return badAccess(memory, instruction, pc, value);
    default:
      throw new TypeError(`an instruction of kind ${instruction.kind} has no way to fail`);
  }
}

function badAccess(
  memory: JitOptions['memory'],
  { kind, size, offset, ...rest }: Instruction & { kind: 'load' | 'store' | 'atomic' },
  pc: number,
  value: bigint,
): RunError {
  const isWrite = kind === 'store' || ('op' in rest && rest.op !== 'load_acq');
  const bits = BigInt.asUintN(64, value);
  const address = Number(bits >> 32n) * 0x1_0000_0000 + Number(bits & 0xffff_ffffn) + offset;
  try {
    reach(memory, address, size, isWrite, pc);
  } catch (error) {
    if (error instanceof RunError) return error;
    throw error;
  }
  throw new TypeError(`the access at ${pc} to ${address} is a good one`);
}
