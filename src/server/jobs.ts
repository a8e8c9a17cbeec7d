import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { ReplayFailure, ReplayRequest, ReplayResult, RunningReplay, SeriesData, Tally } from '../index.ts';
import type { NewReplay, ReplayRecord, SeriesRecord } from './contract/replays.ts';
import { problemCode } from './errors.ts';
import type { Events } from './events.ts';
import type { DataFiles } from './files.ts';
import { subjectFiles } from './pipelines.ts';
import { PROBLEMS } from './problems.ts';
import { CLOSING, memoryQueue, type Queue } from './queue.ts';
import { Running } from './running.ts';
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
  /** Its thread, while it runs. */
  thread(id: string): RunningReplay | undefined;
  /** What the thread of a replay is told to do, with all edits that were made while it ran. */
  workOf(record: ReplayRecord): Promise<ReplayRequest>;
  /** Verdicts over time, while it runs. */
  series(id: string): SeriesRecord | undefined;
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
  readonly events: Events;
  readonly log: FastifyBaseLogger;
  readonly startReplay: StartReplay;
  readonly atOnce: number;
  /** Milliseconds that a replay may run. */
  readonly longest: number;
  /** Bytes that each recording of a replay may take. */
  readonly maxRecording: number;
}

type Outcome = Partial<ReplayRecord> & { readonly series?: SeriesRecord };

/** Files that a replay leaves when it is asked to, and its series. */
const RECORDINGS = ['packets', 'maps', 'output'] as const;

export function createJobs(options: JobsOptions): Jobs {
  const { store, files, totals, events, log, startReplay, atOnce, longest } = options;
  const running = new Map<string, Running>();

  const run = async (id: string, signal: AbortSignal): Promise<void> => {
    let record: ReplayRecord | undefined;
    let series: SeriesRecord | undefined;
    try {
      record = await store.replays.get(id);
      if (record === undefined || record.state !== 'queued') return;
      record = { ...record, state: 'running', startedAt: now() };
      await store.replays.put(record);
      tellState(record);
      const { series: overTime, ...changes } = await replay(record, signal);
      series = overTime;
      record = { ...record, ...changes };
    } catch (error) {
      log.error({ err: error, replay: id }, 'replay failed');
      if (record === undefined) return;
      record = { ...record, state: 'failed', error: ownFailure(error) };
    }
    running.delete(id);
    // As after a kill: its record says that it runs, and the next daemon runs it again.
    if (signal.reason === CLOSING && record.state !== 'succeeded') return;
    record = { ...record, finishedAt: now() };
    if (!(await commit(record, series, signal))) return;
    totals.addReplay(record);
    tellEnd(record);
    log.info({ replay: id, state: record.state, error: record.error ?? undefined }, 'replay ended');
  };

  const tellState = ({ id, state, startedAt, finishedAt, stopped, error }: ReplayRecord) =>
    events.publish(id, 'state', { state, startedAt, finishedAt, stopped, error });

  const tellEnd = (record: ReplayRecord) => {
    tellState(record);
    const { request: _, ...result } = record;
    events.publish(record.id, 'end', result);
    events.end(record.id);
  };

  /**
   * The one moment at which a result is there. A disk that is full just then costs no result: it is tried again until
   * there is room. False when the daemon closes before.
   */
  const commit = async (
    record: ReplayRecord,
    series: SeriesRecord | undefined,
    signal: AbortSignal,
  ): Promise<boolean> => {
    for (;;) {
      try {
        for (const kind of RECORDINGS) if (record.request[kind] === true) await files.settle(kind, record.id);
        if (series !== undefined) {
          await writeFile(files.path('series', record.id), JSON.stringify(series));
          await files.settle('series', record.id);
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

  /** What changes in the record when the replay ends, and what it was over time. */
  const replay = async (record: ReplayRecord, signal: AbortSignal): Promise<Outcome> => {
    const { id } = record;
    if (signal.aborted) return { state: 'cancelled' };
    const request = await workOf(record);
    const work = new Running(
      record,
      (onProgress) => startReplay(request, onProgress),
      (at) => {
        totals.addProgress(id, at);
        events.publish(id, 'progress', work.progress);
        if (at.tally === undefined) return;
        const { packets, bytes, verdicts } = at.tally;
        events.publish(id, 'tally', { packets, bytes, verdicts });
      },
    );
    running.set(id, work);
    const cancel = () => void work.replay.cancel();
    const tooLong = AbortSignal.timeout(longest);
    const stop = AbortSignal.any([signal, tooLong]);
    stop.addEventListener('abort', cancel);
    const result = await work.replay.finished;
    stop.removeEventListener('abort', cancel);
    const reached = reachedBy(work, result);
    if ('tally' in result && result.stopped !== 'cancelled')
      return { ...reached, state: 'succeeded', stopped: result.stopped };
    const partial = { ...reached, partial: reached.tally !== null };
    if (signal.aborted) return { ...partial, state: 'cancelled' };
    if (tooLong.aborted || 'tally' in result) return { ...partial, state: 'failed', error: tookTooLong(longest) };
    return { ...partial, state: 'failed', error: { ...result, message: files.hidePlace(result.message) } };
  };

  /** What the thread is to do. Edits that a run before this one was given while it ran are done where they were. */
  const workOf = async ({ id, request }: ReplayRecord): Promise<ReplayRequest> => {
    const { capture, stop, edits = [], maps = false, packets, output, ...subject } = request;
    const journal = (await store.edits.all(id)).flatMap(({ before, ...edit }) =>
      before === null ? [] : [{ ...edit, before }],
    );
    const all = [...edits.map((edit) => ({ mode: 'any' as const, ...edit })), ...journal];
    const limit = { bytes: options.maxRecording, option: '--max-recording' };
    return {
      ...(await subjectFiles({ store, files }, subject)),
      capture: files.path('capture', capture),
      ...(stop === undefined ? {} : { stop }),
      ...(all.length === 0 ? {} : { edits: all.sort((a, b) => a.before - b.before) }),
      maps: false,
      ...(maps ? { mapsFile: files.path('maps', id) } : {}),
      ...(packets === true ? { packetsFile: files.path('packets', id) } : {}),
      ...(output === true ? { writeFile: files.path('output', id) } : {}),
      recordingLimit: limit,
    };
  };

  const queue = memoryQueue(run, atOnce);
  return {
    queue,
    withProgress: (record) => running.get(record.id)?.record ?? record,
    workOf,
    thread: (id) => running.get(id)?.replay,
    series(id) {
      const work = running.get(id);
      return work === undefined ? undefined : { capture: null, wall: shown(work.series.data) };
    },
    async create(request, captureSize) {
      const record: ReplayRecord = {
        id: randomUUID(),
        state: 'queued',
        request,
        createdAt: now(),
        startedAt: null,
        finishedAt: null,
        progress: { packets: 0, bytesRead: 0, bytesTotal: captureSize, rate: 0 },
        stopped: null,
        edits: 0,
        tally: null,
        partial: false,
        error: null,
      };
      await store.replays.put(record);
      queue.add(record.id);
      return record;
    },
    get: async (id) => running.get(id)?.record ?? (await store.replays.get(id)),
    async cancel(id) {
      await queue.cancel(id);
      const record = await store.replays.get(id);
      // It waited, or was taken up at this moment and finds itself cancelled.
      if (record?.state !== 'queued') return;
      const cancelled: ReplayRecord = { ...record, state: 'cancelled', finishedAt: now() };
      totals.addReplay(cancelled);
      await store.replays.put(cancelled);
      tellEnd(cancelled);
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

/** How far it came. Where its thread was broken off or failed that is what was told last. */
function reachedBy(work: Running, result: ReplayResult | ReplayFailure) {
  const { packets, bytesRead, bytesTotal, tally: told } = work.at;
  if ('tally' in result) {
    const { tally, stopped, edits } = result;
    work.series.add(Date.now() / 1000, tally);
    return {
      tally,
      edits: edits.length,
      progress: work.ended(framesOf(tally), stopped === null ? bytesTotal : bytesRead),
      series: { capture: shown(result.series), wall: shown(work.series.data) },
    };
  }
  return {
    tally: told ?? null,
    progress: work.ended(told === undefined ? packets : framesOf(told), bytesRead),
    series: { capture: null, wall: shown(work.series.data) },
  };
}

/** Packets of the capture that were met. */
function framesOf({ packets, skipped }: Tally): number {
  return packets + Object.values(skipped).reduce((total, count) => total + count, 0);
}

/** With times in place of indices. */
function shown({ seconds, windows }: SeriesData): SeriesRecord['wall'] {
  return {
    seconds,
    windows: windows.map(({ index, ...window }) => ({ start: timeOf(index * seconds), ...window })),
  };
}

/** RFC 3339; what lies beyond its years is the last moment that it can say. */
function timeOf(seconds: number): string {
  return new Date(Math.min(seconds * 1000, Date.UTC(9999, 11, 31, 23, 59, 59))).toISOString();
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

function now(): string {
  return new Date().toISOString();
}
