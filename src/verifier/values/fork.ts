/**
 * Where Linux walks on twice instead of joining two numbers: a shift that smears the sign leaves −1 or 0, and compilers
 * use that as a mask to choose between two constants without a branch.
 */
import type { AluOp } from '../../isa/instruction.ts';
import { constant, load, Scalar, ZERO } from './scalar.ts';
import { tnumConst, tnumWithSubreg } from './tnum.ts';
import { A, putTnum, S32MAX, s32, tnumAt, U32MIN } from './workbench.ts';

/**
 * The two destinations (all ones, which is walked first, and zero) with which `dst op= src` is to be walked, each by
 * itself; null where the operation is walked once. With the bounds of 32 bits only, it is the low word that is chosen.
 */
export function fork(op: AluOp, dst: Scalar, src: Scalar): readonly [ones: Scalar, zero: Scalar] | null {
  if ((op !== 'and' && op !== 'or') || !src.isConst || dst.s32min !== -1 || dst.s32max !== 0) return null;
  if (dst.smin === -1n && dst.smax === 0n) return [constant(-1), ZERO];
  return [withLow(dst, -1), withLow(dst, 0)];
}

/** The 64-bit bounds stay until the operation that follows. */
function withLow(scalar: Scalar, low: number): Scalar {
  load(A, scalar);
  putTnum(A, tnumWithSubreg(tnumAt(A), tnumConst(BigInt(low))));
  for (let word = U32MIN; word <= S32MAX; word++) s32[A + word] = low;
  return new Scalar(A);
}
