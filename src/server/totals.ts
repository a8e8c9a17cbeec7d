import type { Count, Progress, Tally } from '../index.ts';
import type { ReplayRecord, ReplayState } from './contract/replays.ts';
import { createDecisions, type Decisions, fewNames } from './decisions.ts';
import { createHistogram, type Histogram } from './histogram.ts';

/** Sums over all replays since the daemon started, deleted ones too: what Prometheus counters show. */
export interface Totals {
  /** When counting began. */
  readonly since: Date;
  /** Of replays that ended. */
  readonly decided: Decisions;
  /** Of replays that ended, by the interface's name in the capture. */
  readonly interfaces: ReadonlyMap<string, Count>;
  readonly replays: ReadonlyMap<ReplayState, number>;
  readonly instructions: number;
  /** Packets of replays that run and of those that ended, however they did. */
  readonly packets: number;
  /** Packets a second, of late. */
  rate(): number;
  /** From accepted to taken up, in seconds. */
  readonly waits: Histogram;
  /** From taken up to ended, by how it ended. */
  readonly runs: ReadonlyMap<ReplayState, Histogram>;
  /** What retention removed, by kind. */
  readonly removed: Map<string, { files: number; bytes: number }>;
  /** To load an object and verify all that is in it. */
  readonly verifications: Histogram;
  /** Bytes of linear memory of the replays that run. */
  readonly memory: number;
  /** A replay that runs has come so far. */
  addProgress(id: string, at: Pick<Progress, 'packets' | 'memory'>): void;
  /** A replay has ended. */
  addReplay(record: ReplayRecord): void;
}

const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200];
const VERIFICATION_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60];

export function createTotals(): Totals {
  const decided = createDecisions();
  const interfaces = new Map<string, Count>();
  const interfaceName = fewNames();
  const replays = new Map<ReplayState, number>();
  const runs = new Map<ReplayState, Histogram>();
  const waits = createHistogram(SECONDS);
  const pace = createPace();
  const running = new Map<string, { readonly packets: number; readonly memory: number }>();
  let instructions = 0;
  let packets = 0;

  const addProgress: Totals['addProgress'] = (id, at) => {
    if (running.size === 0) pace.begin(packets);
    const before = running.get(id) ?? { packets: 0, memory: 0 };
    packets += Math.max(0, at.packets - before.packets);
    running.set(id, { packets: at.packets, memory: at.memory ?? before.memory });
    pace.add(packets);
  };
  const addTally = (tally: Tally) => {
    decided.add(tally.program, tally.type, tally.verdicts);
    for (const [name, { packets, bytes }] of Object.entries(tally.interfaces)) {
      const label = interfaceName(name);
      const sum = interfaces.get(label) ?? { packets: 0, bytes: 0 };
      interfaces.set(label, { packets: sum.packets + packets, bytes: sum.bytes + bytes });
    }
    instructions += tally.instructions;
  };
  return {
    since: new Date(),
    decided,
    interfaces,
    replays,
    get instructions() {
      return instructions;
    },
    get packets() {
      return packets;
    },
    get memory() {
      return [...running.values()].reduce((sum, { memory }) => sum + memory, 0);
    },
    rate: () => (running.size === 0 ? 0 : pace.read()),
    waits,
    runs,
    removed: new Map(),
    verifications: createHistogram(VERIFICATION_SECONDS),
    addProgress,
    addReplay({ id, state, tally, progress, createdAt, startedAt, finishedAt }) {
      replays.set(state, (replays.get(state) ?? 0) + 1);
      if (startedAt !== null) {
        addProgress(id, progress);
        waits.observe(secondsBetween(createdAt, startedAt));
        const run = runs.get(state) ?? createHistogram(SECONDS);
        runs.set(state, run);
        run.observe(secondsBetween(startedAt, finishedAt ?? startedAt));
      }
      running.delete(id);
      if (tally !== null) addTally(tally);
    },
  };
}

function secondsBetween(from: string, to: string): number {
  return Math.max(0, Date.parse(to) - Date.parse(from)) / 1000;
}

/** Over how long the pace is taken, in milliseconds. */
const PACE_WINDOW = 5_000;

/** How fast a sum grows, a second, over the last few. */
function createPace() {
  let samples: { readonly at: number; readonly sum: number }[] = [];
  return {
    /** After a rest, which is not to count. */
    begin(sum: number): void {
      samples = [{ at: performance.now(), sum }];
    },
    add(sum: number): void {
      const at = performance.now();
      samples.push({ at, sum });
      // The first one that is older stays: the window is to begin there.
      while (samples.length > 2 && samples[1]!.at < at - PACE_WINDOW) samples.shift();
    },
    read(): number {
      const [first, last] = [samples[0], samples.at(-1)];
      if (first === undefined || last === undefined || first === last) return 0;
      return ((last.sum - first.sum) / Math.max(1, performance.now() - first.at)) * 1000;
    },
  };
}
