import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from './failure.ts';
import { runReplay } from './job.ts';
import type { ReplayMessage, ReplayRequest } from './worker-protocol.ts';

const PROGRESS_INTERVAL = 200;

const post = (message: ReplayMessage) => parentPort!.postMessage(message);
let last = 0;
try {
  const result = runReplay(workerData as ReplayRequest, (progress) => {
    if (performance.now() - last < PROGRESS_INTERVAL) return;
    last = performance.now();
    post({ type: 'progress', ...progress });
  });
  post({ type: 'done', result });
} catch (error) {
  post({ type: 'failed', error: failureOf(error) });
}
