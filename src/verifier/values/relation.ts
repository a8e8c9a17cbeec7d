/** How two scalars relate: what pruning asks about every register of two states. */
import type { Scalar } from './scalar.ts';

/** Do both say the same in every view? */
export function equal(a: Scalar, b: Scalar): boolean {
  return (
    a === b ||
    (a.valueLow === b.valueLow &&
      a.valueHigh === b.valueHigh &&
      a.maskLow === b.maskLow &&
      a.maskHigh === b.maskHigh &&
      a.uminLow === b.uminLow &&
      a.uminHigh === b.uminHigh &&
      a.umaxLow === b.umaxLow &&
      a.umaxHigh === b.umaxHigh &&
      a.sminLow === b.sminLow &&
      a.sminHigh === b.sminHigh &&
      a.smaxLow === b.smaxLow &&
      a.smaxHigh === b.smaxHigh &&
      a.u32minBits === b.u32minBits &&
      a.u32maxBits === b.u32maxBits &&
      a.s32min === b.s32min &&
      a.s32max === b.s32max)
  );
}

/** Is `cur` within `old` in every view? What was found safe for `old` is then safe for `cur`. */
export function includes(old: Scalar, cur: Scalar): boolean {
  return (
    old === cur ||
    ((cur.maskLow & ~old.maskLow) === 0 &&
      (cur.maskHigh & ~old.maskHigh) === 0 &&
      (cur.valueLow & ~old.maskLow) === old.valueLow &&
      (cur.valueHigh & ~old.maskHigh) === old.valueHigh &&
      atMost(old.uminLow, old.uminHigh, cur.uminLow, cur.uminHigh) &&
      atMost(cur.umaxLow, cur.umaxHigh, old.umaxLow, old.umaxHigh) &&
      atMostSigned(old.sminLow, old.sminHigh, cur.sminLow, cur.sminHigh) &&
      atMostSigned(cur.smaxLow, cur.smaxHigh, old.smaxLow, old.smaxHigh) &&
      old.u32minBits >>> 0 <= cur.u32minBits >>> 0 &&
      cur.u32maxBits >>> 0 <= old.u32maxBits >>> 0 &&
      old.s32min <= cur.s32min &&
      cur.s32max <= old.s32max)
  );
}

function atMost(aLow: number, aHigh: number, bLow: number, bHigh: number): boolean {
  return aHigh === bHigh ? aLow >>> 0 <= bLow >>> 0 : aHigh >>> 0 < bHigh >>> 0;
}

function atMostSigned(aLow: number, aHigh: number, bLow: number, bHigh: number): boolean {
  return aHigh === bHigh ? aLow >>> 0 <= bLow >>> 0 : aHigh < bHigh;
}
