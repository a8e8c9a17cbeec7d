import { Worker } from 'node:worker_threads';
import { failureOf } from './failure.ts';
import type { Progress } from './job.ts';
import type { ReplayFailure, ReplayMessage, ReplayRequest, ReplayResult, RunningReplay } from './worker-protocol.ts';

/** The worker's module: TypeScript in a checkout, JavaScript in `dist/`, where this module is JavaScript too. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** Starts a replay in a worker thread. */
export function startReplay(
  request: ReplayRequest,
  onProgress: (progress: Progress) => void = () => {},
): RunningReplay {
  const worker = new Worker(WORKER, { workerData: request });
  const finished = new Promise<ReplayResult | ReplayFailure>((resolve) => {
    worker.on('message', (message: ReplayMessage) => {
      if (message.type === 'progress') onProgress(message);
      else resolve(message.type === 'done' ? message.result : message.error);
    });
    worker.on('error', (error) => resolve(failureOf(error)));
    worker.on('exit', () => resolve({ name: 'Cancelled', code: 'cancelled', message: 'the replay was ended' }));
  });
  return {
    finished,
    // Ends even a program that loops without end, within some 50 ms.
    cancel: async () => {
      await worker.terminate();
    },
  };
}
