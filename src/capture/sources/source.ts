import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';

/** One capture from its header on, as it comes from outside. Whoever opened it closes it. */
export interface Incoming {
  /** Where it comes from, for people: `127.0.0.1:40312`, `tcpdump -i eth0`. */
  readonly from: string;
  readonly bytes: Readable;
}

/** What a source tells of itself. */
export interface SourceSink {
  /** Reads one capture, as fast as its reader can, and no faster. Resolves with whether it was good; never rejects. */
  feed(incoming: Incoming): Promise<boolean>;
  /** Turned away: another capture is being read. */
  refused(from: string): void;
  /** So many packets never came here: the source could not wait, and had no room. */
  dropped(packets: number): void;
  /** The source cannot be read for now; it is tried again. */
  failed(error: Error): void;
}

/**
 * One try to read a source. Calls `opened` as soon as it can be read; resolves when it ended by itself, or at the
 * signal; rejects with an `OptionError` that says why it cannot be read.
 */
export type Attempt = (sink: SourceSink, opened: () => void, signal: AbortSignal) => Promise<void>;

export interface RunningSource {
  /** Resolves when it is open for the first time; rejects when the first try fails. It is tried again either way. */
  readonly opened: Promise<void>;
  /** Resolves when nothing comes from it any more. */
  stop(): Promise<void>;
}

/** How long to wait before a source is tried again, in milliseconds: twice as long after each try in vain. */
const SHORTEST_WAIT = 250;
const LONGEST_WAIT = 30_000;

/** Reads a source until it is stopped, however often it ends or fails. */
export function runSource(attempt: Attempt, sink: SourceSink): RunningSource {
  const abort = new AbortController();
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  // Whoever resumes a source does not ask.
  opened.catch(() => {});
  const run = async () => {
    for (let wait = SHORTEST_WAIT; !abort.signal.aborted; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      try {
        await attempt(sink, resolve, abort.signal);
        wait = SHORTEST_WAIT / 2;
      } catch (error) {
        if (abort.signal.aborted) return;
        sink.failed(error as Error);
        reject(error as Error);
      }
      await setTimeout(wait, undefined, { signal: abort.signal }).catch(() => {});
    }
  };
  const ended = run();
  return {
    opened,
    async stop() {
      abort.abort();
      reject(new Error('the source was stopped'));
      await ended;
    },
  };
}

/** Whether anything comes: resolves when the first bytes can be read, which stay there, or when there will be none. */
export function begins(bytes: Readable): Promise<boolean> {
  return new Promise((resolve) => {
    bytes.once('readable', () => resolve(bytes.readableLength > 0));
    bytes.once('close', () => resolve(false));
  });
}
