import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { DoneEdit } from '../index.ts';
import type { CaptureRecord } from './contract/captures.ts';
import type { ProgramRecord } from './contract/programs.ts';
import { isFinished, type ReplayRecord } from './contract/replays.ts';
import type { StreamRecord } from './contract/streams.ts';
import type { TemplateRecord } from './contract/templates.ts';

/** What the daemon knows. Small records only: what is big is a file of the data directory. */
export interface Store {
  readonly programs: Collection<ProgramRecord>;
  readonly captures: Collection<CaptureRecord>;
  readonly replays: Collection<ReplayRecord>;
  readonly streams: Collection<StreamRecord>;
  readonly templates: Collection<TemplateRecord>;
  /** Edits of maps that were done in replays while they ran, and afterwards. They go with their replay. */
  readonly edits: Journal<DoneEdit>;
  /** Whether a replay that has not finished, or a stream that runs, names this program or capture. */
  isInUse(id: string): Promise<boolean>;
  /** Ids of the replays that have not finished, in the order in which they were added. */
  unfinished(): Promise<string[]>;
  /** Ids of the replays that ended before a time (RFC 3339, UTC), the earliest first, at most so many. */
  endedBefore(time: string, limit: number): Promise<string[]>;
  /** When the last replay of a program, wherever in its pipeline, or of a capture ended; null where there is none. */
  lastUse(id: string): Promise<string | null>;
  /** Ids of the streams that run, or are to run again, in the order in which they were added. */
  runningStreams(): Promise<string[]>;
}

export interface Collection<R extends { readonly id: string }> {
  get(id: string): Promise<R | undefined>;
  /** Adds the record, or replaces the one of the same id in its place. Resolves when it is on disk. */
  put(record: R): Promise<void>;
  delete(id: string): Promise<void>;
  /** In the order in which they were added, those that match. `cursor` is `next` of the page before, and opaque. */
  list(limit: number, cursor?: string, matches?: (record: R) => boolean): Promise<Page<R>>;
  count(): Promise<number>;
}

/** What is only ever added, by what it belongs to. */
export interface Journal<T> {
  /** Resolves when it is on disk. */
  add(owner: string, record: T): Promise<void>;
  list(owner: string, limit: number, cursor?: string): Promise<Page<T>>;
  all(owner: string): Promise<T[]>;
}

export interface Page<R> {
  readonly items: R[];
  readonly next: string | null;
}

export function createStore(database: DatabaseSync): Store {
  // By its digest: as its program, its capture, or a program further on in its pipeline.
  const inUse = database.prepare(
    `SELECT 1 FROM replays WHERE finished = 0 AND instr(record, ?1) > 0 UNION ALL
     SELECT 1 FROM streams WHERE running = 1 AND instr(record, ?1) > 0 LIMIT 1`,
  );
  const running = database.prepare('SELECT id FROM streams WHERE running = 1 ORDER BY seq');
  const unfinished = database.prepare('SELECT id FROM replays WHERE finished = 0 ORDER BY seq');
  const endedBefore = database.prepare('SELECT id FROM replays WHERE ended < ? ORDER BY ended LIMIT ?');
  const lastUse = database.prepare(
    `SELECT max(ended) AS ended FROM
       (SELECT max(ended) AS ended FROM replays WHERE program = ?1 UNION ALL
        SELECT max(ended) FROM replays WHERE capture = ?1 UNION ALL SELECT max(ended) FROM stages WHERE program = ?1)`,
  );
  return {
    programs: collection(database, 'programs'),
    captures: collection(database, 'captures'),
    replays: collection<ReplayRecord>(database, 'replays', {
      finished: ({ state }) => Number(isFinished(state)),
      program: ({ request }) => request.program,
      capture: ({ request }) => request.capture,
    }),
    streams: collection<StreamRecord>(database, 'streams', {
      running: ({ state }) => Number(state === 'running'),
      program: ({ request }) => request.program,
    }),
    templates: collection(database, 'templates'),
    edits: journal<DoneEdit>(database, 'edits', 'replay'),
    isInUse: async (id) => inUse.get(id) !== undefined,
    unfinished: async () => unfinished.all().map(({ id }) => id as string),
    endedBefore: async (time, limit) => endedBefore.all(time, limit).map(({ id }) => id as string),
    lastUse: async (id) => lastUse.get(id)!.ended as string | null,
    runningStreams: async () => running.all().map(({ id }) => id as string),
  };
}

/** A table by the columns `seq`, `id`, `record`, and what else is asked for. */
function collection<R extends { readonly id: string }>(
  database: DatabaseSync,
  table: string,
  others: Readonly<Record<string, (record: R) => SQLInputValue>> = {},
): Collection<R> {
  const columns = ['id', 'record', ...Object.keys(others)];
  const changes = columns.slice(1).map((column) => `${column} = excluded.${column}`);
  const get = database.prepare(`SELECT record FROM ${table} WHERE id = ?`);
  const put = database.prepare(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
     ON CONFLICT (id) DO UPDATE SET ${changes.join(', ')}`,
  );
  const remove = database.prepare(`DELETE FROM ${table} WHERE id = ?`);
  const list = database.prepare(`SELECT seq, record FROM ${table} WHERE seq >= ? ORDER BY seq`);
  const count = database.prepare(`SELECT count(*) AS count FROM ${table}`);
  const read = (row: Record<string, unknown>) => JSON.parse(row.record as string) as R;
  return {
    async get(id) {
      const row = get.get(id);
      return row === undefined ? undefined : read(row);
    },
    async put(record) {
      put.run(record.id, JSON.stringify(record), ...Object.values(others).map((value) => value(record)));
    },
    async delete(id) {
      remove.run(id);
    },
    async list(limit, cursor, matches = () => true) {
      const items: R[] = [];
      for (const row of list.iterate(cursor === undefined ? 0 : Number.parseInt(cursor, 36))) {
        const record = read(row);
        if (!matches(record)) continue;
        // One more than is wanted tells where the next page begins.
        if (items.length === limit) return { items, next: Number(row.seq).toString(36) };
        items.push(record);
      }
      return { items, next: null };
    },
    async count() {
      return Number(count.get()!.count);
    },
  };
}

/** A table by the columns `seq`, that of the owner, and `record`. */
function journal<T>(database: DatabaseSync, table: string, owner: string): Journal<T> {
  const add = database.prepare(`INSERT INTO ${table} (${owner}, record) VALUES (?, ?)`);
  const list = database.prepare(
    `SELECT seq, record FROM ${table} WHERE ${owner} = ? AND seq >= ? ORDER BY seq LIMIT ?`,
  );
  const rows = (of: string, from: number, limit: number) => list.all(of, from, limit);
  const read = (row: Record<string, unknown>) => JSON.parse(row.record as string) as T;
  return {
    async add(of, record) {
      add.run(of, JSON.stringify(record));
    },
    async list(of, limit, cursor) {
      const found = rows(of, cursor === undefined ? 0 : Number.parseInt(cursor, 36), limit + 1);
      const next = found[limit];
      return {
        items: found.slice(0, limit).map(read),
        next: next === undefined ? null : Number(next.seq).toString(36),
      };
    },
    all: async (of) => rows(of, 0, -1).map(read),
  };
}
