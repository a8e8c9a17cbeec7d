import type { Instruction, JumpOp } from '../../isa/instruction.ts';
import { isPacket, isPointer, type Register } from '../state/register.ts';
import { nameState } from './states.ts';

/** C's operators; a signed comparison says so. */
export const OPERATORS: Record<JumpOp, string> = {
  eq: '==', ne: '!=', gt: '>', ge: '>=', lt: '<', le: '<=', set: '&',
  sgt: '> (signed)', sge: '>= (signed)', slt: '< (signed)', sle: '<= (signed)',
}; // biome-ignore format: a table

/** `data + 14 > data_end`, `r3 == 17`, `r0 == null`. */
export function conditionOf(
  { op, dst, src }: Extract<Instruction, { kind: 'jump' }>,
  a: Register,
  b: Register,
): string {
  const right = 'imm' in src ? (src.imm === 0 && isPointer(a) ? 'null' : `${src.imm}`) : operand(src.reg, b);
  return `${operand(dst, a)} ${OPERATORS[op]} ${right}`;
}

/** The edges of the packet have names that everybody knows; other values are named by their register. */
function operand(index: number, register: Register): string {
  return isPacket(register) || register.kind === 'packet-end' ? nameState(register) : `r${index}`;
}
