import type { Instruction, Size } from './instruction.ts';

/** The fields of RFC 9669, section 3.1, plus `next_imm` of section 3.2. Numbers are signed as the wire has them. */
export interface Fields {
  dst: number;
  src: number;
  off: number;
  imm: number;
  next: number;
}

export type FieldName = keyof Fields;

export interface Row {
  readonly opcode: number;
  /** Field values that tell this row from the others of its opcode; a field in neither `select` nor `uses` must be 0. */
  readonly select: Partial<Fields>;
  /** Fields that carry an operand. */
  readonly uses: readonly FieldName[];
  /** Fields of `uses` that name a register. */
  readonly registers: readonly ('dst' | 'src')[];
  /** For messages: what the opcode is. */
  readonly name: string;
  readonly read: (fields: Fields, pc: number) => Instruction;
  /** Fields in `uses`, from an instruction of this row. */
  readonly write: (instruction: Instruction, pc: number) => Partial<Fields>;
}

export type Of<K extends Instruction['kind']> = Extract<Instruction, { kind: K }>;

/** Instruction classes (section 3.1, table 2), source bit (section 4, table 3), sizes (section 5.1). */
export const LD = 0;
export const LDX = 1;
export const ST = 2;
export const STX = 3;
export const ALU = 4;
export const JMP = 5;
export const JMP32 = 6;
export const ALU64 = 7;
export const K = 0x00;
export const X = 0x08;
export const SIZE_BITS: Record<Size, number> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };

/** `uses` in the shorthand of a list of words; registers are those fields called dst and src. */
export function row<const Kind extends Instruction['kind']>(
  name: string,
  opcode: number,
  select: Partial<Fields>,
  uses: string,
  read: (fields: Fields, pc: number) => Of<Kind>,
  write: (instruction: Of<Kind>, pc: number) => Partial<Fields>,
  registers = uses,
): Row {
  const names = uses.split(' ').filter(Boolean) as FieldName[];
  return {
    name,
    opcode,
    select,
    uses: names,
    registers: (['dst', 'src'] as const).filter((field) => registers.split(' ').includes(field)),
    read,
    write: write as Row['write'],
  };
}
