import { LoadError } from '../base/errors.ts';
import { type Instruction, SLOT, slots } from './instruction.ts';
import type { FieldName, Fields, Row } from './row.ts';
import { TABLE } from './table.ts';

/** Opcode of the wide instruction (section 3.2), the only one of two slots. */
const IMM64 = 0x18;
const LAST_REGISTER = 10;

const byOpcode: readonly (readonly Row[])[] = Array.from({ length: 256 }, (_, opcode) =>
  TABLE.filter((row) => row.opcode === opcode),
);

/** What picks a row for an instruction: everything but its operands. */
function identity(instruction: Instruction): string {
  switch (instruction.kind) {
    case 'alu':
      return `alu ${instruction.op} ${instruction.width} ${'reg' in instruction.src}`;
    case 'endian':
      return `endian ${instruction.op} ${instruction.bits}`;
    case 'imm64':
      return `imm64 ${instruction.value.type}`;
    case 'load':
      return `load ${instruction.size} ${instruction.signed}`;
    case 'store':
      return `store ${instruction.size} ${'reg' in instruction.src}`;
    case 'atomic':
      return `atomic ${instruction.op} ${instruction.size} ${instruction.fetch}`;
    case 'packet':
      return `packet ${instruction.mode} ${instruction.size}`;
    case 'goto':
      return `goto ${instruction.long}`;
    case 'jump':
      return `jump ${instruction.op} ${instruction.width} ${'reg' in instruction.src}`;
    case 'call':
      return `call ${instruction.target.type}`;
    default:
      return instruction.kind;
  }
}

const ZERO: Readonly<Fields> = { dst: 0, src: 0, off: 0, imm: 0, next: 0 };
const byIdentity = new Map(TABLE.map((row) => [identity(row.read({ ...ZERO, ...row.select }, 0)), row]));

const invalid = (code: string, message: string): Instruction => ({ kind: 'invalid', code, message });

/** Field names as the UAPI's `struct bpf_insn` has them. */
const FIELD: Record<FieldName, string> = {
  dst: 'dst_reg',
  src: 'src_reg',
  off: 'off',
  imm: 'imm',
  next: 'the next imm',
};
const FIELDS = Object.keys(FIELD) as FieldName[];

const hex = (value: number) => `0x${value.toString(16).padStart(2, '0')}`;

/**
 * Decodes wire bytes (RFC 9669, section 3), little-endian. The result is indexed by pc, in 8-byte slots; the second
 * slot of a 64-bit immediate is `undefined`. Bytes that are no instruction decode as kind `invalid`, with the code
 * `unknown-opcode`, `reserved-field`, `bad-register`, `incomplete-imm64` or `misaligned-length`.
 */
export function decode(bytes: Uint8Array): (Instruction | undefined)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.length / SLOT);
  const instructions: (Instruction | undefined)[] = [];
  for (let pc = 0; pc < count; pc++) {
    const instruction = decodeSlot(view, pc, count);
    instructions.push(instruction);
    if (instruction.kind === 'imm64') {
      instructions.push(undefined);
      pc++;
    }
  }
  const rest = bytes.length % SLOT;
  if (rest !== 0) {
    instructions.push(invalid('misaligned-length', `${rest} bytes are left over: an instruction has ${SLOT}`));
  }
  return instructions;
}

function decodeSlot(view: DataView, pc: number, count: number): Instruction {
  const at = pc * SLOT;
  const opcode = view.getUint8(at);
  const registers = view.getUint8(at + 1);
  const fields: Fields = {
    dst: registers & 0x0f,
    src: registers >> 4,
    off: view.getInt16(at + 2, true),
    imm: view.getInt32(at + 4, true),
    next: 0,
  };
  const rows = byOpcode[opcode]!;
  if (rows.length === 0) return invalid('unknown-opcode', `opcode ${hex(opcode)} is no instruction`);
  if (opcode === IMM64) {
    if (pc + 1 === count) return invalid('incomplete-imm64', 'the second half of the 64-bit immediate is missing');
    if (view.getUint32(at + SLOT, true) !== 0) {
      return invalid('incomplete-imm64', 'the second half of a 64-bit immediate holds more than an immediate');
    }
    fields.next = view.getInt32(at + SLOT + 4, true);
  }
  const row = rows.find((candidate) => selects(candidate, fields));
  if (row === undefined) return noRow(rows, fields);
  for (const field of FIELDS) {
    if (fields[field] !== 0 && !row.uses.includes(field) && !(field in row.select)) {
      return reserved(row, field, fields);
    }
  }
  for (const field of row.registers) {
    if (fields[field] > LAST_REGISTER) {
      return invalid('bad-register', `${FIELD[field]} names r${fields[field]}; the last register is r${LAST_REGISTER}`);
    }
  }
  return row.read(fields, pc);
}

function selects(row: Row, fields: Fields): boolean {
  for (const field in row.select) {
    if (fields[field as FieldName] !== row.select[field as FieldName]) return false;
  }
  return true;
}

function reserved(row: Row, field: FieldName, fields: Fields): Instruction {
  return invalid(
    'reserved-field',
    `${row.name} has ${FIELD[field]} ${fields[field]}: that field is reserved and must be 0`,
  );
}

/** The opcode is known, what a field selects is not. */
function noRow(rows: readonly Row[], fields: Fields): Instruction {
  const field = Object.keys(rows[0]!.select)[0] as FieldName;
  const values = [...new Set(rows.map((row) => row.select[field]))].join(', ');
  return invalid(
    'reserved-field',
    `${rows[0]!.name} has ${FIELD[field]} ${fields[field]}, which selects nothing; known are ${values}`,
  );
}

/** What each field can hold (section 3.1). */
const RANGES: Record<FieldName, readonly [low: number, high: number]> = {
  dst: [0, LAST_REGISTER],
  src: [0, LAST_REGISTER],
  off: [-0x8000, 0x7fff],
  imm: [-0x8000_0000, 0x7fff_ffff],
  next: [-0x8000_0000, 0x7fff_ffff],
};

/**
 * The wire bytes of an instruction that stands at slot `pc`: 8, or 16 for a 64-bit immediate. The inverse of `decode`.
 * Throws a `LoadError` of stage `assemble` where a field cannot hold its value (a jump too far, an offset too large),
 * and for an instruction that has no encoding; `line` is the line of assembly that the error shall name.
 */
export function encode(instruction: Instruction, pc: number, line?: number): Uint8Array {
  const row = byIdentity.get(identity(instruction));
  if (row === undefined) {
    throw new LoadError(`no encoding for ${identity(instruction)}`, {
      code: 'no-encoding',
      stage: 'assemble',
      ...(line === undefined ? {} : { line }),
    });
  }
  const fields: Fields = { ...ZERO, ...row.select, ...row.write(instruction, pc) };
  for (const field of FIELDS) {
    const [low, high] = RANGES[field];
    const value = fields[field];
    if (!(Number.isInteger(value) && value >= low && value <= high)) {
      throw new LoadError(`${row.name}: ${value} does not fit ${FIELD[field]}, which holds ${low} to ${high}`, {
        code: 'field-out-of-range',
        stage: 'assemble',
        ...(line === undefined ? {} : { line }),
      });
    }
  }
  const bytes = new Uint8Array(slots(instruction) * SLOT);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, row.opcode);
  view.setUint8(1, (fields.src << 4) | fields.dst);
  view.setInt16(2, fields.off, true);
  view.setInt32(4, fields.imm, true);
  if (bytes.length > SLOT) view.setInt32(SLOT + 4, fields.next, true);
  return bytes;
}
