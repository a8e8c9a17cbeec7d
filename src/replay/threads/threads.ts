import { Worker } from 'node:worker_threads';

/** TypeScript in a checkout, JavaScript in `dist/`, where this module is JavaScript too. */
const MODULE = new URL(
  import.meta.url.endsWith('.ts') ? '../workers/worker.ts' : '../workers/worker.js',
  import.meta.url,
);

/**
 * A thread that takes part in a replay once it is sent a request. It keeps no process alive before it is waited for:
 * whoever may come to need it starts it early, since it takes as long as the process itself to load what it needs.
 */
export function startThread(): Worker {
  const thread = new Worker(MODULE);
  thread.unref();
  return thread;
}
