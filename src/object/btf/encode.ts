import { encodeUtf8 } from '../../base/bytes.ts';
import { OptionError } from '../../base/errors.ts';
import type { Btf, BtfMember, BtfType } from './btf.ts';
import { bitfieldSize, POINTER_SIZE, resolveType, sizeOf } from './types.ts';
import type { JsonValue } from './value.ts';

type Scalar = Extract<BtfType, { kind: 'int' | 'enum' | 'enum64' }>;
type Composite = Extract<BtfType, { kind: 'struct' | 'union' }>;

/**
 * The bytes of a value that is written as `formatValue` shows it. Numbers may also be decimal or `0x` text, members
 * that are left out are zero, null leaves what it stands for zero. Throws `OptionError` (`bad-map-value`) that names
 * the place in the value.
 */
export function encodeValue(btf: Btf, id: number, value: JsonValue): Uint8Array {
  const size = sizeOf(btf, id);
  if (size === null) throw fault('', 'is of a type without a size');
  const bytes = new Uint8Array(size);
  new Encoder(btf, bytes).value(id, 0, value, '');
  return bytes;
}

class Encoder {
  readonly #btf: Btf;
  readonly #bytes: Uint8Array;

  constructor(btf: Btf, bytes: Uint8Array) {
    this.#btf = btf;
    this.#bytes = bytes;
  }

  value(id: number, offset: number, value: JsonValue, path: string): void {
    if (value === null) return;
    const type = resolveType(this.#btf, id);
    switch (type.kind) {
      case 'int':
        this.#scalar(type, offset * 8 + type.offset, type.bits, value, path);
        break;
      case 'enum':
      case 'enum64':
        this.#scalar(type, offset * 8, type.size * 8, value, path);
        break;
      case 'ptr':
        this.#bits(offset * 8, POINTER_SIZE * 8, number(value, path));
        break;
      case 'float':
        this.#float(type.size, offset, value, path);
        break;
      case 'array':
        this.#array(type, offset, value, path);
        break;
      case 'struct':
      case 'union':
        this.#composite(type, offset, value, path);
        break;
      case 'var':
        this.value(type.type, offset, value, path);
        break;
      default:
        throw fault(path, `is of a type (${type.kind}) that has no value`);
    }
  }

  #scalar(type: Scalar, bitOffset: number, bits: number, value: JsonValue, path: string): void {
    const named = type.kind === 'int' ? undefined : type.values.find(({ name }) => name === value)?.value;
    const wanted = named ?? number(value, path);
    const [least, most] = type.signed
      ? [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n]
      : [0n, (1n << BigInt(bits)) - 1n];
    if (wanted < least || wanted > most) throw fault(path, `is to be from ${least} to ${most}, not ${wanted}`);
    this.#bits(bitOffset, bits, wanted);
  }

  #float(size: number, offset: number, value: JsonValue, path: string): void {
    const wanted = Number(value);
    if (typeof value === 'object' || (Number.isNaN(wanted) && value !== 'NaN')) throw fault(path, 'is to be a number');
    const view = new DataView(this.#bytes.buffer, offset, size);
    if (size === 4) view.setFloat32(0, wanted, true);
    else if (size === 8) view.setFloat64(0, wanted, true);
    else throw fault(path, `is a floating-point number of ${size} bytes, which has no JSON`);
  }

  #array({ type, nelems }: Extract<BtfType, { kind: 'array' }>, offset: number, value: JsonValue, path: string): void {
    const size = sizeOf(this.#btf, type);
    if (size === null) throw fault(path, 'is an array of what has no size');
    if (typeof value === 'string' && size === 1) {
      const text = encodeUtf8(value);
      if (text.length > nelems) throw fault(path, `has ${text.length} bytes of text; there is room for ${nelems}`);
      this.#bytes.set(text, offset);
      return;
    }
    if (!Array.isArray(value)) throw fault(path, `is to be a list of ${nelems}`);
    if (value.length > nelems) throw fault(path, `has ${value.length} elements; there is room for ${nelems}`);
    for (const [i, element] of value.entries()) this.value(type, offset + i * size, element, `${path}[${i}]`);
  }

  #composite(type: Composite, offset: number, value: JsonValue, path: string): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw fault(path, `is to be an object with the members of ${type.kind} ${type.name}`);
    }
    const members = new Map(flattened(this.#btf, type, offset * 8));
    for (const [name, each] of Object.entries(value)) {
      const member = members.get(name);
      const where = `${path}.${name}`;
      if (member === undefined) throw fault(where, `is no member; there are: ${[...members.keys()].join(', ')}`);
      if (each === null) continue;
      const of = resolveType(this.#btf, member.type);
      const isScalar = of.kind === 'int' || of.kind === 'enum' || of.kind === 'enum64';
      if (member.bits !== 0 && isScalar) this.#scalar(of, member.bitOffset, member.bits, each, where);
      else this.value(member.type, Math.floor(member.bitOffset / 8), each, where);
    }
  }

  /** Little-endian, any bit of a byte first. */
  #bits(bitOffset: number, bits: number, value: bigint): void {
    const first = Math.floor(bitOffset / 8);
    const shift = BigInt(bitOffset % 8);
    const mask = ((1n << BigInt(bits)) - 1n) << shift;
    const placed = (BigInt.asUintN(bits, value) << shift) & mask;
    for (let at = first, left = mask, put = placed; left > 0n; at++, left >>= 8n, put >>= 8n) {
      this.#bytes[at] = (this.#bytes[at]! & ~Number(left & 0xffn)) | Number(put & 0xffn);
    }
  }
}

interface Place {
  readonly type: number;
  readonly bitOffset: number;
  readonly bits: number;
}

/** Members by name, those of anonymous structs and unions among them. */
function flattened(
  btf: Btf,
  { members }: { readonly members: readonly BtfMember[] },
  start: number,
): [string, Place][] {
  return members.flatMap((member): [string, Place][] => {
    const bitOffset = start + member.bitOffset;
    if (member.name !== '') return [[member.name, { type: member.type, bitOffset, bits: bitfieldSize(btf, member) }]];
    const type = resolveType(btf, member.type);
    return type.kind === 'struct' || type.kind === 'union' ? flattened(btf, type, bitOffset) : [];
  });
}

function number(value: JsonValue, path: string): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^(-?\d{1,40}|0x[0-9a-f]{1,32})$/i.test(value)) return BigInt(value);
  throw fault(path, `is to be a whole number, and beyond 2^53 its decimal or 0x text, not ${JSON.stringify(value)}`);
}

function fault(path: string, message: string): OptionError {
  return new OptionError('bad-map-value', `${path === '' ? 'it' : path.replace(/^\./, '')} ${message}`);
}
