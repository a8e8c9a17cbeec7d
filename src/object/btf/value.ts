import { decodeUtf8 } from '../../base/bytes.ts';
import type { Btf, BtfType } from './btf.ts';
import { bitfieldSize, POINTER_SIZE, resolveType, sizeOf } from './types.ts';

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** Parts after which a value is cut: unions show the same bytes more than once. */
const MOST_PARTS = 100_000;
const CUT = '…';

/**
 * A value in memory as JSON, by its type: numbers (beyond 2^53 as decimal text), enums by name where the value has
 * one, `char` arrays as text where they are printable, pointers as hex text, structs and unions as objects in which
 * anonymous members are flattened. What lies beyond the bytes, or has no value, is null.
 */
export function formatValue(btf: Btf, id: number, bytes: Uint8Array): JsonValue {
  return new Decoder(btf, bytes).value(id, 0);
}

class Decoder {
  readonly #btf: Btf;
  readonly #bytes: Uint8Array;
  /** Names by value of the enums met. */
  readonly #enums = new Map<BtfType, Map<bigint, string>>();
  #left = MOST_PARTS;

  constructor(btf: Btf, bytes: Uint8Array) {
    this.#btf = btf;
    this.#bytes = bytes;
  }

  value(id: number, offset: number): JsonValue {
    if (this.#left-- <= 0) return CUT;
    const type = resolveType(this.#btf, id);
    switch (type.kind) {
      case 'int':
        return this.#scalar(type, offset * 8 + type.offset, type.bits);
      case 'enum':
      case 'enum64':
        return this.#scalar(type, offset * 8, type.size * 8);
      case 'ptr': {
        const address = this.#bits(offset * 8, POINTER_SIZE * 8);
        return address === null ? null : `0x${address.toString(16)}`;
      }
      case 'float':
        return this.#float(type.size, offset);
      case 'array':
        return this.#text(type, offset) ?? this.#elements(type, offset);
      case 'struct':
      case 'union':
        return Object.fromEntries(this.#members(type, offset));
      case 'var':
        return this.value(type.type, offset);
      default:
        return null;
    }
  }

  #scalar(type: Extract<BtfType, { kind: 'int' | 'enum' | 'enum64' }>, bitOffset: number, bits: number): JsonValue {
    const unsigned = this.#bits(bitOffset, bits);
    if (unsigned === null) return null;
    const value = type.signed ? BigInt.asIntN(bits, unsigned) : unsigned;
    if (type.kind === 'int') return type.bool ? value !== 0n : jsonNumber(value);
    return this.#namesOf(type).get(value) ?? jsonNumber(value);
  }

  #namesOf(type: Extract<BtfType, { kind: 'enum' | 'enum64' }>): Map<bigint, string> {
    let names = this.#enums.get(type);
    if (names === undefined) {
      // Reversed, so that of two names for one value the first stays.
      names = new Map(type.values.map(({ name, value }): [bigint, string] => [value, name]).reverse());
      this.#enums.set(type, names);
    }
    return names;
  }

  #float(size: number, offset: number): JsonValue {
    if ((size !== 4 && size !== 8) || offset + size > this.#bytes.length) return null;
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + offset, size);
    const value = size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
    return Number.isFinite(value) ? value : String(value);
  }

  /** A `char` array's text up to its trailing NULs; null where it is none. */
  #text({ type, nelems }: Extract<BtfType, { kind: 'array' }>, offset: number): string | null {
    const element = resolveType(this.#btf, type);
    if (element.kind !== 'int' || element.size !== 1 || !(element.char || element.name === 'char')) return null;
    if (nelems === 0 || offset + nelems > this.#bytes.length) return null;
    let end = offset + nelems;
    while (end > offset && this.#bytes[end - 1] === 0) end--;
    const text = this.#bytes.subarray(offset, end);
    this.#left -= text.length;
    const printable = text.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a);
    return printable ? decodeUtf8(text) : null;
  }

  #elements({ type, nelems }: Extract<BtfType, { kind: 'array' }>, offset: number): JsonValue {
    const size = sizeOf(this.#btf, type);
    if (size === null) return null;
    const elements: JsonValue[] = [];
    for (let i = 0; i < nelems; i++) {
      elements.push(this.value(type, offset + i * size));
      if (this.#left <= 0) break;
    }
    return elements;
  }

  #members({ members }: Extract<BtfType, { kind: 'struct' | 'union' }>, offset: number): [string, JsonValue][] {
    return members.flatMap((member): [string, JsonValue][] => {
      const type = resolveType(this.#btf, member.type);
      if (this.#left-- <= 0) return [];
      const at = offset + Math.floor(member.bitOffset / 8);
      if (member.name === '') {
        return type.kind === 'struct' || type.kind === 'union' ? this.#members(type, at) : [];
      }
      const bits = bitfieldSize(this.#btf, member);
      if (bits !== 0 && (type.kind === 'int' || type.kind === 'enum' || type.kind === 'enum64')) {
        return [[member.name, this.#scalar(type, offset * 8 + member.bitOffset, bits)]];
      }
      return [[member.name, this.value(member.type, at)]];
    });
  }

  /** At most 128 bits, little-endian; null beyond the bytes. */
  #bits(bitOffset: number, bits: number): bigint | null {
    const first = Math.floor(bitOffset / 8);
    const last = Math.ceil((bitOffset + bits) / 8);
    if (bits > 128 || last > this.#bytes.length) return null;
    let value = 0n;
    for (let at = last - 1; at >= first; at--) value = (value << 8n) | BigInt(this.#bytes[at]!);
    return BigInt.asUintN(bits, value >> BigInt(bitOffset % 8));
  }
}

function jsonNumber(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
