import type { CaptureRecord } from './contract/captures.ts';
import type { ProgramRecord } from './contract/programs.ts';
import { isFinished, type ReplayRecord } from './contract/replays.ts';

/** What the daemon knows. Small records only: what is big is a file of the data directory. */
export interface Store {
  readonly programs: Collection<ProgramRecord>;
  readonly captures: Collection<CaptureRecord>;
  readonly replays: Collection<ReplayRecord>;
  /** Whether a replay that has not finished names this program or capture. */
  isInUse(id: string): Promise<boolean>;
}

export interface Collection<R extends { readonly id: string }> {
  get(id: string): Promise<R | undefined>;
  /** Adds the record, or replaces the one of the same id in its place. */
  put(record: R): Promise<void>;
  delete(id: string): Promise<void>;
  /** In the order in which they were added. `cursor` is `next` of the page before, and opaque. */
  list(limit: number, cursor?: string): Promise<Page<R>>;
  count(): Promise<number>;
}

export interface Page<R> {
  readonly items: R[];
  readonly next: string | null;
}

/** A store that lasts as long as the process. */
export function memoryStore(): Store {
  const replays = memoryCollection<ReplayRecord>();
  return {
    programs: memoryCollection(),
    captures: memoryCollection(),
    replays,
    isInUse: async (id) => {
      for (const { state, request } of replays.records()) {
        if (!isFinished(state) && (request.program === id || request.capture === id)) return true;
      }
      return false;
    },
  };
}

function memoryCollection<R extends { readonly id: string }>() {
  const entries = new Map<string, { readonly order: number; record: R }>();
  let added = 0;
  return {
    records: () => entries.values().map(({ record }) => record),
    async get(id: string) {
      return entries.get(id)?.record;
    },
    async put(record: R) {
      const known = entries.get(record.id);
      if (known === undefined) entries.set(record.id, { order: added++, record });
      else known.record = record;
    },
    async delete(id: string) {
      entries.delete(id);
    },
    async list(limit: number, cursor?: string): Promise<Page<R>> {
      const from = cursor === undefined ? 0 : Number.parseInt(cursor, 36);
      const items: R[] = [];
      for (const { order, record } of entries.values()) {
        if (order < from) continue;
        if (items.length === limit) return { items, next: order.toString(36) };
        items.push(record);
      }
      return { items, next: null };
    },
    async count() {
      return entries.size;
    },
  };
}
