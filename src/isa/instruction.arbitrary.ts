import fc from 'fast-check';
import type { Instruction } from './instruction.ts';
import type { FieldName } from './row.ts';
import { TABLE } from './table.ts';

const NUMBERS: Record<FieldName, fc.Arbitrary<number>> = {
  dst: fc.nat(10),
  src: fc.nat(10),
  off: fc.integer({ min: -0x8000, max: 0x7fff }),
  imm: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
  next: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
};

/** Any instruction of the table, with any operands, as it would stand at slot `pc`. For property tests. */
export function anyInstruction(pc: number): fc.Arbitrary<Instruction> {
  return fc
    .tuple(fc.constantFrom(...TABLE), fc.record(NUMBERS))
    .map(([row, fields]) => row.read({ ...fields, ...row.select }, pc));
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
