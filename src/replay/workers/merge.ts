import { invariant } from '../../base/errors.ts';
import { type Count, type ErrorCount, emptyTally, increment, type Tally } from '../tally.ts';

/** Packets that a worker met in a share of the capture. */
export interface SharePackets {
  /** The share's number. */
  readonly share: number;
  readonly packets: number;
}

/** What a worker did, with the shares in which it met packets, in its order, which is theirs. */
export interface PartTally {
  readonly tally: Tally;
  readonly shares: readonly SharePackets[];
}

/** The tally of a capture whose records were dealt out. */
export function mergedParts(parts: readonly PartTally[]): Tally {
  const before = packetsBefore(parts);
  const tallies = parts.map(({ tally, shares }) => ({ ...tally, errors: placed(tally.errors, shares, before) }));
  const busy = parts.filter(({ shares }) => shares.length > 0);
  const first = busy.toSorted((a, b) => a.shares[0]!.share - b.shares[0]!.share)[0];
  const last = busy.toSorted((a, b) => b.shares.at(-1)!.share - a.shares.at(-1)!.share)[0];
  const times = { firstTime: first?.tally.firstTime ?? null, lastTime: last?.tally.lastTime ?? null };
  return { ...mergedTally(tallies), ...times };
}

/** The tally of a capture that all saw, and of which each counted its own packets. */
export function mergedTally(tallies: readonly Tally[]): Tally {
  const [any] = tallies as readonly [Tally];
  const merged = emptyTally(any.program, any.type);
  for (const tally of tallies) {
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
  return {
    ...merged,
    verdicts: byPackets(merged.verdicts),
    protocols: byPackets(merged.protocols),
    interfaces: byPackets(merged.interfaces),
    redirects: byPackets(merged.redirects),
    sizes: any.sizes.map(({ from }, range) => ({ from, packets: sum(tallies, ({ sizes }) => sizes[range]!.packets) })),
    firstTime: any.firstTime,
    lastTime: any.lastTime,
  };
}

/** By number of a share, the packets of all before it. */
function packetsBefore(parts: readonly PartTally[]): ReadonlyMap<number, number> {
  const shares = parts.flatMap(({ shares }) => shares).toSorted((a, b) => a.share - b.share);
  let sum = 0;
  return new Map(shares.map(({ share, packets }) => [share, (sum += packets) - packets]));
}

/** Indices of packets as they are in the capture. */
function placed(
  errors: Readonly<Record<string, ErrorCount>>,
  shares: readonly SharePackets[],
  before: ReadonlyMap<number, number>,
): Record<string, ErrorCount> {
  const moved = (error: ErrorCount) => ({ ...error, firstPacket: placeOf(error.firstPacket, shares, before) });
  return Object.fromEntries(Object.entries(errors).map(([code, error]) => [code, moved(error)]));
}

/** In the capture, of a worker's packet by its own count. */
function placeOf(own: number, shares: readonly SharePackets[], before: ReadonlyMap<number, number>): number {
  let rest = own;
  for (const { share, packets } of shares) {
    if (rest < packets) return before.get(share)! + rest;
    rest -= packets;
  }
  invariant(false, `a worker tells of its packet ${own}, and met fewer`);
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

function sum(tallies: readonly Tally[], count: (tally: Tally) => number): number {
  return tallies.reduce((total, tally) => total + count(tally), 0);
}
