import { type Count, type ErrorCount, emptyTally, increment, type Tally } from '../tally.ts';

/** What a worker did, with the numbers of the first and last share in which it met packets; −1 for none. */
export interface PartTally {
  readonly tally: Tally;
  readonly firstShare: number;
  readonly lastShare: number;
}

/** The tally of a capture whose packets were counted in parts. */
export function mergedTally(parts: readonly PartTally[]): Tally {
  const [{ tally: any }] = parts as readonly [PartTally];
  const merged = emptyTally(any.program, any.type);
  for (const { tally } of parts) {
    merged.packets += tally.packets;
    merged.bytes += tally.bytes;
    merged.instructions += tally.instructions;
    merged.traces += tally.traces;
    for (const table of COUNTS) addCounts(merged[table], tally[table]);
    for (const table of NUMBERS) {
      for (const [name, packets] of Object.entries(tally[table])) increment(merged[table], name, packets);
    }
    for (const [code, error] of Object.entries(tally.errors)) merged.errors[code] = joined(merged.errors[code], error);
  }
  const busy = parts.filter(({ lastShare }) => lastShare >= 0);
  const first = busy.toSorted((a, b) => a.firstShare - b.firstShare)[0];
  const last = busy.toSorted((a, b) => b.lastShare - a.lastShare)[0];
  return {
    ...merged,
    verdicts: byPackets(merged.verdicts),
    protocols: byPackets(merged.protocols),
    interfaces: byPackets(merged.interfaces),
    redirects: byPackets(merged.redirects),
    sizes: any.sizes.map(({ from }, range) => ({ from, packets: sum(parts, ({ sizes }) => sizes[range]!.packets) })),
    firstTime: first?.tally.firstTime ?? null,
    lastTime: last?.tally.lastTime ?? null,
  };
}

const COUNTS = ['verdicts', 'protocols', 'interfaces', 'redirects'] as const;
const NUMBERS = ['skipped', 'headerAdded', 'events'] as const;

function addCounts(sums: Record<string, Count>, counts: Readonly<Record<string, Count>>): void {
  for (const [name, { packets, bytes }] of Object.entries(counts)) {
    const sum = (sums[name] ??= { packets: 0, bytes: 0 });
    sum.packets += packets;
    sum.bytes += bytes;
  }
}

/** The message is that of the first packet. */
function joined(one: ErrorCount | undefined, other: ErrorCount): ErrorCount {
  if (one === undefined) return { ...other };
  const first = one.firstPacket < other.firstPacket ? one : other;
  return { ...first, packets: one.packets + other.packets };
}

function byPackets(counts: Readonly<Record<string, Count>>): Record<string, Count> {
  return Object.fromEntries(
    Object.entries(counts).toSorted(([a, m], [b, n]) => n.packets - m.packets || (a < b ? -1 : 1)),
  );
}

function sum(parts: readonly PartTally[], count: (tally: Tally) => number): number {
  return parts.reduce((total, { tally }) => total + count(tally), 0);
}
