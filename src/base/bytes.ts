/** Thrown by `Reader` when a read leaves its bounds; readers of a format turn it into their own error. */
export class OutOfBounds extends RangeError {
  override readonly name = 'OutOfBounds';
  /** Offset of the read, relative to the reader's start. */
  readonly offset: number;
  readonly size: number;

  constructor(offset: number, size: number, length: number) {
    super(`${size} bytes at offset ${offset} lie outside the ${length} bytes there are`);
    this.offset = offset;
    this.size = size;
  }
}

/** Reads integers and strings at given offsets of a byte array, never outside of it. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, littleEndian = true) {
    this.bytes = bytes;
    this.littleEndian = littleEndian;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Throws `OutOfBounds` unless `size` bytes at `offset` are there. */
  check(offset: number, size: number): void {
    if (!(offset >= 0 && size >= 0 && offset + size <= this.bytes.length)) {
      throw new OutOfBounds(offset, size, this.bytes.length);
    }
  }

  u8(offset: number): number {
    this.check(offset, 1);
    return this.#view.getUint8(offset);
  }

  u16(offset: number): number {
    this.check(offset, 2);
    return this.#view.getUint16(offset, this.littleEndian);
  }

  u32(offset: number): number {
    this.check(offset, 4);
    return this.#view.getUint32(offset, this.littleEndian);
  }

  s16(offset: number): number {
    this.check(offset, 2);
    return this.#view.getInt16(offset, this.littleEndian);
  }

  s32(offset: number): number {
    this.check(offset, 4);
    return this.#view.getInt32(offset, this.littleEndian);
  }

  u64(offset: number): bigint {
    this.check(offset, 8);
    return this.#view.getBigUint64(offset, this.littleEndian);
  }

  s64(offset: number): bigint {
    this.check(offset, 8);
    return this.#view.getBigInt64(offset, this.littleEndian);
  }

  /** A view, not a copy. */
  slice(offset: number, size: number): Uint8Array {
    this.check(offset, size);
    return this.bytes.subarray(offset, offset + size);
  }

  /** The NUL-terminated string at `offset`, decoded as UTF-8; throws `OutOfBounds` when no NUL follows. */
  string(offset: number): string {
    this.check(offset, 1);
    const end = this.bytes.indexOf(0, offset);
    if (end < 0) throw new OutOfBounds(offset, this.bytes.length - offset + 1, this.bytes.length);
    return decodeUtf8(this.bytes.subarray(offset, end));
  }
}

const utf8 = new TextDecoder();
const utf8Encoder = new TextEncoder();

export function decodeUtf8(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

export function encodeUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** `value` rounded up to a multiple of `alignment`, a power of two. Exact up to 2^53. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
