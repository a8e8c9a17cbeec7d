import { Worker } from 'node:worker_threads';
import type { Explanation } from './explain.ts';
import { failureOf } from './failure.ts';
import type { Progress } from './job.ts';
import type {
  Answered,
  ExplainRequest,
  KeepRequest,
  MapHolder,
  MapKeeper,
  MapQuestion,
  ReplayFailure,
  ReplayMessage,
  ReplayRequest,
  ReplayResult,
  RunningExplanation,
  RunningReplay,
  WorkerJob,
} from './worker-protocol.ts';

/** The worker's module: TypeScript in a checkout, JavaScript in `dist/`, where this module is JavaScript too. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** Starts a replay in a worker thread. */
export function startReplay(
  request: ReplayRequest,
  onProgress: (progress: Progress) => void = () => {},
): RunningReplay {
  let finish = (_: ReplayResult | ReplayFailure) => {};
  const finished = new Promise<ReplayResult | ReplayFailure>((resolve) => {
    finish = resolve;
  });
  const { worker, ask } = start({ do: 'replay', request }, (message) => {
    if (message.type === 'progress') onProgress(message);
    else if (message.type === 'done') finish(message.result);
    else if (message.type === 'failed') finish(message.error);
  });
  worker.on('error', (error) => finish(failureOf(error)));
  worker.on('exit', () => finish({ name: 'Cancelled', code: 'cancelled', message: 'the replay was ended' }));
  return {
    finished,
    ask,
    // Ends even a program that loops without end, within some 50 ms.
    cancel: async () => {
      await worker.terminate();
    },
  };
}

/** Explains a packet in a worker thread. */
export function startExplanation(request: ExplainRequest): RunningExplanation {
  let finish = (_: Explanation | ReplayFailure) => {};
  const finished = new Promise<Explanation | ReplayFailure>((resolve) => {
    finish = resolve;
  });
  const { worker } = start({ do: 'explain', request }, (message) => {
    if (message.type === 'explained') finish(message.explanation);
    else if (message.type === 'failed') finish(message.error);
  });
  worker.on('error', (error) => finish(failureOf(error)));
  worker.on('exit', () => finish({ name: 'Cancelled', code: 'cancelled', message: 'the explanation was ended' }));
  return {
    finished,
    cancel: async () => {
      await worker.terminate();
    },
  };
}

/** Starts a thread that holds maps. Where it cannot, its first answer says why. */
export function keepMapsOf(request: KeepRequest): MapKeeper {
  const { worker, ask } = start({ do: 'keep', request }, () => {});
  return {
    ask,
    close: async () => {
      await worker.terminate();
    },
  };
}

const ENDED: ReplayFailure = { name: 'Ended', code: 'ended', message: 'it ended before it could answer' };

function start(job: WorkerJob, onMessage: (message: ReplayMessage) => void): MapHolder & { readonly worker: Worker } {
  const worker = new Worker(WORKER, { workerData: job });
  const asked = new Map<number, (answer: Answered<MapQuestion>) => void>();
  let last = 0;
  let over: ReplayFailure | undefined;
  const end = (error: ReplayFailure) => {
    over ??= error;
    for (const [id, resolve] of asked) {
      asked.delete(id);
      resolve({ error: over });
    }
  };
  worker.on('message', (message: ReplayMessage) => {
    if (message.type === 'answer') {
      asked.get(message.id)?.(message.answer);
      asked.delete(message.id);
      return;
    }
    onMessage(message);
    if (message.type === 'failed') end(message.error);
    if (message.type === 'done') end(ENDED);
  });
  worker.on('error', (error) => end(failureOf(error)));
  worker.on('exit', () => end(ENDED));
  return {
    worker,
    ask<Q extends MapQuestion>(question: Q): Promise<Answered<Q>> {
      if (over !== undefined) return Promise.resolve({ error: over });
      const id = ++last;
      return new Promise((resolve) => {
        asked.set(id, resolve as (answer: Answered<MapQuestion>) => void);
        worker.postMessage({ id, question });
      });
    },
  };
}
