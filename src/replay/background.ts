import { readlinkSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';

/** Steps of niceness: what answers and waits goes before what computes for minutes. */
const STEPS = 10;
const NICEST = 19;

/**
 * Lets the other threads of the process go first where there are not processors enough for all. Linux gives each thread
 * a niceness of its own (setpriority(2), "C library/kernel differences"); elsewhere nothing is changed.
 */
export function goToBackground(): void {
  if (process.platform !== 'linux') return;
  try {
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    setPriority(thread, Math.min(NICEST, getPriority(thread) + STEPS));
  } catch {
    // Without /proc, or where it is forbidden, it computes as it is.
  }
}
