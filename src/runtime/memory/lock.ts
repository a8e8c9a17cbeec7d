import type { Routines } from '../../abi/routines.ts';
import { type Expression, i32, i64, Routine, type Variable } from '../../wasm/expression.ts';

/**
 * Locks of threads that share a memory: a word each, which is odd while it is held. Who waits looks again a number of
 * times and then naps, since the holder may be a thread that waits for a processor.
 */
const LOOKS = 200;
const NAP_NANOSECONDS = 20_000;

/**
 * Whether a processor reads memory in the order of the program, as x86 does (AMD64 Architecture Programmer's Manual,
 * volume 2, 7.2): a fence costs more there than a lookup.
 */
export const LOADS_IN_ORDER = globalThis.process?.arch === 'x64';

type Words = Int32Array<SharedArrayBuffer>;

export function acquire(words: Words, lock: number): void {
  const index = lock >>> 2;
  for (let looks = 0; ; looks++) {
    const word = Atomics.load(words, index);
    if ((word & 1) === 0 && Atomics.compareExchange(words, index, word, word + 1) === word) return;
    if (looks > LOOKS) Atomics.wait(words, index, word, NAP_NANOSECONDS / 1e6);
  }
}

/** The word goes on to the next even number: who reads without the lock sees that something was done. */
export function release(words: Words, lock: number): void {
  Atomics.add(words, lock >>> 2, 1);
}

/** For a bpf_spin_lock: a free one is 0, as the kernel shows it. */
export function clear(words: Words, lock: number): void {
  Atomics.store(words, lock >>> 2, 0);
}

/** `acquire` as code: index of a function (lock) → nothing. */
export function acquireCode(routines: Routines): number {
  return routines.once('acquire', () => {
    const routine = new Routine(['i32'], []);
    const [lock] = routine.parameters as [Variable];
    const word = routine.let(i32(0));
    const looks = routine.let(i32(0));
    routine.while(i32(1), () => {
      routine.set(word, lock.atomic('i32.atomic.load'));
      routine.if(word.and(1).isZero(), () => {
        const found = lock.atomic('i32.atomic.rmw.cmpxchg', word, word.add(1));
        routine.if(found.eq(word), () => routine.return());
      });
      routine.set(looks, looks.add(1));
      routine.if(looks.gt(LOOKS), () =>
        routine.set(word, lock.atomic('memory.atomic.wait32', word, i64(NAP_NANOSECONDS))),
      );
    });
    return routine;
  });
}

export function writeRelease(routine: Routine, lock: Expression): void {
  routine.let(lock.atomic('i32.atomic.rmw.add', 1));
}

export function writeClear(routine: Routine, lock: Expression): void {
  routine.let(lock.atomic('i32.atomic.rmw.and', 0));
}
