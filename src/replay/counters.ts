import { MOST_NAMES, OTHER } from '../base/names.ts';
import type { Frame } from '../capture/frame.ts';
import { protocolName, protocolOf } from '../capture/protocols.ts';
import type { CaptureReader } from '../capture/reader.ts';
import { SIZE_RANGES, sizeRange } from '../capture/summary.ts';
import type { Count } from './tally.ts';

/** Cells, each a number of packets and one of bytes, both 64-bit floating point; generated code adds to them too. */
export const CELL_BYTES = 16;
export const CELL = {
  /** Its packets are instructions. */
  instructions: 0,
  /** As many as there are ranges. */
  sizes: 1,
  /** From here on they are given to whoever asks. */
  free: 16,
} as const;
export const MOST_CELLS = 4096;

interface Entry extends Count {
  /** Where it is counted; 0 for here. */
  cell: number;
}

/** The cells, and who has which. */
class Cells {
  /** Packets and bytes, alternating. */
  readonly numbers: Float64Array;
  #free: number = CELL.free;

  constructor(numbers: Float64Array) {
    this.numbers = numbers;
  }

  /** A cell that nobody has; 0 when there is none left. */
  give(): number {
    return this.#free < MOST_CELLS ? this.#free++ : 0;
  }

  add(cell: number, bytes: number): void {
    this.numbers[2 * cell]!++;
    this.numbers[2 * cell + 1]! += bytes;
  }

  at(cell: number): Count {
    return { packets: this.numbers[2 * cell]!, bytes: this.numbers[2 * cell + 1]! };
  }
}

/** Packets and bytes by key, in the order in which keys were met. */
export class CountTable<Key> {
  readonly #cells: Cells;
  readonly #entries = new Map<Key, Entry>();

  readonly #rest: Key | undefined;

  /** Behind the first `MOST_NAMES` keys, all others are `rest`, if that is given. */
  constructor(cells: Cells, rest?: Key) {
    this.#cells = cells;
    this.#rest = rest;
  }

  add(key: Key, bytes: number): void {
    let entry = this.#entries.get(key);
    if (entry === undefined && this.#rest !== undefined && this.#entries.size >= MOST_NAMES) {
      key = this.#rest;
      entry = this.#entries.get(key);
    }
    if (entry === undefined) this.#entries.set(key, (entry = { packets: 0, bytes: 0, cell: this.#cells.give() }));
    if (entry.cell !== 0) this.#cells.add(entry.cell, bytes);
    else {
      entry.packets++;
      entry.bytes += bytes;
    }
  }

  /** The cell in which a key that was met is counted; 0 where it has none. */
  cell(key: Key): number {
    return this.#entries.get(key)?.cell ?? 0;
  }

  /** Keys of the same name are one. */
  named(nameOf: (key: Key) => string): Record<string, Count> {
    const sums: Record<string, Count> = {};
    for (const [key, { packets, bytes, cell }] of this.#entries) {
      const count = cell === 0 ? { packets, bytes } : this.#cells.at(cell);
      const sum = (sums[nameOf(key)] ??= { packets: 0, bytes: 0 });
      sum.packets += count.packets;
      sum.bytes += count.bytes;
    }
    return sums;
  }
}

/** What a replay counts of the packets that ran. */
export class Counters {
  readonly verdicts: CountTable<string>;
  /** By `protocolOf`. */
  readonly protocols: CountTable<number>;
  readonly interfaces: CountTable<number>;
  /** By target. */
  readonly redirects: CountTable<string>;
  readonly #cells: Cells;

  constructor(numbers: Float64Array = new Float64Array(2 * MOST_CELLS)) {
    this.#cells = new Cells(numbers);
    this.verdicts = new CountTable(this.#cells, OTHER);
    this.protocols = new CountTable(this.#cells);
    this.interfaces = new CountTable(this.#cells);
    this.redirects = new CountTable(this.#cells, OTHER);
  }

  /** Counts a packet that ran, `frame` as it came. */
  packet(frame: Frame, verdict: string, instructions: number, protocol = protocolOf(frame)): void {
    const bytes = frame.end - frame.start;
    this.verdicts.add(verdict, bytes);
    this.protocols.add(protocol, bytes);
    this.interfaces.add(frame.interfaceId, bytes);
    this.#cells.add(CELL.sizes + sizeRange(frame.originalLength), bytes);
    this.#cells.numbers[2 * CELL.instructions]! += instructions;
  }

  /** Of all packets that ran. */
  get total(): Count {
    const total = { packets: 0, bytes: 0 };
    for (let range = 0; range < SIZE_RANGES.length; range++) {
      const { packets, bytes } = this.#cells.at(CELL.sizes + range);
      total.packets += packets;
      total.bytes += bytes;
    }
    return total;
  }

  /** As a tally has it. */
  of(interfaces: CaptureReader['interfaces']) {
    return {
      ...this.total,
      verdicts: this.verdicts.named((name) => name),
      protocols: mostFirst(this.protocols.named(protocolName)),
      redirects: this.redirects.named((name) => name),
      interfaces: this.interfaces.named((id) => interfaces[id]?.name ?? String(id)),
      sizes: SIZE_RANGES.map((from, range) => ({ from, packets: this.#cells.at(CELL.sizes + range).packets })),
      instructions: this.#cells.numbers[2 * CELL.instructions]!,
    };
  }
}

/** The same table, most packets first. */
export function mostFirst(counts: Record<string, Count>): Record<string, Count> {
  return Object.fromEntries(Object.entries(counts).sort(([a, m], [b, n]) => n.packets - m.packets || (a < b ? -1 : 1)));
}
