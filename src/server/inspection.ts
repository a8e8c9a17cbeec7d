import { Worker } from 'node:worker_threads';
import type { Found, Inspection } from './inspect.ts';
import { Problem } from './problems.ts';
import { createExclusive } from './services.ts';

/** TypeScript in a checkout, JavaScript in `dist/`, where this module is JavaScript too. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './inspect-worker.ts' : './inspect-worker.js',
  import.meta.url,
);

/** No object that was seen comes near these. */
const LONGEST_SECONDS = 60;
const MOST_MEGABYTES = 2048;

/** One at a time: uploads that come together do not each take a thread and its memory. */
const exclusive = createExclusive();

/**
 * Loads and verifies an object in a thread of its own, so that the daemon answers meanwhile, and outlives an object that
 * takes all time or memory. Throws a `Problem`.
 */
export function inspectFile(path: string): Promise<Found> {
  return exclusive(async () => {
    const inspection = await inWorker(path);
    if ('found' in inspection) return inspection.found;
    throw new Problem('bad-object', inspection.message, { fault: inspection.fault });
  });
}

async function inWorker(path: string): Promise<Inspection> {
  const worker = new Worker(WORKER, { workerData: path, resourceLimits: { maxOldGenerationSizeMb: MOST_MEGABYTES } });
  const patience = AbortSignal.timeout(LONGEST_SECONDS * 1000);
  try {
    return await new Promise<Inspection>((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', (error: Error & { code?: string }) =>
        reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooMuch(`${MOST_MEGABYTES} MiB of memory`) : error),
      );
      worker.on('exit', () => reject(new Error('the inspection ended without an answer')));
      patience.addEventListener('abort', () => reject(tooMuch(`${LONGEST_SECONDS} seconds`)));
    });
  } finally {
    await worker.terminate();
  }
}

function tooMuch(what: string): Problem {
  return new Problem('bad-object', `to load and verify the object takes more than the ${what} that are allowed`);
}
