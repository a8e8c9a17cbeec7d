import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { MapDump, Progress } from '../index.ts';
import type { NewReplay, ReplayRecord } from './contract/replays.ts';
import { assemblyTypeOf } from './entries.ts';
import { problemCode } from './errors.ts';
import type { DataFiles } from './files.ts';
import { PROBLEMS } from './problems.ts';
import { CLOSING, memoryQueue, type Queue } from './queue.ts';
import type { StartReplay } from './services.ts';
import type { Store } from './store.ts';
import type { Totals } from './totals.ts';

/** Replays from queued to finished. */
export interface Jobs {
  readonly queue: Queue;
  create(request: NewReplay, captureSize: number): Promise<ReplayRecord>;
  /** The record as it stands, with the progress of this moment. */
  get(id: string): Promise<ReplayRecord | undefined>;
  withProgress(record: ReplayRecord): ReplayRecord;
  /** Resolves when it has ended; the record then says `cancelled`, unless it finished first. */
  cancel(id: string): Promise<void>;
  /** Queues what a daemon before this one had accepted and not finished. */
  resume(): Promise<void>;
  /** Replays that run have so many milliseconds to end; those that do not are run again by the next daemon. */
  close(patience: number): Promise<void>;
}

export interface JobsOptions {
  readonly store: Store;
  readonly files: DataFiles;
  readonly totals: Totals;
  readonly log: FastifyBaseLogger;
  readonly startReplay: StartReplay;
  readonly atOnce: number;
  /** Milliseconds that a replay may run. */
  readonly longest: number;
}

export function createJobs({ store, files, totals, log, startReplay, atOnce, longest }: JobsOptions): Jobs {
  /** Of replays that run. Progress is not stored: it comes several times a second. */
  const progress = new Map<string, Progress>();

  const run = async (id: string, signal: AbortSignal): Promise<void> => {
    let record: ReplayRecord | undefined;
    try {
      record = await store.replays.get(id);
      if (record === undefined || record.state !== 'queued') return;
      record = { ...record, state: 'running', startedAt: now() };
      await store.replays.put(record);
      record = { ...record, ...(await replay(record, signal)) };
    } catch (error) {
      log.error({ err: error, replay: id }, 'replay failed');
      if (record === undefined) return;
      record = { ...record, state: 'failed', error: ownFailure(error) };
    }
    progress.delete(id);
    // As after a kill: its record says that it runs, and the next daemon runs it again.
    if (signal.reason === CLOSING && record.state !== 'succeeded') return;
    record = { ...record, finishedAt: now() };
    if (!(await commit(record, signal))) return;
    totals.addReplay(record);
    log.info({ replay: id, state: record.state, error: record.error ?? undefined }, 'replay ended');
  };

  /**
   * The one moment at which a result is there. A disk that is full just then costs no result: it is tried again until
   * there is room. False when the daemon closes before.
   */
  const commit = async (record: ReplayRecord, signal: AbortSignal): Promise<boolean> => {
    for (;;) {
      try {
        for (const kind of ['packets', 'maps'] as const) {
          if (record.request[kind] === true) await files.settle(kind, record.id);
        }
        await store.replays.put(record);
        return true;
      } catch (error) {
        log.error({ err: error, replay: record.id }, 'the result of a replay cannot be kept; trying again');
        if (signal.reason === CLOSING) return false;
        await setTimeout(COMMIT_AGAIN);
      }
    }
  };

  /** What changes in the record when the replay ends. */
  const replay = async (record: ReplayRecord, signal: AbortSignal): Promise<Partial<ReplayRecord>> => {
    const { id, request } = record;
    const { program, capture, entry, maps = false, packets = false, ...options } = request;
    if (signal.aborted) return { state: 'cancelled' };
    const submitted = await store.programs.get(program);
    const type = submitted === undefined ? undefined : assemblyTypeOf(submitted);
    const running = startReplay(
      {
        object: files.path('program', program),
        ...(type === undefined ? {} : { assembly: { type } }),
        capture: files.path('capture', capture),
        options: entry === undefined ? options : { ...options, program: entry },
        maps,
        ...(packets ? { packetsFile: files.path('packets', id) } : {}),
      },
      (at) => {
        progress.set(id, at);
        totals.addProgress(id, at);
      },
    );
    const cancel = () => void running.cancel();
    const tooLong = AbortSignal.timeout(longest);
    const stop = AbortSignal.any([signal, tooLong]);
    stop.addEventListener('abort', cancel);
    const result = await running.finished;
    stop.removeEventListener('abort', cancel);
    const last = progress.get(id) ?? record.progress;
    if (!('tally' in result)) {
      const { packets, bytesRead, bytesTotal } = last;
      const reached = { progress: { packets, bytesRead, bytesTotal } };
      if (signal.aborted) return { state: 'cancelled', ...reached };
      if (tooLong.aborted) return { state: 'failed', error: tookTooLong(longest), ...reached };
      return { state: 'failed', error: { ...result, message: files.hidePlace(result.message) }, ...reached };
    }
    if (maps) await writeMaps(files.path('maps', id), result.maps);
    const { bytesTotal } = record.progress;
    const frames = result.tally.packets + sum(result.tally.skipped);
    return {
      state: 'succeeded',
      tally: result.tally,
      progress: { packets: frames, bytesRead: bytesTotal, bytesTotal },
    };
  };

  const queue = memoryQueue(run, atOnce);
  const withProgress = (record: ReplayRecord): ReplayRecord => {
    const at = progress.get(record.id);
    if (at === undefined) return record;
    return { ...record, progress: { packets: at.packets, bytesRead: at.bytesRead, bytesTotal: at.bytesTotal } };
  };
  return {
    queue,
    withProgress,
    async create(request, captureSize) {
      const record: ReplayRecord = {
        id: randomUUID(),
        state: 'queued',
        request,
        createdAt: now(),
        startedAt: null,
        finishedAt: null,
        progress: { packets: 0, bytesRead: 0, bytesTotal: captureSize },
        tally: null,
        error: null,
      };
      await store.replays.put(record);
      queue.add(record.id);
      return record;
    },
    async get(id) {
      const record = await store.replays.get(id);
      return record === undefined ? undefined : withProgress(record);
    },
    async cancel(id) {
      await queue.cancel(id);
      const record = await store.replays.get(id);
      // It waited, or was taken up at this moment and finds itself cancelled.
      if (record?.state !== 'queued') return;
      const cancelled: ReplayRecord = { ...record, state: 'cancelled', finishedAt: now() };
      totals.addReplay(cancelled);
      await store.replays.put(cancelled);
    },
    async resume() {
      for (const id of await store.unfinished()) {
        const record = (await store.replays.get(id))!;
        if (record.state !== 'queued') await store.replays.put({ ...record, state: 'queued', startedAt: null });
        queue.add(id);
      }
    },
    close: (patience) => queue.close(patience),
  };
}

/** How long to wait before a result that could not be kept is tried again, in milliseconds. */
const COMMIT_AGAIN = 1_000;

function tookTooLong(longest: number): ReplayRecord['error'] {
  const message = `the replay ran for more than the ${longest / 1000} seconds allowed; the daemon's option --max-seconds raises it`;
  return { name: 'LimitExceeded', code: 'too-long', message };
}

/** A failure that is not the replay's. */
function ownFailure(error: unknown): ReplayRecord['error'] {
  const code = problemCode(error);
  if (code === 'internal') return { name: 'InternalError', code, message: 'the daemon failed; its log tells more' };
  return { name: 'SystemError', code, message: PROBLEMS[code].title };
}

/** One map entry a line, in pieces: the whole need not fit into a string. */
async function writeMaps(path: string, maps: readonly MapDump[]): Promise<void> {
  const file = await open(path, 'w');
  let lines: string[] = [];
  const flush = async () => {
    await file.writeFile(lines.join('\n'));
    lines = [''];
  };
  try {
    lines.push('{"maps": [');
    for (const [i, { map, type, entries }] of maps.entries()) {
      lines.push(`${i === 0 ? '' : ','}{"map": ${JSON.stringify(map)}, "type": ${JSON.stringify(type)}, "entries": [`);
      for (const [j, entry] of entries.entries()) {
        lines.push((j === 0 ? '' : ',') + JSON.stringify(entry));
        if (lines.length >= LINES_AT_ONCE) await flush();
      }
      lines.push(']}');
    }
    lines.push(']}', '');
    await flush();
  } finally {
    await file.close();
  }
}

const LINES_AT_ONCE = 4096;

function now(): string {
  return new Date().toISOString();
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
