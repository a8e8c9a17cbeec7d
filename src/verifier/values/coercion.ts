/** Scalars cut to the size of an access or a narrow operation, and extended again. */
import type { Size, Width } from '../../isa/instruction.ts';
import { constant, load, type Scalar, settle } from './scalar.ts';
import { tnumCast } from './tnum.ts';
import {
  A,
  type Bank,
  MASK,
  put,
  putHalves,
  putTnum,
  putUnknown,
  S32MAX,
  S32MIN,
  SMAX,
  SMIN,
  s32,
  U32MAX,
  U32MIN,
  UMAX,
  UMIN,
  unbound32,
  VALUE,
} from './workbench.ts';

/** The low `bytes` bytes, zero-extended, as a load or a spill of that size leaves them. */
export function coerceToSize(scalar: Scalar, bytes: Size): Scalar {
  if (bytes === 8) return scalar;
  const bits = bytes * 8;
  const { value, mask } = tnumCast(scalar.tnum, bytes);
  if (mask === 0n) return constant(value);
  load(A, scalar);
  putTnum(A, { value, mask });
  const { umin, umax } = scalar;
  const wraps = umin >> BigInt(bits) !== umax >> BigInt(bits);
  const min = wraps ? 0n : BigInt.asUintN(bits, umin);
  const max = wraps ? 2n ** BigInt(bits) - 1n : BigInt.asUintN(bits, umax);
  put(A + UMIN, min);
  put(A + UMAX, max);
  put(A + SMIN, min);
  put(A + SMAX, max);
  if (bytes < 4) unbound32(A);
  return settle(A);
}

/**
 * The low `bytes` bytes, sign-extended to `width` bits, and zero-extended from there. Only a signed range that stays
 * within one value of the bits above, and whose ends keep one sign, is followed.
 */
export function signExtend(scalar: Scalar, bytes: 1 | 2 | 4, width: Width): Scalar {
  const bits = bytes * 8;
  const extend = (number: bigint): bigint => BigInt.asIntN(bits, number);
  if (scalar.isConst) return constant(BigInt.asUintN(width, extend(scalar.value)));
  const [first, last] = width === 64 ? [scalar.smin, scalar.smax] : [BigInt(scalar.s32min), BigInt(scalar.s32max)];
  let [min, max] = [extend(first), extend(last)];
  if (first >> BigInt(bits) !== last >> BigInt(bits) || min < 0n !== max < 0n) {
    min = -(2n ** BigInt(bits - 1));
    max = -min - 1n;
  }
  putUnknown(A);
  if (width === 64) {
    put(A + SMIN, min);
    put(A + SMAX, max);
    return settle(A);
  }
  s32[A + S32MIN] = Number(min);
  s32[A + S32MAX] = Number(max);
  clearHigh(A);
  return settle(A);
}

/** The low word, zero-extended: what every 32-bit operation leaves. */
export function zeroExtend32(scalar: Scalar): Scalar {
  if ((scalar.valueHigh | scalar.maskHigh) === 0) return scalar;
  load(A, scalar);
  clearHigh(A);
  return settle(A);
}

/** The bits above the low word become 0, the 64-bit bounds those of the low word. */
export function clearHigh(bank: Bank): void {
  s32[bank + VALUE + 1] = 0;
  s32[bank + MASK + 1] = 0;
  putHalves(bank + UMIN, s32[bank + U32MIN]!, 0);
  putHalves(bank + UMAX, s32[bank + U32MAX]!, 0);
  putHalves(bank + SMIN, 0, 0);
  putHalves(bank + SMAX, -1, 0);
}
