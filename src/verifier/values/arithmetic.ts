/**
 * What an arithmetic instruction makes of two scalars, with the precision of Linux 6.18: division, modulo, byte swaps
 * and shifts by an unknown count give up; sums keep unsigned bounds when both ends overflow, signed ones never.
 */
import type { AluOp, Width } from '../../isa/instruction.ts';
import { clearHigh, coerceToSize, signExtend, zeroExtend32 } from './coercion.ts';
import { constant, load, type Scalar, settle, UNKNOWN } from './scalar.ts';
import {
  tnumAdd,
  tnumAnd,
  tnumArsh,
  tnumByteSwap,
  tnumLsh,
  tnumMul,
  tnumNeg,
  tnumOr,
  tnumRsh,
  tnumSub,
  tnumSubreg,
  tnumXor,
} from './tnum.ts';
import {
  A,
  addAt,
  B,
  CARRY,
  MASK,
  OVERFLOW,
  put,
  putHalves,
  putTnum,
  putUnknown,
  S32MAX,
  S32MIN,
  SMAX,
  SMIN,
  s32,
  signed,
  subAt,
  tnumAt,
  U32MAX,
  U32MIN,
  UMAX,
  UMIN,
  u32,
  unbound32,
  unbound32Signed,
  unbound32Unsigned,
  unbound64,
  unbound64Signed,
  unbound64Unsigned,
  unsigned,
  VALUE,
} from './workbench.ts';

/** `dst op= src`; operators of one operand (`neg`) ignore `src`, moves ignore `dst`. */
export function alu(op: AluOp, width: Width, dst: Scalar, src: Scalar): Scalar {
  return RULES[op](width, dst, src);
}

/**
 * The low `bits` bits, of a little-endian machine's number, in the given order. Swapped bytes keep no bounds but what
 * the known bits say.
 */
export function endian(op: 'le' | 'be' | 'bswap', bits: 16 | 32 | 64, dst: Scalar): Scalar {
  const bytes = (bits / 8) as 2 | 4 | 8;
  if (op === 'le') return coerceToSize(dst, bytes);
  putUnknown(A);
  putTnum(A, tnumByteSwap(dst.tnum, bytes));
  return settle(A);
}

type Rule = (width: Width, dst: Scalar, src: Scalar) => Scalar;

const RULES: Record<AluOp, Rule> = {
  add: onBanks(add, (a, b) => a + b),
  sub: onBanks(sub, (a, b) => a - b),
  mul: onBanks(mul, (a, b) => a * b),
  and: onBanks(and, (a, b) => a & b),
  or: onBanks(or, (a, b) => a | b),
  xor: onBanks(xor, (a, b) => a ^ b),
  neg: (width, dst) => negated(width, constant(0), dst),
  lsh: byKnownCount(lsh),
  rsh: byKnownCount(rsh),
  arsh: byKnownCount(arsh),
  div: givesUp,
  sdiv: givesUp,
  mod: givesUp,
  smod: givesUp,
  mov: (width, _dst, src) => (width === 64 ? src : zeroExtend32(src)),
  movsx8: (width, _dst, src) => signExtend(src, 1, width),
  movsx16: (width, _dst, src) => signExtend(src, 2, width),
  movsx32: (width, _dst, src) => signExtend(src, 4, width),
};

function givesUp(): Scalar {
  return UNKNOWN;
}

/** Runs `effect` on bank A (destination and result) and B (source); two constants are simply computed. */
function onBanks(effect: () => void, compute: (a: bigint, b: bigint) => bigint): Rule {
  return (width, dst, src) => {
    if (dst.isConst && src.isConst) return constant(BigInt.asUintN(width, compute(dst.value, src.value)));
    load(A, dst);
    load(B, src);
    effect();
    if (width === 32) clearHigh(A);
    return settle(A);
  };
}

function byKnownCount(effect: (count: number, width: Width) => void): Rule {
  return (width, dst, src) => {
    const known = width === 64 ? src.isConst : src.isConst32;
    if (!known || src.umaxHigh !== 0 || src.umaxLow >>> 0 >= width) return UNKNOWN;
    load(A, dst);
    effect(src.valueLow, width);
    if (width === 32) clearHigh(A);
    return settle(A);
  };
}

/** A range that overflowed as a whole is a range still, of the wrapped ends; one that did so in part is none. */
function checkUnsigned64(min: number, max: number): void {
  if ((min & CARRY) !== (max & CARRY)) unbound64Unsigned(A);
}
function checkSigned64(min: number, max: number): void {
  if (((min | max) & OVERFLOW) !== 0) unbound64Signed(A);
}
function setUnsigned64(min: bigint, max: bigint): void {
  put(A + UMIN, min);
  put(A + UMAX, max);
}
function setUnsigned32(min: number, max: number): void {
  if (Math.floor(min / 2 ** 32) !== Math.floor(max / 2 ** 32)) unbound32Unsigned(A);
  else {
    u32[A + U32MIN] = min;
    u32[A + U32MAX] = max;
  }
}
function setSigned64(min: bigint, max: bigint): void {
  if (min < -(2n ** 63n) || max >= 2n ** 63n) unbound64Signed(A);
  else {
    put(A + SMIN, min);
    put(A + SMAX, max);
  }
}
function setSigned32(min: number, max: number): void {
  if (min < -(2 ** 31) || max >= 2 ** 31) unbound32Signed(A);
  else {
    s32[A + S32MIN] = min;
    s32[A + S32MAX] = max;
  }
}

function add(): void {
  putTnum(A, tnumAdd(tnumAt(A), tnumAt(B)));
  setUnsigned32(u32[A + U32MIN]! + u32[B + U32MIN]!, u32[A + U32MAX]! + u32[B + U32MAX]!);
  setSigned32(s32[A + S32MIN]! + s32[B + S32MIN]!, s32[A + S32MAX]! + s32[B + S32MAX]!);
  checkUnsigned64(addAt(A + UMIN, B + UMIN), addAt(A + UMAX, B + UMAX));
  checkSigned64(addAt(A + SMIN, B + SMIN), addAt(A + SMAX, B + SMAX));
}

function sub(): void {
  putTnum(A, tnumSub(tnumAt(A), tnumAt(B)));
  subBounds();
}
function subBounds(): void {
  setUnsigned32(u32[A + U32MIN]! - u32[B + U32MAX]!, u32[A + U32MAX]! - u32[B + U32MIN]!);
  setSigned32(s32[A + S32MIN]! - s32[B + S32MAX]!, s32[A + S32MAX]! - s32[B + S32MIN]!);
  checkUnsigned64(subAt(A + UMIN, B + UMAX), subAt(A + UMAX, B + UMIN));
  checkSigned64(subAt(A + SMIN, B + SMAX), subAt(A + SMAX, B + SMIN));
}

const negated = onBanks(
  () => {
    putTnum(A, tnumNeg(tnumAt(B)));
    subBounds();
  },
  (zero, number) => zero - number,
);

/** The least and the greatest of the four products of ends. */
function mul(): void {
  putTnum(A, tnumMul(tnumAt(A), tnumAt(B)));
  const [min32, max32] = [BigInt(u32[A + U32MIN]!), BigInt(u32[A + U32MAX]!)];
  const most32 = max32 * BigInt(u32[B + U32MAX]!);
  if (most32 > 0xffff_ffffn) unbound32Unsigned(A);
  else setUnsigned32(Number(min32 * BigInt(u32[B + U32MIN]!)), Number(most32));
  const most = unsigned(A + UMAX) * unsigned(B + UMAX);
  if (most >= 2n ** 64n) unbound64Unsigned(A);
  else setUnsigned64(unsigned(A + UMIN) * unsigned(B + UMIN), most);
  const [least32, greatest32] = extremes(
    [BigInt(s32[A + S32MIN]!), BigInt(s32[A + S32MAX]!)],
    [BigInt(s32[B + S32MIN]!), BigInt(s32[B + S32MAX]!)],
  );
  setSigned32(Number(least32), Number(greatest32));
  setSigned64(...extremes([signed(A + SMIN), signed(A + SMAX)], [signed(B + SMIN), signed(B + SMAX)]));
}

// Math.min and Math.max take no BigInt.
function lesser(a: bigint, b: bigint): bigint {
  if (b < a) return b;
  return a;
}
function greater(a: bigint, b: bigint): bigint {
  if (b > a) return b;
  return a;
}

type Ends = readonly [bigint, bigint];
function extremes(a: Ends, b: Ends): Ends {
  const products = a.flatMap((x) => b.map((y) => x * y));
  return [products.reduce(lesser), products.reduce(greater)];
}

/** Bits can only be cleared: the result is no greater than either operand. */
function and(): void {
  const tnum = tnumAnd(tnumAt(A), tnumAt(B));
  putTnum(A, tnum);
  u32[A + U32MIN] = s32[A + VALUE]!;
  u32[A + U32MAX] = Math.min(u32[A + U32MAX]!, u32[B + U32MAX]!);
  put(A + UMIN, tnum.value);
  put(A + UMAX, lesser(unsigned(A + UMAX), unsigned(B + UMAX)));
  signedAsUnsigned();
}

/** Bits can only be set: the result is no less than either operand. */
function or(): void {
  const tnum = tnumOr(tnumAt(A), tnumAt(B));
  putTnum(A, tnum);
  u32[A + U32MIN] = Math.max(u32[A + U32MIN]!, u32[B + U32MIN]!);
  u32[A + U32MAX] = s32[A + VALUE]! | s32[A + MASK]!;
  put(A + UMIN, greater(unsigned(A + UMIN), unsigned(B + UMIN)));
  put(A + UMAX, tnum.value | tnum.mask);
  signedAsUnsigned();
}

function xor(): void {
  const tnum = tnumXor(tnumAt(A), tnumAt(B));
  putTnum(A, tnum);
  u32[A + U32MIN] = s32[A + VALUE]!;
  u32[A + U32MAX] = s32[A + VALUE]! | s32[A + MASK]!;
  put(A + UMIN, tnum.value);
  put(A + UMAX, tnum.value | tnum.mask);
  signedAsUnsigned();
}

/** Forgets the signed bounds; where the unsigned ones have one sign, deduction finds them again. */
function signedAsUnsigned(): void {
  unbound32Signed(A);
  unbound64Signed(A);
}

/** Bounds survive while the greatest number stays, shifted, within the lower half of what the width holds, or 2^(width − 1). */
function lsh(count: number, width: Width): void {
  const by = BigInt(count);
  const [least, most] = [s32[A + S32MIN]!, s32[A + S32MAX]!];
  const max32 = u32[A + U32MAX]! * 2 ** count;
  if (max32 > 2 ** 31) unbound32Unsigned(A);
  else setUnsigned32(u32[A + U32MIN]! * 2 ** count, max32);
  unbound32Signed(A);
  const max = unsigned(A + UMAX) << by;
  if (max > 2n ** 63n) unbound64Unsigned(A);
  else setUnsigned64(unsigned(A + UMIN) << by, max);
  unbound64Signed(A);
  // The low word moved up is a signed number with the sign of the word: compilers sign-extend this way.
  if (width === 64 && count === 32) {
    putHalves(A + SMIN, 0, least);
    putHalves(A + SMAX, 0, most);
  }
  putTnum(A, tnumLsh(tnumAt(A), by));
}

function rsh(count: number, width: Width): void {
  const by = BigInt(count);
  const tnum = tnumAt(A);
  if (width === 32) {
    putTnum(A, tnumRsh(tnumSubreg(tnum), by));
    u32[A + U32MIN] = u32[A + U32MIN]! >>> count;
    u32[A + U32MAX] = u32[A + U32MAX]! >>> count;
    unbound32Signed(A);
    return;
  }
  putTnum(A, tnumRsh(tnum, by));
  put(A + UMIN, unsigned(A + UMIN) >> by);
  put(A + UMAX, unsigned(A + UMAX) >> by);
  unbound64Signed(A);
  unbound32(A);
}

function arsh(count: number, width: Width): void {
  const by = BigInt(count);
  putTnum(A, tnumArsh(tnumAt(A), by, width));
  if (width === 32) {
    s32[A + S32MIN] = s32[A + S32MIN]! >> count;
    s32[A + S32MAX] = s32[A + S32MAX]! >> count;
    unbound32Unsigned(A);
    unbound64(A);
    return;
  }
  put(A + SMIN, signed(A + SMIN) >> by);
  put(A + SMAX, signed(A + SMAX) >> by);
  unbound64Unsigned(A);
  unbound32(A);
}
