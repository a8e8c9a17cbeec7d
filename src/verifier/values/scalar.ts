/**
 * What is known of a number in a register or a stack slot: its bits, and its bounds as an unsigned and a signed number
 * of 64 and of 32 bits. Immutable; constants of small size and "anything" exist once.
 */
import { deduce } from './deduce.ts';
import { type Tnum, tnumContains } from './tnum.ts';
import {
  A,
  type Bank,
  below,
  belowSigned,
  joinSigned,
  joinUnsigned,
  MASK,
  put,
  putConstantHalves,
  putUnknown,
  S32MAX,
  S32MIN,
  SMAX,
  SMIN,
  SPARE,
  s32,
  U32MAX,
  U32MIN,
  UMAX,
  UMIN,
  u32,
  unbound,
  VALUE,
} from './workbench.ts';

/**
 * 64-bit numbers are held as signed halves, which the engine stores unboxed; the getters give them as BigInts. Made by
 * `constant`, `range…`, `alu` and `refine` only.
 */
export class Scalar {
  readonly valueLow: number;
  readonly valueHigh: number;
  readonly maskLow: number;
  readonly maskHigh: number;
  readonly uminLow: number;
  readonly uminHigh: number;
  readonly umaxLow: number;
  readonly umaxHigh: number;
  readonly sminLow: number;
  readonly sminHigh: number;
  readonly smaxLow: number;
  readonly smaxHigh: number;
  /** Unsigned bounds of the low word, as the signed number of the same bits. */
  readonly u32minBits: number;
  readonly u32maxBits: number;
  readonly s32min: number;
  readonly s32max: number;

  /** Takes what stands in a bank of the workbench. */
  constructor(bank: Bank) {
    this.valueLow = s32[bank + VALUE]!;
    this.valueHigh = s32[bank + VALUE + 1]!;
    this.maskLow = s32[bank + MASK]!;
    this.maskHigh = s32[bank + MASK + 1]!;
    this.uminLow = s32[bank + UMIN]!;
    this.uminHigh = s32[bank + UMIN + 1]!;
    this.umaxLow = s32[bank + UMAX]!;
    this.umaxHigh = s32[bank + UMAX + 1]!;
    this.sminLow = s32[bank + SMIN]!;
    this.sminHigh = s32[bank + SMIN + 1]!;
    this.smaxLow = s32[bank + SMAX]!;
    this.smaxHigh = s32[bank + SMAX + 1]!;
    this.u32minBits = s32[bank + U32MIN]!;
    this.u32maxBits = s32[bank + U32MAX]!;
    this.s32min = s32[bank + S32MIN]!;
    this.s32max = s32[bank + S32MAX]!;
  }

  /** The known bits. */
  get tnum(): Tnum {
    return {
      value: joinUnsigned(this.valueLow, this.valueHigh),
      mask: joinUnsigned(this.maskLow, this.maskHigh),
    };
  }
  get umin(): bigint {
    return joinUnsigned(this.uminLow, this.uminHigh);
  }
  get umax(): bigint {
    return joinUnsigned(this.umaxLow, this.umaxHigh);
  }
  get smin(): bigint {
    return joinSigned(this.sminLow, this.sminHigh);
  }
  get smax(): bigint {
    return joinSigned(this.smaxLow, this.smaxHigh);
  }
  get u32min(): number {
    return this.u32minBits >>> 0;
  }
  get u32max(): number {
    return this.u32maxBits >>> 0;
  }

  /** Is every bit known? */
  get isConst(): boolean {
    return (this.maskLow | this.maskHigh) === 0;
  }
  /** Is every bit of the low word known? */
  get isConst32(): boolean {
    return this.maskLow === 0;
  }
  /** The known bits as an unsigned number: the number itself, of a constant. */
  get value(): bigint {
    return joinUnsigned(this.valueLow, this.valueHigh);
  }
  /** The known bits as a signed number. */
  get signedValue(): bigint {
    return joinSigned(this.valueLow, this.valueHigh);
  }

  /** Is the number (of either sign) among those that this stands for? */
  contains(number: bigint): boolean {
    const unsigned = BigInt.asUintN(64, number);
    const signed = BigInt.asIntN(64, number);
    const low = Number(BigInt.asUintN(32, number));
    return (
      tnumContains(this.tnum, number) &&
      this.umin <= unsigned &&
      unsigned <= this.umax &&
      this.smin <= signed &&
      signed <= this.smax &&
      this.u32min <= low &&
      low <= this.u32max &&
      this.s32min <= (low | 0) &&
      (low | 0) <= this.s32max
    );
  }
}

/** Puts a scalar into a bank. */
export function load(bank: Bank, scalar: Scalar): void {
  s32[bank + VALUE] = scalar.valueLow;
  s32[bank + VALUE + 1] = scalar.valueHigh;
  s32[bank + MASK] = scalar.maskLow;
  s32[bank + MASK + 1] = scalar.maskHigh;
  s32[bank + UMIN] = scalar.uminLow;
  s32[bank + UMIN + 1] = scalar.uminHigh;
  s32[bank + UMAX] = scalar.umaxLow;
  s32[bank + UMAX + 1] = scalar.umaxHigh;
  s32[bank + SMIN] = scalar.sminLow;
  s32[bank + SMIN + 1] = scalar.sminHigh;
  s32[bank + SMAX] = scalar.smaxLow;
  s32[bank + SMAX + 1] = scalar.smaxHigh;
  s32[bank + U32MIN] = scalar.u32minBits;
  s32[bank + U32MAX] = scalar.u32maxBits;
  s32[bank + S32MIN] = scalar.s32min;
  s32[bank + S32MAX] = scalar.s32max;
}

/** Lets the views in a bank agree and makes a scalar of them. */
export function settle(bank: Bank): Scalar {
  deduce(bank);
  if (isContradiction(bank)) {
    // Nothing can be here. Linux goes on with the bits alone, and so may refuse what never runs.
    unbound(bank);
  } else if ((s32[bank + MASK]! | s32[bank + MASK + 1]!) === 0) {
    return constantOfHalves(s32[bank + VALUE]!, s32[bank + VALUE + 1]!);
  }
  return new Scalar(bank);
}

function isContradiction(bank: Bank): boolean {
  return (
    below(bank + UMAX, bank + UMIN) ||
    belowSigned(bank + SMAX, bank + SMIN) ||
    u32[bank + U32MAX]! < u32[bank + U32MIN]! ||
    s32[bank + S32MAX]! < s32[bank + S32MIN]!
  );
}

const INTERNED_LEAST = -256;
const INTERNED_MOST = 4096;
const interned: Scalar[] = [];
for (let number = INTERNED_LEAST; number <= INTERNED_MOST; number++) {
  putConstantHalves(A, number, number >> 31);
  interned.push(new Scalar(A));
}

/** The constant of two halves. */
function constantOfHalves(low: number, high: number): Scalar {
  if (low >> 31 === (high | 0) && low >= INTERNED_LEAST && low <= INTERNED_MOST) return interned[low - INTERNED_LEAST]!;
  putConstantHalves(SPARE, low, high);
  return new Scalar(SPARE);
}

/** The number itself, of either sign; a `number` must be a safe integer. */
export function constant(value: bigint | number): Scalar {
  if (typeof value === 'number') {
    if (value === (value | 0)) return constantOfHalves(value, value >> 31);
    value = BigInt(value);
  }
  put(SPARE, value);
  return constantOfHalves(s32[SPARE]!, s32[SPARE + 1]!);
}

putUnknown(A);
/** Anything. */
export const UNKNOWN = new Scalar(A);

export const ZERO = constant(0);

/** `min` … `max`, unsigned. */
export function unsignedRange(min: bigint, max: bigint): Scalar {
  putUnknown(A);
  put(A + UMIN, min);
  put(A + UMAX, max);
  return settle(A);
}

/** `min` … `max`, signed. */
export function signedRange(min: bigint, max: bigint): Scalar {
  putUnknown(A);
  put(A + SMIN, min);
  put(A + SMAX, max);
  return settle(A);
}
