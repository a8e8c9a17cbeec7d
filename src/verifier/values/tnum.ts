/**
 * Tristate numbers: 64 bits of which each is 0, 1 or unknown. `mask` has a 1 where the bit is unknown, `value` holds
 * the known bits and 0 elsewhere. Source: Vishwanathan, Shachnai, Narayana, Nagarakatte, "Sound, Precise, and Fast
 * Abstract Interpretation with Tristate Numbers", CGO 2022.
 */

/** `value & mask` is 0; both are unsigned, 0 … 2^64 − 1. */
export type Tnum = { readonly value: bigint; readonly mask: bigint };

const ALL = 0xffff_ffff_ffff_ffffn;
const LOW = 0xffff_ffffn;

const wrap = (bits: bigint): bigint => BigInt.asUintN(64, bits);
/** Known bits of `bits` outside `mask`. */
const tnum = (bits: bigint, mask: bigint): Tnum => ({ value: bits & ~mask & ALL, mask });

export function tnumConst(value: bigint): Tnum {
  return { value: wrap(value), mask: 0n };
}

/** The smallest tnum that contains `min` … `max` (unsigned): the common leading bits are known. */
export function tnumRange(min: bigint, max: bigint): Tnum {
  return tnum(min, fill(min ^ max));
}

/** Is the number among those that `a` stands for? */
export function tnumContains(a: Tnum, number: bigint): boolean {
  return (wrap(number) & ~a.mask) === a.value;
}

/** Is there a number that both stand for? */
export function tnumOverlaps(a: Tnum, b: Tnum): boolean {
  return ((a.value ^ b.value) & ~(a.mask | b.mask)) === 0n;
}

/**
 * The number that `a` and the (unsigned) bounds leave, or null where they leave several, or where `min` is the
 * greatest number of `a` (the bounds alone then say it). Where they contradict each
 * other, Linux at times takes the greatest number of `a`, or `min`; so does this.
 */
export function tnumOnlyBetween(a: Tnum, min: bigint, max: bigint): bigint | null {
  const greatest = a.value | a.mask;
  const first = leastFrom(a, min) ?? greatest;
  if (first !== min) {
    if (first === greatest) return greatest;
    if (first > max) return null;
  }
  const second = first === greatest ? greatest : leastFrom(a, first + 1n)!;
  return second > max ? first : null;
}

/** The least number from `min` on that `a` stands for. */
function leastFrom(a: Tnum, min: bigint): bigint | null {
  const differing = (min ^ a.value) & ~a.mask;
  if (differing === 0n) return min;
  const below = fill(differing);
  const highest = below ^ (below >> 1n);
  // The unknown bits above the highest difference are those of `min`; where that is a 0 in `a`, counted up by one.
  const above = min & a.mask & ~below;
  if ((a.value & highest) !== 0n) return a.value | above;
  const next = ((above | (ALL & ~a.mask) | below) + 1n) & a.mask;
  return next > above ? a.value | next : null;
}

/** Ones from the highest 1 downwards. */
function fill(bits: bigint): bigint {
  for (let step = 1n; step < 64n; step <<= 1n) bits |= bits >> step;
  return bits;
}

/** CGO 2022, section III: carries that differ between the smallest and the largest sum are unknown. */
export function tnumAdd(a: Tnum, b: Tnum): Tnum {
  const least = wrap(a.value + b.value);
  const most = wrap(least + a.mask + b.mask);
  return tnum(least, (least ^ most) | a.mask | b.mask);
}

/** As addition, with borrows. */
export function tnumSub(a: Tnum, b: Tnum): Tnum {
  const difference = a.value - b.value;
  const borrows = wrap((difference + a.mask) ^ (difference - b.mask));
  return tnum(wrap(difference), borrows | a.mask | b.mask);
}

export function tnumNeg(a: Tnum): Tnum {
  return tnumSub(tnumConst(0n), a);
}

export function tnumAnd(a: Tnum, b: Tnum): Tnum {
  const value = a.value & b.value;
  return { value, mask: (a.value | a.mask) & (b.value | b.mask) & ~value };
}

export function tnumOr(a: Tnum, b: Tnum): Tnum {
  const value = a.value | b.value;
  return { value, mask: (a.mask | b.mask) & ~value };
}

export function tnumXor(a: Tnum, b: Tnum): Tnum {
  return tnum(a.value ^ b.value, a.mask | b.mask);
}

/** Shifts take a count of 0 … 63. */
export function tnumLsh(a: Tnum, count: bigint): Tnum {
  return { value: wrap(a.value << count), mask: wrap(a.mask << count) };
}

export function tnumRsh(a: Tnum, count: bigint): Tnum {
  return { value: a.value >> count, mask: a.mask >> count };
}

/** Shift of the low `width` bits with their sign, which may be unknown; the bits above `width` become 0. */
export function tnumArsh(a: Tnum, count: bigint, width: 32 | 64): Tnum {
  const shift = (bits: bigint): bigint => BigInt.asUintN(width, BigInt.asIntN(width, bits) >> count);
  return { value: shift(a.value), mask: shift(a.mask) };
}

/** Long multiplication: an unknown bit of `a` joins the sums with and without its summand. */
export function tnumMul(a: Tnum, b: Tnum): Tnum {
  let sum = tnumConst(0n);
  let { value, mask } = a;
  for (let summand = b; value !== 0n || mask !== 0n; summand = tnumLsh(summand, 1n)) {
    if (value & 1n) sum = tnumAdd(sum, summand);
    else if (mask & 1n) sum = tnumUnion(sum, tnumAdd(sum, summand));
    value >>= 1n;
    mask >>= 1n;
  }
  return sum;
}

/** What both say together. Where they contradict each other (nothing is in both), the bit is 1. */
export function tnumIntersect(a: Tnum, b: Tnum): Tnum {
  return tnum(a.value | b.value, a.mask & b.mask);
}

/** The smallest tnum that includes both. */
function tnumUnion(a: Tnum, b: Tnum): Tnum {
  return tnum(a.value, a.mask | b.mask | (a.value ^ b.value));
}

/** The low `bytes` bytes, zero-extended. */
export function tnumCast(a: Tnum, bytes: number): Tnum {
  const bits = bytes * 8;
  return { value: BigInt.asUintN(bits, a.value), mask: BigInt.asUintN(bits, a.mask) };
}

/** The low `bytes` bytes in the opposite order, zero-extended. */
export function tnumByteSwap(a: Tnum, bytes: number): Tnum {
  return { value: byteSwap(a.value, bytes), mask: byteSwap(a.mask, bytes) };
}

function byteSwap(bits: bigint, bytes: number): bigint {
  let swapped = 0n;
  for (let byte = 0; byte < bytes; byte++) swapped = (swapped << 8n) | ((bits >> BigInt(8 * byte)) & 0xffn);
  return swapped;
}

/** The low 32 bits, zero-extended. */
export function tnumSubreg(a: Tnum): Tnum {
  return { value: a.value & LOW, mask: a.mask & LOW };
}

/** `a` with its low 32 bits replaced by those of `low`. */
export function tnumWithSubreg(a: Tnum, low: Tnum): Tnum {
  return { value: (a.value & ~LOW) | (low.value & LOW), mask: (a.mask & ~LOW) | (low.mask & LOW) };
}
