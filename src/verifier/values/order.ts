/** The four orders of numbers (unsigned and signed, of 64 and 32 bits), and ranges under them. */
import type { Width } from '../../isa/instruction.ts';
import {
  type Bank,
  below,
  belowSigned,
  putHalves,
  S32MAX,
  S32MIN,
  SMAX,
  SMIN,
  s32,
  U32MAX,
  U32MIN,
  UMAX,
  UMIN,
  u32,
} from './workbench.ts';

/** Where a bank holds the ends of the range, and how two such words compare. */
export type Order = {
  readonly min: number;
  readonly max: number;
  readonly below: (a: number, b: number) => boolean;
  /** Writes the number at `from`, plus −1, 0 or 1, to `to`. */
  readonly copy: (to: number, from: number, plus: number) => void;
};

export const UNSIGNED: Record<Width, Order> = {
  64: { min: UMIN, max: UMAX, below, copy: copy64 },
  32: { min: U32MIN, max: U32MAX, below: (a, b) => u32[a]! < u32[b]!, copy: copy32 },
};
export const SIGNED: Record<Width, Order> = {
  64: { min: SMIN, max: SMAX, below: belowSigned, copy: copy64 },
  32: { min: S32MIN, max: S32MAX, below: (a, b) => s32[a]! < s32[b]!, copy: copy32 },
};

function copy32(to: number, from: number, plus: number): void {
  s32[to] = s32[from]! + plus;
}

function copy64(to: number, from: number, plus: number): void {
  const low = (s32[from]! + plus) | 0;
  const carry = plus === 1 && low === 0 ? 1 : plus === -1 && low === -1 ? -1 : 0;
  putHalves(to, low, s32[from + 1]! + carry);
}

export function areDisjoint({ min, max, below }: Order, a: Bank, b: Bank): boolean {
  return below(a + max, b + min) || below(b + max, a + min);
}

/** Is every number of `small` below (or `strictly` so) every one of `big`: true, false, or it depends. */
export function isLess({ min, max, below }: Order, small: Bank, big: Bank, strictly: boolean): boolean | null {
  if (strictly) return below(small + max, big + min) ? true : below(small + min, big + max) ? null : false;
  return !below(big + min, small + max) ? true : below(big + max, small + min) ? false : null;
}

/** Moves the ends that "small < big", or ≤, rules out. */
export function keepLess({ min, max, below, copy }: Order, small: Bank, big: Bank, strictly: boolean): void {
  const step = strictly ? 1 : 0;
  const top = below(big + max, small + max) || (strictly && !below(small + max, big + max));
  const bottom = below(big + min, small + min) || (strictly && !below(small + min, big + min));
  if (top) copy(small + max, big + max, -step);
  if (bottom) copy(big + min, small + min, step);
}

/** Leaves both with what both ranges hold. */
export function meet({ min, max, below, copy }: Order, a: Bank, b: Bank): void {
  if (below(a + min, b + min)) copy(a + min, b + min, 0);
  else copy(b + min, a + min, 0);
  if (below(b + max, a + max)) copy(a + max, b + max, 0);
  else copy(b + max, a + max, 0);
}

/** Takes a constant off the end of a range. */
export function exclude({ min, max, below, copy }: Order, range: Bank, constant: Bank): void {
  const equal = (x: number, y: number): boolean => !below(x, y) && !below(y, x);
  const [atMin, atMax] = [equal(range + min, constant + min), equal(range + max, constant + min)];
  if (atMin) copy(range + min, range + min, 1);
  if (atMax) copy(range + max, range + max, -1);
}
