import type { Clock } from '../abi/machine.ts';

const SECOND = 1_000_000_000n;
/** TAI is ahead of UTC by this much since 2017. */
const TAI_OFFSET = 37n * SECOND;
/**
 * The virtual machine was booted this long before the first packet, so that a program never reads 0, which many take
 * for "never".
 */
const UPTIME_AT_START = SECOND;

/** A clock that a replay sets before each packet. */
export interface ReplayClock extends Clock {
  /** Tells the capture time of the packet that comes next. */
  set(seconds: number, nanoseconds: number): void;
}

/** The packet's capture time. Monotonic clocks start at the first packet and never go back; the realtime clock may. */
export function captureClock(): ReplayClock {
  let seconds = 0;
  let nanoseconds = 0;
  let start: bigint | undefined;
  let highest = 0n;
  const realtime = () => BigInt(seconds) * SECOND + BigInt(nanoseconds);
  const monotonic = () => {
    const now = realtime();
    start ??= now;
    const elapsed = now - start;
    if (elapsed > highest) highest = elapsed;
    return highest + UPTIME_AT_START;
  };
  return {
    set(toSeconds, toNanoseconds) {
      seconds = toSeconds;
      nanoseconds = toNanoseconds;
      start ??= realtime();
    },
    monotonic,
    boottime: monotonic,
    monotonicCoarse: monotonic,
    realtime,
    tai: () => realtime() + TAI_OFFSET,
  };
}

/** The machine's own clock, for live streams: answers then depend on when they are asked. */
export function wallClock(): ReplayClock {
  const realtime = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
  const monotonic = () => process.hrtime.bigint();
  return {
    set() {},
    monotonic,
    boottime: monotonic,
    monotonicCoarse: monotonic,
    realtime,
    tai: () => realtime() + TAI_OFFSET,
  };
}
