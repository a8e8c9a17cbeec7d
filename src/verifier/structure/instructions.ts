import type { Refusal } from '../../abi/verdict.ts';
import { type Instruction, SLOT } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';
import { type RefusalCode, refuse } from '../refuse.ts';
import type { Rule } from '../verify.ts';

const FRAME_POINTER = 10;
const SHIFTS: ReadonlySet<string> = new Set(['lsh', 'rsh', 'arsh']);
const DIVISIONS: ReadonlySet<string> = new Set(['div', 'sdiv', 'mod', 'smod']);

/** What Linux refuses before it follows any path; the rest (`instructionFault`) it finds only where one leads. */
export const opcodes: Rule = (program) => {
  for (const [pc, instruction] of program.instructions.entries()) {
    if (instruction?.kind !== 'invalid') continue;
    const { code, message } = instruction;
    const opcode = program.bytes[pc * SLOT]!;
    const isLoad = (opcode & CLASS) === LDX || opcode === LD_IMM64;
    if (code === 'reserved-field' && !isLoad) continue;
    if (code !== 'bad-register') return refuse(program, code as RefusalCode, pc, message);
  }
  return undefined;
};

/** Wire codes of RFC 9669, section 3. */
const CLASS = 0x07;
const LDX = 0x01;
const LD_IMM64 = 0x18;

/** The fault of the instruction at `pc`, for who comes there by a path. */
export function instructionFault(program: Program, pc: number): Refusal | undefined {
  const instruction = program.instructions[pc];
  const fault = instruction === undefined ? undefined : faultOf(instruction);
  return fault === undefined ? undefined : refuse(program, fault.code, pc, fault.message, fault.help ?? null);
}

interface Fault {
  readonly code: RefusalCode;
  readonly message: string;
  readonly help?: string;
}

function faultOf(instruction: Instruction): Fault | undefined {
  if (instruction.kind === 'invalid') return { code: instruction.code as RefusalCode, message: instruction.message };
  if (writes(instruction) === FRAME_POINTER) {
    return {
      code: 'frame-pointer-write',
      message: 'r10 points to the stack and cannot be written',
      help: 'Copy it to another register first',
    };
  }
  if (instruction.kind !== 'alu' || !('imm' in instruction.src)) return undefined;
  const { op, width, src } = instruction;
  if (SHIFTS.has(op) && (src.imm < 0 || src.imm >= width)) {
    return { code: 'bad-shift', message: `a shift by ${src.imm} of ${width} bits`, help: `Shift by 0 to ${width - 1}` };
  }
  if (DIVISIONS.has(op) && src.imm === 0) return { code: 'division-by-zero', message: `${op} by the constant 0` };
  return undefined;
}

/** The register that an instruction writes, where it is one that it names. */
function writes(instruction: Instruction): number | undefined {
  switch (instruction.kind) {
    case 'alu':
    case 'endian':
    case 'imm64':
    case 'load':
    case 'addr_space_cast':
      return instruction.dst;
    case 'atomic':
      if (instruction.op === 'load_acq') return instruction.dst;
      return instruction.fetch && instruction.op !== 'cmpxchg' ? instruction.src : undefined;
    default:
      return undefined;
  }
}
