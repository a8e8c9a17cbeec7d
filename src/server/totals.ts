import type { Count, Tally } from '../index.ts';
import type { ReplayState } from './contract/replays.ts';

/** Sums over all replays since the daemon started, deleted ones too: what Prometheus counters show. */
export interface Totals {
  /** By program type, then verdict. */
  readonly verdicts: Map<string, Map<string, Count>>;
  readonly replays: Map<ReplayState, number>;
  instructions: number;
  addTally(tally: Tally): void;
  addReplay(state: ReplayState): void;
}

/** A code without a name is any of 2^32 numbers: as labels they would never end. */
const UNNAMED = /^-?\d+$/;

export function createTotals(): Totals {
  const verdicts: Totals['verdicts'] = new Map();
  const replays: Totals['replays'] = new Map();
  return {
    verdicts,
    replays,
    instructions: 0,
    addTally(tally) {
      const ofType = verdicts.get(tally.type) ?? new Map<string, Count>();
      verdicts.set(tally.type, ofType);
      for (const [name, { packets, bytes }] of Object.entries(tally.verdicts)) {
        const label = UNNAMED.test(name) ? 'other' : name;
        const sum = ofType.get(label) ?? { packets: 0, bytes: 0 };
        sum.packets += packets;
        sum.bytes += bytes;
        ofType.set(label, sum);
      }
      this.instructions += tally.instructions;
    },
    addReplay(state) {
      replays.set(state, (replays.get(state) ?? 0) + 1);
    },
  };
}
