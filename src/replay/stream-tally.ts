import { OTHER } from '../base/names.ts';
import type { StageTally } from '../engine/pipeline.ts';
import { mostFirst } from './counters.ts';
import type { StreamTally } from './stream-protocol.ts';
import type { Count, ErrorCount } from './tally.ts';

/** Names in each table: fewer than in a replay's, as they are told several times a second, for months. */
export const MOST_NAMES = 1000;

type Sum<T> = (first: T, second: T) => T;

const plus: Sum<number> = (first, second) => first + second;
const earlier = <T>(first: T, second: T): T => first ?? second;
const later = <T>(first: T, second: T): T => second ?? first;
const counts = table(plus);
export const addCounts = table<Count>((first, second) => ({
  packets: first.packets + second.packets,
  bytes: first.bytes + second.bytes,
}));
const errors = table<ErrorCount>((first, second) => ({ ...first, packets: first.packets + second.packets }));

/** Of the same programs, in the same order. */
export function addStages(first: readonly StageTally[], second: readonly StageTally[]): StageTally[] {
  return second.map((stage, index) => {
    const { packets, verdicts } = first[index] ?? { packets: 0, verdicts: {} };
    return { ...stage, packets: packets + stage.packets, verdicts: counts(verdicts, stage.verdicts) };
  });
}

/** How each member of two tallies becomes one. */
const SUMS: { readonly [M in keyof StreamTally]-?: Sum<StreamTally[M]> } = {
  program: earlier,
  type: earlier,
  packets: plus,
  bytes: plus,
  verdicts: addCounts,
  protocols: (first, second) => mostFirst(addCounts(first, second)),
  interfaces: addCounts,
  sizes: (first, second) =>
    first.map(({ from, packets }, range) => ({ from, packets: packets + second[range]!.packets })),
  skipped: counts,
  headerAdded: counts,
  errors,
  redirects: addCounts,
  events: counts,
  traces: plus,
  firstTime: earlier,
  lastTime: later,
  instructions: plus,
  stages: (first, second) => addStages(first ?? [], second ?? []),
};

/** The tally of both; `frames` is how many packets were read for the first: those of the second come behind them. */
export function sumTallies(first: StreamTally, frames: number, second: StreamTally): StreamTally {
  const moved = Object.entries(second.errors).map(([code, error]) => [
    code,
    { ...error, firstPacket: error.firstPacket + frames },
  ]);
  const behind: StreamTally = { ...second, errors: Object.fromEntries(moved) };
  const members = Object.entries(SUMS) as [keyof StreamTally, Sum<unknown>][];
  return Object.fromEntries(
    members.flatMap(([member, sum]) => (member in behind ? [[member, sum(first[member], behind[member])]] : [])),
  ) as unknown as StreamTally;
}

function table<T>(sum: Sum<T>): Sum<Record<string, T>> {
  return (first, second) => {
    const all = { ...first };
    let names = Object.keys(all).length;
    for (const [name, value] of Object.entries(second)) {
      const place = Object.hasOwn(all, name) || names < MOST_NAMES ? name : OTHER;
      const before = Object.hasOwn(all, place) ? all[place] : undefined;
      all[place] = before === undefined ? value : sum(before, value);
      if (before === undefined) names++;
    }
    return all;
  };
}
