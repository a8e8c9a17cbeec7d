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
/** Names are whatever was submitted: those that come after so many, or are longer, are counted under `other`. */
const MOST_NAMES = 200;
const LONGEST_NAME = 64;
const OTHER = 'other';

/** Gives names that are to be labels back, while they are few. */
export function fewNames(): (name: string) => string {
  const names = new Set<string>();
  return (name) => {
    if (names.size < MOST_NAMES && name.length <= LONGEST_NAME) names.add(name);
    return names.has(name) ? name : OTHER;
  };
}

export function createDecisions(): Decisions {
  const sums = new Map<string, Decided>();
  const programName = fewNames();
  return {
    add(name, type, verdicts) {
      const program = programName(name);
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
