import { setTimeout } from 'node:timers/promises';
import { OptionError } from '../../base/errors.ts';
import {
  type Attempt,
  type Incoming,
  type RunningSource,
  runSource,
  type SourceSink,
} from '../../capture/sources/source.ts';
import {
  type Answered,
  type CaptureEnd,
  growth,
  type MapQuestion,
  type ReplayFailure,
  type RunningStream,
  type StreamRequest,
  type StreamState,
  startStream,
  type Window,
  Windows,
} from '../../index.ts';
import type { StreamRecord } from '../contract/streams.ts';
import { pump } from './pump.ts';
import type { StreamTotals } from './totals.ts';

export type Feed = StreamRecord['feed'];

/** What came of one capture. */
export interface Fed extends CaptureEnd {
  readonly bytes: number;
}

export interface LiveStreamOptions {
  readonly request: StreamRequest;
  /** How its source is read; undefined where captures are sent to `feed`. */
  readonly attempt: Attempt | undefined;
  /** What the source is called in errors that no sender made. */
  readonly sourceName: string;
  /** Windows that are kept. */
  readonly keep: number;
  readonly totals: StreamTotals;
  /** It ended by itself: the program or the worker failed. */
  failed(failure: ReplayFailure): void;
  /** How its source does has changed. */
  fed(feed: Feed): void;
  /** What it counted has changed, and these windows with it, as they stand. */
  counted(state: StreamState, windows: readonly Window[]): void;
  /** Something about its source is worth a line in the log. */
  note(message: string, details: object): void;
}

/** How long a capture has to be worked off when the stream is stopped, in milliseconds. */
const PATIENCE = 2_000;
/** Milliseconds that a `Date` can hold, either way (ECMA-262, section 21.4.1.1). */
const LAST_DATE = 8.64e15;

export const NO_FEED: Feed = {
  connected: false,
  from: null,
  connections: 0,
  failed: 0,
  refused: 0,
  bytes: 0,
  dropped: 0,
  lastError: null,
};

/** A stream that runs: its worker, its source, and what is known of both. */
export class LiveStream {
  readonly #options: LiveStreamOptions;
  readonly #windows = new Windows();
  readonly #feed: { -readonly [M in keyof Feed]: Feed[M] } = { ...NO_FEED };
  #state: StreamState | undefined;
  #running: RunningStream | undefined;
  #source: RunningSource | undefined;
  /** Ends the reading of the current capture. */
  #endCapture = new AbortController();
  #isStopping = false;

  private constructor(options: LiveStreamOptions) {
    this.#options = options;
  }

  /** Loads the program, and begins to read the source. Resolves with what is wrong with the program where it fails. */
  static async start(options: LiveStreamOptions): Promise<LiveStream | ReplayFailure> {
    const stream = new LiveStream(options);
    const running = await startStream(options.request, {
      state: (state) => stream.#take(state),
      bad: () => stream.#endCapture.abort(),
    });
    if ('message' in running) return running;
    stream.#running = running;
    if (options.attempt !== undefined) stream.#source = runSource(options.attempt, stream.#sink());
    void running.ended.then((failure) => {
      if (stream.#isStopping) return;
      void stream.stop();
      options.failed(failure ?? { name: 'InternalError', code: 'internal', message: 'the worker of the stream ended' });
    });
    return stream;
  }

  /** Resolves when the source can be read; rejects with why it cannot. It is tried again either way. */
  get opened(): Promise<void> {
    return this.#source?.opened ?? Promise.resolve();
  }

  get feed(): Feed {
    return { ...this.#feed };
  }

  get state(): StreamState {
    return this.#state!;
  }

  get windows(): Window[] {
    return this.#windows.list();
  }

  /** Reads one capture; call when none is being read. Undefined when the stream ended meanwhile. */
  async read({ from, bytes }: Incoming): Promise<Fed | undefined> {
    const running = this.#running!;
    const feed = this.#feed;
    this.#endCapture = new AbortController();
    const endCapture = this.#endCapture;
    feed.connected = true;
    feed.from = from;
    feed.connections++;
    this.#options.fed(this.feed);
    this.#options.totals.connections++;
    const before = feed.bytes;
    const take = (piece: Uint8Array) => {
      feed.bytes += piece.length;
      this.#options.totals.bytes += piece.length;
      return running.push(piece);
    };
    const broken = await pump(bytes, take, endCapture.signal);
    const end = await running.end();
    feed.connected = false;
    feed.from = null;
    if (end === undefined || this.#isStopping) return undefined;
    const fault = end.fault ?? faultOf(broken, feed.bytes - before);
    if (fault !== null) {
      feed.failed++;
      this.#options.totals.failed++;
      this.#fault(from, fault.code, fault.message);
    } else {
      this.#options.fed(this.feed);
    }
    return { frames: end.frames, fault, bytes: feed.bytes - before };
  }

  /** Reads or edits a map; undefined when the stream ended meanwhile. */
  ask<Q extends MapQuestion>(question: Q): Promise<Answered<Q> | undefined> {
    return this.#running!.ask(question);
  }

  /** Reads nothing more, works off what was read, within some patience, and ends. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#endCapture.abort();
    const source = this.#source?.stop() ?? Promise.resolve();
    await Promise.race([Promise.all([source, this.#running!.end()]), setTimeout(PATIENCE, undefined, { ref: false })]);
    await this.#running!.stop();
    await source;
  }

  #sink(): SourceSink {
    const { totals, sourceName, note } = this.#options;
    return {
      feed: async (incoming) => {
        const fed = await this.read(incoming);
        return fed !== undefined && fed.fault === null;
      },
      refused: () => {
        this.#feed.refused++;
        totals.refused++;
      },
      dropped: (packets) => {
        this.#feed.dropped += packets;
        totals.dropped += packets;
      },
      failed: (error) => {
        const code = error instanceof OptionError ? error.code : 'internal';
        if (error.message !== this.#feed.lastError?.message)
          note('the source of a stream cannot be read', { code, reason: error.message });
        this.#fault(sourceName, code, error.message);
      },
    };
  }

  #fault(from: string, code: string, message: string): void {
    this.#feed.lastError = { at: new Date().toISOString(), from, code, message };
    this.#options.fed(this.feed);
  }

  #take(state: StreamState): void {
    const { totals, keep, request, counted } = this.#options;
    const before = this.#state;
    this.#state = state;
    const { program, type, verdicts } = state.tally;
    totals.decided.add(program, type, growth(before?.tally.verdicts ?? {}, verdicts));
    totals.packets += state.frames - (before?.frames ?? 0);
    for (const window of state.windows) {
      if (Math.abs(window.index * request.window.seconds * 1000) <= LAST_DATE) this.#windows.add(window);
    }
    this.#windows.keep(keep);
    const changed = new Set(state.windows.map(({ index }) => index));
    counted(
      state,
      this.windows.filter(({ index }) => changed.has(index)),
    );
  }
}

/** A connection that broke between two packets is told of too, unless nothing had come: then it is an empty capture. */
function faultOf(broken: Error | undefined, offset: number): CaptureEnd['fault'] {
  return broken === undefined ? null : { code: 'connection-lost', message: broken.message, offset };
}
