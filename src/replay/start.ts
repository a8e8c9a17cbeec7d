import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
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
  ReplayOrder,
  ReplayRequest,
  RunningExplanation,
  RunningReplay,
  WorkerJob,
} from './worker-protocol.ts';

/** The worker's module: TypeScript in a checkout, JavaScript in `dist/`, where this module is JavaScript too. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** How long a replay has to come to the next packet, in milliseconds, once it is to end. */
const PATIENCE = 500;

/** Starts a replay in a worker thread. */
export function startReplay(
  request: ReplayRequest,
  onProgress: (progress: Progress) => void = () => {},
): RunningReplay {
  const job = startJob({ do: 'replay', request }, 'the replay was ended', (message) => {
    if (message.type === 'progress') onProgress(message);
    return message.type === 'done' ? message.result : undefined;
  });
  const { finished, ask, order } = job;
  return {
    finished,
    ask,
    async cancel() {
      order('cancel');
      await Promise.race([finished, setTimeout(PATIENCE, undefined, { ref: false })]);
      await job.cancel();
    },
  };
}

/** Explains a packet in a worker thread. */
export function startExplanation(request: ExplainRequest): RunningExplanation {
  return startJob({ do: 'explain', request }, 'the explanation was ended', (message) =>
    message.type === 'explained' ? message.explanation : undefined,
  );
}

/** A job that comes to a result: `take` gives it of the message that holds it. */
function startJob<T>(job: WorkerJob, ended: string, take: (message: ReplayMessage) => T | undefined) {
  const { promise: finished, resolve } = Promise.withResolvers<T | ReplayFailure>();
  const { worker, ask } = start(job, (message) => {
    const result = message.type === 'failed' ? message.error : take(message);
    if (result !== undefined) resolve(result);
  });
  worker.on('error', (error) => resolve(failureOf(error)));
  worker.on('exit', () => resolve({ name: 'Cancelled', code: 'cancelled', message: ended }));
  return {
    finished,
    ask,
    order: (order: ReplayOrder) => worker.postMessage(order),
    // Ends even a program that loops without end, within some 50 ms.
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
