import type { Count } from '../index.ts';

/** What a program decided, over all programs of this name. */
export interface Decided extends Count {
  readonly program: string;
  readonly type: string;
  readonly verdict: string;
}

/** Sums by program, type and verdict. There are few of them, whatever is submitted and whatever it answers. */
export interface Decisions extends Iterable<Decided> {
  add(program: string, type: string, verdicts: Readonly<Record<string, Count>>): void;
}

/** A code without a name is any of 2^32 numbers: as labels they would never end. */
const UNNAMED = /^-?\d+$/;
/** Names of programs are whatever was submitted: what comes after so many is counted under `other`. */
const MOST_PROGRAMS = 200;
const OTHER = 'other';

export function createDecisions(): Decisions {
  const sums = new Map<string, Decided>();
  const programs = new Set<string>();
  return {
    add(name, type, verdicts) {
      if (programs.size < MOST_PROGRAMS) programs.add(name);
      const program = programs.has(name) ? name : OTHER;
      for (const [code, { packets, bytes }] of Object.entries(verdicts)) {
        const verdict = UNNAMED.test(code) ? OTHER : code;
        const key = JSON.stringify([program, type, verdict]);
        const sum = sums.get(key) ?? { program, type, verdict, packets: 0, bytes: 0 };
        sums.set(key, { ...sum, packets: sum.packets + packets, bytes: sum.bytes + bytes });
      }
    },
    [Symbol.iterator]: () => sums.values(),
  };
}
