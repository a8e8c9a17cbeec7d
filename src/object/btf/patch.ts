import type { Access } from './access.ts';
import { coreFault } from './access.ts';
import type { CoreRelocation } from './relocation.ts';

/** What to write into the instruction. */
export interface Patch {
  readonly value: bigint;
  /** What the compiler has written there; null when it cannot be told. */
  readonly expected: bigint | null;
  /**
   * Bytes of the field in the object and in the target where the instruction may access it: its own size changes with
   * them. Null where it does not matter, `unsafe` where another size would change the value that is read.
   */
  readonly sizes: { readonly local: number; readonly target: number } | 'unsafe' | null;
}

/** RFC 9669, section 3: the class, source and size bits of an opcode. */
const CLASS = 0x07;
const LD = 0;
const LDX = 1;
const ST = 2;
const STX = 3;
const ALU = 4;
const ALU64 = 7;
const SOURCE_REGISTER = 0x08;
const SIZE_BITS = 0x18;
const LD_IMM64 = 0x18;
const SIZE_OF_BITS: Readonly<Record<number, number>> = { 0: 4, 8: 2, 16: 1, 24: 8 };
const BITS_OF_SIZE: Readonly<Record<number, number>> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };

/**
 * libbpf's sign of an instruction that could not be relocated: a call of a helper that no kernel has. It is refused
 * only when the program can reach it, so that a program may ask `field_exists` first.
 */
const CALL = 0x85;
const POISON = 0x0bad_2310;

/** Writes the patch into the instruction at `relocation.offset`. Returns false where it had to be poisoned. */
export function patchInstruction(code: Uint8Array, relocation: CoreRelocation, patch: Patch, access: Access): boolean {
  const view = viewOf(code, relocation);
  const at = relocation.offset;
  const opcode = view.getUint8(at);
  const { value, expected, sizes } = patch;
  const expect = (found: bigint) => {
    if (expected === null || found === BigInt.asUintN(64, expected)) return;
    throw coreFault(
      relocation,
      'core-mismatch',
      `the instruction has ${found} where type ${access.root} gives ${expected}`,
      'Compile the object again: its code and its BTF do not belong together',
    );
  };

  switch (opcode & CLASS) {
    case ALU:
    case ALU64:
      if ((opcode & SOURCE_REGISTER) !== 0) break;
      expect(BigInt.asUintN(64, BigInt(view.getInt32(at + 4, true))));
      view.setUint32(at + 4, Number(BigInt.asUintN(32, value)), true);
      return true;

    case LDX:
    case ST:
    case STX: {
      expect(BigInt.asUintN(64, BigInt(view.getInt16(at + 2, true))));
      if (value > 0x7fffn) {
        throw coreFault(relocation, 'core-offset-range', `offset ${value} does not fit into a load or store`);
      }
      if (sizes === 'unsafe') {
        poison(view, relocation);
        return false;
      }
      view.setInt16(at + 2, Number(value), true);
      if (sizes === null || sizes.local === sizes.target) return true;
      const bits = BITS_OF_SIZE[sizes.target];
      if (SIZE_OF_BITS[opcode & SIZE_BITS] !== sizes.local || bits === undefined) {
        const what = `${SIZE_OF_BITS[opcode & SIZE_BITS]} bytes of a field of ${sizes.local}`;
        throw coreFault(
          relocation,
          'core-access-size',
          `the instruction accesses ${what}, which has ${sizes.target} in the target`,
        );
      }
      view.setUint8(at, (opcode & ~SIZE_BITS) | bits);
      return true;
    }

    case LD: {
      if (!isWide(view, at) || (view.getUint8(at + 1) & 0xf0) !== 0 || view.getUint16(at + 2) !== 0) break;
      if (view.getUint32(at + 8) !== 0) break;
      const imm = BigInt(view.getUint32(at + 4, true)) | (BigInt(view.getUint32(at + 12, true)) << 32n);
      expect(imm);
      view.setUint32(at + 4, Number(BigInt.asUintN(32, value)), true);
      view.setUint32(at + 12, Number(BigInt.asUintN(64, value) >> 32n), true);
      return true;
    }
  }
  throw coreFault(
    relocation,
    'core-instruction',
    `the instruction (opcode 0x${opcode.toString(16).padStart(2, '0')}) has no place for the value`,
  );
}

/** Makes the instruction one that no verifier accepts. */
export function poisonInstruction(code: Uint8Array, relocation: CoreRelocation): void {
  poison(viewOf(code, relocation), relocation);
}

function poison(view: DataView, { offset }: CoreRelocation): void {
  const slots = isWide(view, offset) ? [offset, offset + 8] : [offset];
  for (const slot of slots) {
    view.setUint32(slot, CALL, true);
    view.setUint32(slot + 4, POISON, true);
  }
}

function isWide(view: DataView, at: number): boolean {
  return view.getUint8(at) === LD_IMM64 && at + 16 <= view.byteLength;
}

function viewOf(code: Uint8Array, relocation: CoreRelocation): DataView {
  const { offset } = relocation;
  if (offset % 8 !== 0 || offset + 8 > code.length) {
    throw coreFault(relocation, 'core-offset', 'there is no instruction at that offset');
  }
  return new DataView(code.buffer, code.byteOffset, code.byteLength);
}
