import type { ProgramType } from '../../abi/program-type.ts';
import type { RunnableProgram } from '../../abi/runner.ts';
import { encode } from '../../isa/codec.ts';
import type { AluOp, Instruction, Operand } from '../../isa/instruction.ts';
import { immediateValue } from '../call/constants.ts';
import type { Registers } from '../call/registers.ts';

/** Carries out one instruction and gives the pc that comes next; `END` ends the program. */
export type Step = () => number;

/** The pc that ends a loop: no jump leads so far back. */
export const END = -(2 ** 31);

/** A program as the loop reads it: by pc, the fields of its instructions on the wire (RFC 9669, section 3). */
export interface Code {
  readonly program: RunnableProgram;
  /** Of a store, or with a second operand, that of the form with a register; 0, which none has, where there is a step. */
  readonly opcode: Uint8Array;
  readonly dst: Uint8Array;
  /** A register; beyond r10, one that holds an immediate. */
  readonly src: Uint32Array;
  /** Of a jump, the pc of its target; of a byte swap, its width. */
  readonly offset: Int32Array;
  readonly steps: readonly (Step | undefined)[];
}

/** The register of a second operand. */
export function operandOf(registers: Registers, operand: Operand): number {
  return 'reg' in operand ? operand.reg : registers.immediate(BigInt(operand.imm));
}

type Fields = readonly [opcode: number, dst: number, src: number, offset: number];
type StepOf = (instruction: Instruction | undefined, pc: number) => Step;

export function codeOf(
  program: RunnableProgram,
  registers: Registers,
  programType: ProgramType | undefined,
  isShared: boolean,
  stepOf: StepOf,
): Code {
  const { instructions } = program.program;
  const { length } = instructions;
  const opcode = new Uint8Array(length);
  const dst = new Uint8Array(length);
  const src = new Uint32Array(length);
  const offset = new Int32Array(length);
  const steps = instructions.map((instruction, pc) => {
    const fields = instruction && fieldsOf(program, instruction, pc, registers, programType, isShared);
    if (fields === undefined) return stepOf(instruction, pc);
    [opcode[pc], dst[pc], src[pc], offset[pc]] = fields;
    return undefined;
  });
  return { program, opcode, dst, src, offset, steps };
}

/** The source bit of arithmetic and jumps, and the class STX of a store: both mean a register (sections 4 and 5). */
const REGISTER = { operation: 0x08, store: 0x01 } as const;
/** Section 4.1: signed division has offset 1, a sign-extending move the width from which it extends. */
const ALU_OFFSETS: Partial<Record<AluOp, number>> = { sdiv: 1, smod: 1, movsx8: 8, movsx16: 16, movsx32: 32 };

/** Undefined for what only a step carries out. */
function fieldsOf(
  program: RunnableProgram,
  instruction: Instruction,
  pc: number,
  registers: Registers,
  programType: ProgramType | undefined,
  isShared: boolean,
): Fields | undefined {
  const opcode = () => encode(instruction, pc)[0]!;
  switch (instruction.kind) {
    case 'alu': {
      const { op, dst, src } = instruction;
      return [
        op === 'neg' ? opcode() : opcode() | REGISTER.operation,
        dst,
        operandOf(registers, src),
        ALU_OFFSETS[op] ?? 0,
      ];
    }
    case 'endian':
      return [opcode(), instruction.dst, 0, instruction.bits];
    case 'imm64':
      return [opcode(), instruction.dst, registers.immediate(immediateValue(program, instruction.value)), 0];
    case 'load':
      return [opcode(), instruction.dst, instruction.src, instruction.offset];
    case 'store':
      // A word of the context may hold something else than what was stored.
      if (instruction.size === 4 && programType?.stored !== undefined) return undefined;
      return [opcode() | REGISTER.store, instruction.dst, operandOf(registers, instruction.src), instruction.offset];
    case 'atomic': {
      // One CPU runs at a time: to acquire and to release is to load and to store.
      const { op, size, dst, src, offset } = instruction;
      if (isShared) return undefined;
      const as = (plain: Instruction) => fieldsOf(program, plain, pc, registers, programType, isShared);
      if (op === 'load_acq') return as({ kind: 'load', size, signed: false, dst, src, offset });
      if (op === 'store_rel') return as({ kind: 'store', size, dst, src: { reg: src }, offset });
      return undefined;
    }
    case 'goto':
      return [opcode(), 0, 0, instruction.target];
    case 'jump':
      return [
        opcode() | REGISTER.operation,
        instruction.dst,
        operandOf(registers, instruction.src),
        instruction.target,
      ];
    default:
      return undefined;
  }
}
