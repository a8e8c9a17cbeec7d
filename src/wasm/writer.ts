import { AFTER_PREFIX, NO_RESULT, OPCODES, type Opcode, VALUE, type ValueType } from './opcodes.ts';

/** Bytes that grow, and the numbers of the binary format: LEB128 (WebAssembly core specification 3.0, section 5.2.2). */
export class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A view of what was written, until more is. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): this {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  append(bytes: Uint8Array): this {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  unsigned(value: number): this {
    let rest = value;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    return this.byte(rest);
  }

  /** A whole number of at most 53 bits, or any of 64. */
  signed(value: number | bigint): this {
    if (typeof value === 'number' && (value | 0) === value) {
      let rest = value;
      while (rest < -64 || rest > 63) {
        this.byte((rest & 0x7f) | 0x80);
        rest >>= 7;
      }
      return this.byte(rest & 0x7f);
    }
    let rest = BigInt(value);
    while (rest < -64n || rest > 63n) {
      this.byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    return this.byte(Number(rest & 0x7fn));
  }

  name(text: string): this {
    return this.unsigned(text.length).append(new TextEncoder().encode(text));
  }

  #grow(by: number): void {
    const bytes = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + by));
    bytes.set(this.bytes);
    this.#bytes = bytes;
  }
}

/** The body of a function as it is written, one call an instruction. */
export class Code extends Writer {
  /** Blocks, loops and ifs that are open. */
  depth = 0;

  op(name: Opcode): this {
    const code = OPCODES[name][0];
    if (code < AFTER_PREFIX) return this.byte(code);
    return this.byte(Math.floor(code / AFTER_PREFIX)).unsigned(code % AFTER_PREFIX);
  }

  block(name: 'block' | 'loop' | 'if', result?: ValueType): this {
    this.depth++;
    return this.op(name).byte(result === undefined ? NO_RESULT : VALUE[result]);
  }

  end(): this {
    this.depth--;
    return this.op('end');
  }

  /** A branch to the block that was opened when `depth` became `level`. */
  branch(name: 'br' | 'br_if', level: number): this {
    return this.op(name).unsigned(this.depth - level);
  }

  get(local: number): this {
    return this.op('local.get').unsigned(local);
  }

  set(local: number): this {
    return this.op('local.set').unsigned(local);
  }

  tee(local: number): this {
    return this.op('local.tee').unsigned(local);
  }

  getGlobal(index: number): this {
    return this.op('global.get').unsigned(index);
  }

  setGlobal(index: number): this {
    return this.op('global.set').unsigned(index);
  }

  i32(value: number): this {
    return this.op('i32.const').signed(value | 0);
  }

  /** Signed, or unsigned: the same 64 bits. */
  i64(value: number | bigint): this {
    return this.op('i64.const').signed(typeof value === 'bigint' ? BigInt.asIntN(64, value) : value);
  }

  /** 16 bytes. */
  v128(bytes: readonly number[]): this {
    return this.op('v128.const').append(Uint8Array.from(bytes));
  }

  call(index: number): this {
    return this.op('call').unsigned(index);
  }

  /** A load or store at the address on the stack plus `offset`, promising no alignment; `memory`: which one. */
  at(name: Opcode, offset = 0, memory = 0): this {
    // Bit 6 of the alignment says that the memory's index follows (section 5.4.7, memarg).
    if (memory === 0) return this.op(name).unsigned(0).unsigned(offset);
    return this.op(name).unsigned(0x40).unsigned(memory).unsigned(offset);
  }

  /** An atomic access at the address on the stack plus `offset`, which is to be a multiple of its size. */
  atomic(name: Opcode, offset = 0): this {
    return this.op(name).unsigned(alignmentOf(name)).unsigned(offset);
  }

  /** As many bytes as lie on top of the stack, each the number below them, put at the address below that. */
  fill(): this {
    return this.op('memory.fill').byte(0);
  }
}

/** The exponent of 2 that an atomic access's alignment must be: that of its size. */
function alignmentOf(name: Opcode): number {
  const [, type, narrow] = /^(?:i(32|64)\.)?(?:memory\.)?atomic\.(?:load|store|rmw|wait)(8|16|32)?/.exec(name)!;
  return Math.log2(Number(narrow ?? type) / 8);
}
