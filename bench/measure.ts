/** Contenders take turns in each round, so that whatever else the machine does meets all of them alike. */

/** Of one contender: a figure a round. */
export type Samples = readonly number[];

export interface Figure {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Gives its figure: nanoseconds a packet, an operation, a run. */
export type Contender = () => number | Promise<number>;

/** One more round than told, where there are several: the first warms up and is not kept. Rounds start with each contender in turn. */
export async function inTurns<Name extends string>(
  contenders: Readonly<Record<Name, Contender>>,
  rounds: number,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  if (rounds > 1) for (const name of names) await contenders[name]();
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]!;
      samples[name].push(await contenders[name]());
    }
  }
  return samples;
}

export function figureOf(samples: Samples): Figure {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

/** Of the ratios of each round. */
export function ratioOf(one: Samples, other: Samples): Figure {
  return figureOf(one.map((sample, round) => sample / other[round]!));
}

/** Nanoseconds of one of many runs, by the slope between a quarter of them and all: what comes before cancels. */
export async function slope(time: (runs: number) => number | Promise<number>, runs: number): Promise<number> {
  const few = Math.max(1, runs >> 2);
  const [short, long] = [await time(few), await time(runs)];
  return Math.max(0, long - short) / (runs - few);
}

/** As many runs as take about so many nanoseconds. */
export async function runsFor(nanoseconds: number, time: (runs: number) => number | Promise<number>): Promise<number> {
  for (let runs = 64; ; runs *= 4) {
    const took = Math.min(await time(runs), await time(runs));
    if (took > nanoseconds / 8) return Math.max(8, Math.round((runs * nanoseconds) / took));
  }
}

/** Nanoseconds of the processor that this thread takes: what else runs on the machine does not count. */
export function elapsed(work: () => void): number {
  const before = processorTime();
  work();
  return processorTime() - before;
}

const NOBODY = new Int32Array(new SharedArrayBuffer(4));

export function processorTime(): number {
  // Linux brings a running thread's account up to date every few milliseconds, and whenever it sleeps.
  Atomics.wait(NOBODY, 0, 0, 0.01);
  const { user, system } = process.threadCpuUsage();
  return 1000 * (user + system);
}
