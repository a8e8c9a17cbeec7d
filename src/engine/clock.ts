import { SLOTS } from '../abi/control.ts';
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

/** Seconds of which the nanoseconds fit in 63 bits. */
const MOST_SECONDS = 2 ** 33;

/**
 * The packet's capture time. Monotonic clocks start at the first packet and never go back; the realtime clock may.
 * Times are signed 64-bit nanoseconds (ktime_t of linux/ktime.h) in the control block, where generated code sets them too.
 */
export function captureClock(control: BigInt64Array): ReplayClock {
  const words = new Uint32Array(control.buffer, control.byteOffset, 2 * control.length);
  const start = () => {
    words[2 * SLOTS.clockStarted] = 1;
    control[SLOTS.clockStart] = control[SLOTS.now]!;
  };
  const realtime = () => control[SLOTS.now]!;
  const monotonic = () => {
    const elapsed = BigInt.asIntN(64, realtime() - control[SLOTS.clockStart]!);
    if (elapsed > control[SLOTS.clockHighest]!) control[SLOTS.clockHighest] = elapsed;
    return control[SLOTS.clockHighest]! + UPTIME_AT_START;
  };
  return {
    set(seconds, nanoseconds) {
      if (seconds >= 0 && seconds < MOST_SECONDS) {
        // The product exceeds 2^53: it is taken on the halves of the seconds, in units of 2^16 and of one.
        const upper = Math.floor(seconds / 0x1_0000) * 1e9;
        const lower = (seconds % 0x1_0000) * 1e9 + nanoseconds + (upper % 0x1_0000) * 0x1_0000;
        words[2 * SLOTS.now] = lower % 0x1_0000_0000;
        words[2 * SLOTS.now + 1] = Math.floor(upper / 0x1_0000) + Math.floor(lower / 0x1_0000_0000);
      } else control[SLOTS.now] = BigInt.asIntN(64, BigInt(seconds) * SECOND + BigInt(nanoseconds));
      if (words[2 * SLOTS.clockStarted] === 0) start();
    },
    monotonic,
    boottime: monotonic,
    monotonicCoarse: monotonic,
    realtime,
    tai: () => realtime() + TAI_OFFSET,
  };
}

/** The machine's own clock, for live streams: answers then depend on when they are asked. */
export function wallClock(control: BigInt64Array): ReplayClock {
  const { set } = captureClock(control);
  const realtime = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
  const monotonic = () => process.hrtime.bigint();
  return {
    set,
    monotonic,
    boottime: monotonic,
    monotonicCoarse: monotonic,
    realtime,
    tai: () => realtime() + TAI_OFFSET,
  };
}
