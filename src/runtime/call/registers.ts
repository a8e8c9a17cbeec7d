/**
 * r0 … r10 of RFC 9669, section 2, in both widths over the same bytes, followed by the immediates of the loaded
 * programs: an immediate is a register that nobody writes, so that `r1 += r2` and `r1 += 5` are one rule.
 */
export class Registers {
  /** All 64 bits. */
  readonly r: BigUint64Array;
  /** The same bits read as signed. */
  readonly s: BigInt64Array;
  /** Halves: `w[2 * n]` is the low half of register n, `w[2 * n + 1]` the high one. */
  readonly w: Uint32Array;
  /** The same halves read as signed. */
  readonly sw: Int32Array;
  readonly #immediates = new Map<bigint, number>();

  /** `immediates`: how many different ones there can be at most. They may lie in a given buffer. */
  constructor(immediates: number, buffer = new ArrayBuffer(8 * (FIRST_IMMEDIATE + immediates)), start = 0) {
    const count = FIRST_IMMEDIATE + immediates;
    this.r = new BigUint64Array(buffer, start, count);
    this.s = new BigInt64Array(buffer, start, count);
    this.w = new Uint32Array(buffer, start, 2 * count);
    this.sw = new Int32Array(buffer, start, 2 * count);
  }

  /** The number of the register that holds `value` for good. */
  immediate(value: bigint): number {
    const bits = BigInt.asUintN(64, value);
    let register = this.#immediates.get(bits);
    if (register === undefined) {
      register = FIRST_IMMEDIATE + this.#immediates.size;
      this.#immediates.set(bits, register);
      this.r[register] = bits;
    }
    return register;
  }
}

const FIRST_IMMEDIATE = 11;
