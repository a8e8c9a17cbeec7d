import { Worker } from 'node:worker_threads';
import { failureOf } from './failure.ts';
import type { CaptureEnd, StreamOrder, StreamReport, StreamRequest, StreamState } from './stream-protocol.ts';
import type { Answered, MapQuestion, ReplayFailure } from './worker-protocol.ts';

/** The worker's module: TypeScript in a checkout, JavaScript in `dist/`, where this module is JavaScript too. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './stream-worker.ts' : './stream-worker.js', import.meta.url);

/** Bytes that may be on their way to the worker; a source that is faster waits. */
const MOST_UNDER_WAY = 2 * 2 ** 20;

/** A stream that runs in a thread of its own. */
export interface RunningStream {
  /** Resolves when it has ended: with what ended it, or undefined when it was stopped. Never rejects. */
  readonly ended: Promise<ReplayFailure | undefined>;
  /**
   * Takes the next bytes of the current capture and copies them. Resolves when there is room for more, with whether
   * the capture was good as far as it is known, and the stream runs.
   */
  push(bytes: Uint8Array): Promise<boolean>;
  /** The current capture is at its end. Undefined when the stream ended meanwhile. */
  end(): Promise<CaptureEnd | undefined>;
  /** Reads or edits a map, between two packets. Undefined when the stream ended meanwhile. */
  ask<Q extends MapQuestion>(question: Q): Promise<Answered<Q> | undefined>;
  /** Ends even a program that loops without end, within some 50 ms. */
  stop(): Promise<void>;
}

export interface StreamListener {
  /** A few times a second while packets come, and before a capture's end is told. */
  state(state: StreamState): void;
  /** The current capture cannot be read any further. */
  bad(): void;
}

/** Starts a stream in a worker thread. Resolves when captures can be pushed, or with what is wrong with the request. */
export async function startStream(
  request: StreamRequest,
  listener: StreamListener,
): Promise<RunningStream | ReplayFailure> {
  const worker = new Worker(WORKER, { workerData: request });
  const { promise: ended, resolve: end } = Promise.withResolvers<ReplayFailure | undefined>();
  const { promise: ready, resolve: begin } = Promise.withResolvers<void>();
  const captureEnds: ((end: CaptureEnd | undefined) => void)[] = [];
  const answers: ((answer: Answered<MapQuestion> | undefined) => void)[] = [];
  let underWay = 0;
  let isGood = true;
  let isRunning = true;
  let room = Promise.withResolvers<void>();
  const order = (one: StreamOrder, transfer: ArrayBuffer[] = []) => worker.postMessage(one, transfer);

  const handle = (report: StreamReport) => {
    if (!isRunning) return;
    switch (report.type) {
      case 'ready':
        listener.state(report.state);
        return begin();
      case 'done':
        underWay -= report.bytes;
        if (isGood && !report.good) {
          isGood = false;
          listener.bad();
        }
        if (underWay < MOST_UNDER_WAY) room.resolve();
        return;
      case 'state':
        return listener.state(report.state);
      case 'ended':
        isGood = true;
        return captureEnds.shift()!(report.end);
      case 'answer':
        return answers.shift()!(report.answer);
      default:
        return end(report.error);
    }
  };
  worker.on('message', handle);
  worker.on('error', (error) => end(failureOf(error)));
  worker.on('exit', () => end(undefined));
  void ended.then(() => {
    isRunning = false;
    room.resolve();
    for (const tell of [...captureEnds.splice(0), ...answers.splice(0)]) tell(undefined);
    void worker.terminate();
  });

  const failure = await Promise.race([ready, ended]);
  if (!isRunning)
    return failure ?? { name: 'InternalError', code: 'internal', message: 'the stream ended as it began' };
  return {
    ended,
    async push(bytes) {
      if (!isRunning || !isGood) return false;
      // A view may be of a larger buffer, which is somebody else's.
      const own = new Uint8Array(bytes);
      underWay += own.length;
      order({ type: 'chunk', bytes: own }, [own.buffer]);
      if (underWay >= MOST_UNDER_WAY) {
        room = Promise.withResolvers();
        await room.promise;
      }
      return isRunning && isGood;
    },
    end: () => wait(captureEnds, { type: 'end' }),
    ask: <Q extends MapQuestion>(question: Q) =>
      wait(answers, { type: 'ask', question }) as Promise<Answered<Q> | undefined>,
    async stop() {
      end(undefined);
      await worker.terminate();
    },
  };

  async function wait<T>(waiting: ((answer: T | undefined) => void)[], one: StreamOrder): Promise<T | undefined> {
    if (!isRunning) return undefined;
    const { promise, resolve } = Promise.withResolvers<T | undefined>();
    waiting.push(resolve);
    order(one);
    return promise;
  }
}
