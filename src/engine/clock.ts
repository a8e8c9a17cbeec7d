import { SLOTS } from '../abi/control.ts';
import type { Clock } from '../abi/machine.ts';
import type { Routines } from '../abi/routines.ts';
import { storeTime } from '../base/time.ts';
import { callOf, i64, Routine } from '../wasm/expression.ts';

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
      storeTime(words, 2 * SLOTS.now, seconds, nanoseconds);
      if (words[2 * SLOTS.clockStarted] === 0) start();
    },
    monotonic,
    boottime: monotonic,
    monotonicCoarse: monotonic,
    realtime,
    tai: () => realtime() + TAI_OFFSET,
    code: {
      monotonic: (routines) =>
        callOf(
          routines.once('monotonic clock', () => monotonicRoutine(routines)),
          'i64',
        ),
      tai: (routines) => routines.slot('now').load64().add(i64(TAI_OFFSET)),
    },
  };
}

/** As `monotonic` above. */
function monotonicRoutine(routines: Routines): Routine {
  const routine = new Routine([], ['i64']);
  const elapsed = routine.let(routines.slot('now').load64().sub(routines.slot('clockStart').load64()));
  const highest = routine.let(routines.slot('clockHighest').load64());
  routine.if(elapsed.gtSigned(highest), () => {
    routine.store(routines.slot('clockHighest'), elapsed);
    routine.set(highest, elapsed);
  });
  routine.return(highest.add(i64(UPTIME_AT_START)));
  return routine;
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
