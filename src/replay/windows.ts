import type { Window } from './stream-protocol.ts';
import { addCounts, addStages } from './stream-tally.ts';
import type { Count } from './tally.ts';

/** Windows of a stream's tally, by index. */
export class Windows {
  readonly #windows = new Map<number, Window>();

  get size(): number {
    return this.#windows.size;
  }

  /** Adds to a window; windows to which nothing was added are not there. */
  add({ index, packets, bytes, verdicts, stages }: Window): void {
    const window = this.#windows.get(index);
    this.#windows.set(index, {
      index,
      packets: (window?.packets ?? 0) + packets,
      bytes: (window?.bytes ?? 0) + bytes,
      verdicts: addCounts(window?.verdicts ?? {}, verdicts),
      ...(stages === undefined ? {} : { stages: addStages(window?.stages ?? [], stages) }),
    });
  }

  /** Takes out the oldest until there are no more than `most`. */
  keep(most: number): void {
    if (this.#windows.size <= most) return;
    const indices = [...this.#windows.keys()].sort((a, b) => a - b);
    for (const index of indices.slice(0, indices.length - most)) this.#windows.delete(index);
  }

  /** Oldest first. */
  list(): Window[] {
    return [...this.#windows.values()].sort((a, b) => a.index - b.index);
  }

  /** Takes out all of them. */
  take(): Window[] {
    const all = this.list();
    this.#windows.clear();
    return all;
  }
}

/** What was counted between two looks at a growing table. */
export function growth(
  before: Readonly<Record<string, Count>>,
  now: Readonly<Record<string, Count>>,
): Record<string, Count> {
  const grown: Record<string, Count> = {};
  for (const [name, { packets, bytes }] of Object.entries(now)) {
    const { packets: oldPackets, bytes: oldBytes } = before[name] ?? { packets: 0, bytes: 0 };
    if (packets > oldPackets) grown[name] = { packets: packets - oldPackets, bytes: bytes - oldBytes };
  }
  return grown;
}
