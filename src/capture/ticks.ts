import type { Frame } from './frame.ts';

/** Turns a pcapng timestamp, a 64-bit count of units in two words, into the frame's seconds and nanoseconds. */
export type Ticks = (high: number, low: number, frame: Pick<Frame, 'seconds' | 'nanoseconds'>) => void;

export interface Resolution {
  readonly base: 2 | 10;
  /** A unit is base^-exponent seconds; 0 … 127. */
  readonly exponent: number;
}

/** The value of the option if_tsresol: the top bit chooses the base (draft-ietf-opsawg-pcapng, "if_tsresol"). */
export function resolutionOf(tsresol: number): Resolution {
  return { base: (tsresol & 0x80) === 0 ? 10 : 2, exponent: tsresol & 0x7f };
}

export function createTicks(resolution: Resolution, offsetSeconds: number): Ticks {
  return resolution.base === 10 && resolution.exponent <= 9
    ? decimalTicks(10 ** resolution.exponent, offsetSeconds)
    : anyTicks(resolution, offsetSeconds);
}

/**
 * Long division in base 2^16, since the count may exceed 2^53: with at most 10^9 units per second every step stays
 * below 2^46 and is exact.
 */
function decimalTicks(unitsPerSecond: number, offsetSeconds: number): Ticks {
  const nanosecondsPerUnit = 1e9 / unitsPerSecond;
  return (high, low, frame) => {
    const first = Math.floor(high / unitsPerSecond);
    const middle = (high - first * unitsPerSecond) * 0x1_0000 + (low >>> 16);
    const second = Math.floor(middle / unitsPerSecond);
    const last = (middle - second * unitsPerSecond) * 0x1_0000 + (low & 0xffff);
    const third = Math.floor(last / unitsPerSecond);
    frame.seconds = first * 0x1_0000_0000 + second * 0x1_0000 + third + offsetSeconds;
    frame.nanoseconds = (last - third * unitsPerSecond) * nanosecondsPerUnit;
  };
}

/** The rare resolutions: powers of two, and finer than a nanosecond (rounded down). */
function anyTicks({ base, exponent }: Resolution, offsetSeconds: number): Ticks {
  const unitsPerSecond = BigInt(base) ** BigInt(exponent);
  return (high, low, frame) => {
    const count = (BigInt(high) << 32n) | BigInt(low);
    frame.seconds = Number(count / unitsPerSecond) + offsetSeconds;
    frame.nanoseconds = Number(((count % unitsPerSecond) * 1_000_000_000n) / unitsPerSecond);
  };
}
