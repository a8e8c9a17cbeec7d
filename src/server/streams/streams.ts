import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { MapQuestion, ReplayFailure, Window } from '../../index.ts';
import { checkProgram } from '../accept.ts';
import type { NewStream, StreamRecord } from '../contract/streams.ts';
import type { Events } from '../events.ts';
import type { DataFiles } from '../files.ts';
import { type FoundBy, found } from '../maps.ts';
import { programsOf, subjectFiles } from '../pipelines.ts';
import { Problem, type ProblemCode } from '../problems.ts';
import type { Exclusive } from '../services.ts';
import type { Page, Store } from '../store.ts';
import { type Fed, LiveStream, NO_FEED } from './live-stream.ts';
import { attemptFor, type Sources } from './sources.ts';
import { brief, tellEnd } from './stream-events.ts';
import { createStreamTotals, type StreamTotals } from './totals.ts';

/** Streams from created to stopped. What a running one has counted is in memory only. */
export interface Streams {
  readonly totals: StreamTotals;
  readonly running: number;
  /** Bytes of linear memory of those that run. */
  readonly memory: number;
  /** Throws a `Problem`. */
  create(request: NewStream): Promise<StreamRecord>;
  get(id: string): Promise<StreamRecord | undefined>;
  list(limit: number, cursor?: string): Promise<Page<StreamRecord>>;
  /** Reads a capture that was sent; resolves at its end. Throws a `Problem` where the stream does not take it. */
  read(record: StreamRecord, from: string, bytes: Readable): Promise<Fed>;
  /** Reads or edits a map, between two packets. Throws a `Problem`. */
  ask<Q extends MapQuestion>(record: StreamRecord, question: Q): Promise<FoundBy<Q>>;
  /** Throws a `Problem` where it does not run. */
  windows(record: StreamRecord): readonly Window[];
  /** It stays to be seen. */
  stop(id: string): Promise<void>;
  /** Starts again, in the background, what ran when the daemon before ended. */
  resume(): Promise<void>;
  close(): Promise<void>;
}

export interface StreamsOptions {
  readonly store: Store;
  readonly files: DataFiles;
  readonly log: FastifyBaseLogger;
  readonly events: Events;
  readonly exclusive: Exclusive;
  readonly sources: Sources;
  readonly most: number;
}

/** How long a stream may take to answer, in milliseconds: it does between two packets. */
const PATIENCE = 10_000;

const WINDOW_DEFAULTS = { seconds: 1, keep: 60, clock: 'wall' } as const;

function windowOf({ window }: NewStream) {
  return { ...WINDOW_DEFAULTS, ...window };
}

/** As the contract has them. */
export function shownWindows(request: NewStream, windows: readonly Window[]) {
  const { seconds, clock } = windowOf(request);
  const shown = windows.map(({ index, ...counts }) => ({
    start: new Date(index * seconds * 1000).toISOString(),
    ...counts,
  }));
  return { seconds, clock, windows: shown };
}

export function createStreams({ store, files, log, events, exclusive, sources, most }: StreamsOptions): Streams {
  const totals = createStreamTotals();
  const live = new Map<string, LiveStream>();
  /** Being started: they count, and cannot be stopped before they run. */
  const starting = new Map<string, Promise<unknown>>();
  let isClosed = false;

  const start = async ({ id, request }: StreamRecord): Promise<LiveStream | ReplayFailure> => {
    const { source, window: _, name: __, ...subject } = request;
    const { seconds, clock, keep } = windowOf(request);
    const stream = await LiveStream.start({
      request: {
        ...(await subjectFiles({ store, files }, subject)),
        window: { seconds, clock },
      },
      attempt: attemptFor(source, sources),
      sourceName: source.kind,
      keep,
      totals,
      failed: (failure) => void end(id, failure),
      fed: (feed) => events.publish(id, 'feed', feed),
      counted: (state, windows) => {
        events.publish(id, 'tally', brief(state));
        if (windows.length > 0) events.publish(id, 'windows', shownWindows(request, windows));
      },
      note: (message, details) => log.warn({ stream: id, ...details }, message),
    });
    if (!(stream instanceof LiveStream)) return { ...stream, message: files.hidePlace(stream.message) };
    live.set(id, stream);
    return stream;
  };

  /** Takes it out of those that run, and keeps what it counted. */
  const end = async (id: string, failure?: ReplayFailure): Promise<void> => {
    const record = await store.streams.get(id);
    const stream = live.get(id);
    if (stream !== undefined) await stream.stop();
    if (record !== undefined) {
      const state = failure === undefined ? 'stopped' : 'failed';
      const last: StreamRecord = { ...withFigures(record), state, stoppedAt: now(), error: failure ?? null };
      await store.streams.put(last);
      tellEnd(events, last);
      log.info({ stream: id, state, error: failure }, 'stream ended');
    }
    live.delete(id);
  };

  const withFigures = (record: StreamRecord): StreamRecord => {
    const stream = live.get(record.id);
    if (stream === undefined) return record;
    const { frames, tally } = stream.state;
    return { ...record, feed: stream.feed, frames, tally };
  };

  const runningOne = ({ id, state }: StreamRecord): LiveStream => {
    const stream = live.get(id);
    if (stream !== undefined) return stream;
    throw new Problem(
      'stream-ended',
      state === 'running' ? `stream ${id} is being started; ask again in a moment` : `stream ${id} is ${state}`,
    );
  };

  /** It was accepted, and runs now; or is forgotten. */
  const begin = async (record: StreamRecord): Promise<StreamRecord> => {
    try {
      const stream = await start(record);
      if (!(stream instanceof LiveStream)) throw refusal(stream);
      await stream.opened.catch((error: Error) => {
        throw new Problem('source-unavailable', error.message);
      });
      return withFigures(record);
    } catch (error) {
      await live.get(record.id)?.stop();
      live.delete(record.id);
      await store.streams.delete(record.id);
      events.end(record.id);
      throw error;
    }
  };

  return {
    totals,
    get running() {
      return live.size;
    },
    get memory() {
      return [...live.values()].reduce((sum, { state }) => sum + state.memory, 0);
    },
    async create(request) {
      attemptFor(request.source, sources);
      const record = await exclusive(async () => {
        for (const wanted of programsOf(request)) await checkProgram(store, wanted);
        if (live.size + starting.size >= most) {
          throw new Problem(
            'too-many-requests',
            `${most} streams run already; the daemon's option --streams raises it`,
          );
        }
        const at = now();
        const record: StreamRecord = {
          id: randomUUID(),
          state: 'running',
          request,
          createdAt: at,
          startedAt: at,
          stoppedAt: null,
          feed: NO_FEED,
          frames: 0,
          tally: null,
          error: null,
        };
        await store.streams.put(record);
        starting.set(record.id, Promise.resolve());
        return record;
      });
      return during(record.id, begin(record));
    },
    async get(id) {
      const record = await store.streams.get(id);
      return record === undefined ? undefined : withFigures(record);
    },
    async list(limit, cursor) {
      const { items, next } = await store.streams.list(limit, cursor);
      return { items: items.map(withFigures), next };
    },
    async read(record, from, bytes) {
      const { id, request } = record;
      const stream = runningOne(record);
      if (request.source.kind !== 'http') {
        throw new Problem(
          'wrong-source',
          `the source of stream ${id} is ${request.source.kind}; captures are sent to one whose source is http`,
        );
      }
      const { connected, from: other } = stream.feed;
      if (connected)
        throw new Problem('stream-busy', `stream ${id} reads a capture of ${other}; one comes after the other`);
      const fed = await stream.read({ from, bytes });
      if (fed === undefined) throw new Problem('stream-ended', `stream ${id} was ended in the middle of the capture`);
      return fed;
    },
    async ask(record, question) {
      const { id } = record;
      const late = setTimeout(PATIENCE, 'late' as const, { ref: false });
      const answer = await Promise.race([runningOne(record).ask(question), late]);
      if (answer === undefined) throw new Problem('stream-ended', `stream ${id} was ended`);
      if (answer !== 'late') {
        const what = found(answer);
        if (question.ask === 'edit') events.publish(id, 'edit', what);
        return what;
      }
      throw new Problem('not-ready', `stream ${id} did not work off what had come within ${PATIENCE / 1000} seconds`);
    },
    windows: (record) => runningOne(record).windows,
    async stop(id) {
      await starting.get(id)?.catch(() => {});
      await end(id);
    },
    async resume() {
      for (const id of await store.runningStreams()) {
        const record = { ...(await store.streams.get(id))!, startedAt: now(), feed: NO_FEED, frames: 0, tally: null };
        await store.streams.put(record);
        void during(id, again(record));
      }
    },
    async close() {
      isClosed = true;
      await Promise.allSettled(starting.values());
      await Promise.all([...live.values()].map((stream) => stream.stop()));
      live.clear();
    },
  };

  /** As it was before the daemon ended. A source that cannot be opened now is tried again. */
  async function again(record: StreamRecord): Promise<void> {
    if (isClosed) return;
    try {
      const stream = await start(record);
      if (!(stream instanceof LiveStream)) await end(record.id, stream);
    } catch (error) {
      log.error({ err: error, stream: record.id }, 'a stream cannot be started again');
      const code = error instanceof Problem ? error.code : 'internal';
      const message = error instanceof Problem ? error.message : 'the daemon failed; its log tells more';
      await end(record.id, { name: error instanceof Problem ? 'OptionError' : 'InternalError', code, message });
    }
  }

  async function during<T>(id: string, work: Promise<T>): Promise<T> {
    starting.set(id, work);
    try {
      return await work;
    } finally {
      starting.delete(id);
    }
  }
}

/** What is wrong with a program or its options, by the kind of error that loading it ended with. */
const REFUSALS: Readonly<Record<string, ProblemCode>> = {
  ProgramRefused: 'program-refused',
  LoadError: 'bad-object',
  OptionError: 'bad-request',
  SystemError: 'data-damaged',
};

function refusal({ name, code, message }: ReplayFailure): Problem {
  return new Problem(REFUSALS[name] ?? 'internal', message, { fault: { code } });
}

function now(): string {
  return new Date().toISOString();
}
