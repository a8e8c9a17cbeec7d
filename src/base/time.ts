/** Times as the 64-bit nanoseconds of generated code, in two 32-bit words of which the lower comes first. */

const SECOND = 1e9;
/** Seconds below it have nanoseconds that fit in 63 bits. */
const MOST_SECONDS = 2 ** 33;
const WORD = 0x1_0000_0000;

export interface Time {
  /** Since the epoch; negative before it. */
  seconds: number;
  /** 0 … 999,999,999. */
  nanoseconds: number;
}

/** Stores a time in words[at] and words[at + 1]; what does not fit is cut to 64 bits. */
export function storeTime(words: Uint32Array, at: number, seconds: number, nanoseconds: number): void {
  if (seconds >= 0 && seconds < MOST_SECONDS) {
    // The product exceeds 2^53: it is taken on the halves of the seconds, in units of 2^16 and of one.
    const upper = Math.floor(seconds / 0x1_0000) * SECOND;
    const lower = (seconds % 0x1_0000) * SECOND + nanoseconds + (upper % 0x1_0000) * 0x1_0000;
    words[at] = lower % WORD;
    words[at + 1] = Math.floor(upper / 0x1_0000) + Math.floor(lower / WORD);
    return;
  }
  const time = BigInt.asUintN(64, BigInt(seconds) * BigInt(SECOND) + BigInt(nanoseconds));
  words[at] = Number(time & 0xffff_ffffn);
  words[at + 1] = Number(time >> 32n);
}

/** Reads words[at] and words[at + 1], a signed number. */
export function loadTime(words: Uint32Array, at: number, time: Time): void {
  const low = words[at]!;
  // Off by one at most; the low words tell.
  let seconds = Math.floor(((words[at + 1]! | 0) * WORD + low) / SECOND);
  let nanoseconds = (low - Math.imul(seconds, SECOND)) | 0;
  if (nanoseconds < 0) {
    seconds--;
    nanoseconds += SECOND;
  } else if (nanoseconds >= SECOND) {
    seconds++;
    nanoseconds -= SECOND;
  }
  time.seconds = seconds;
  time.nanoseconds = nanoseconds;
}
