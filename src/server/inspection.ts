import { Worker } from 'node:worker_threads';
import type { Answer, Found, Question } from './inspect.ts';
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

/** What the file holds and what the verifier says of it, and how long that took. Throws a `Problem`. */
export function inspectFile(path: string, assemblyType: string | undefined): Promise<Inspected<Found>> {
  return ask({ path, ...(assemblyType === undefined ? {} : { assemblyType }) });
}

/** NDJSON of one program of the file, a line an instruction. Throws a `Problem`. */
export async function disassembleFile(
  path: string,
  program: string,
  assemblyType: string | undefined,
): Promise<string> {
  const type = assemblyType === undefined ? {} : { assemblyType };
  return (await ask<string>({ path, disassemble: program, ...type })).found;
}

type Inspected<T> = Extract<Answer<T>, { found: T }>;

/**
 * Works on an object in a thread of its own, so that the daemon answers meanwhile, and outlives an object that takes all
 * time or memory.
 */
function ask<T>(question: Question): Promise<Inspected<T>> {
  return exclusive(async () => {
    const answer = await inWorker<T>(question);
    if ('found' in answer) return answer;
    throw new Problem('bad-object', answer.message, { fault: answer.fault });
  });
}

async function inWorker<T>(question: Question): Promise<Answer<T>> {
  const worker = new Worker(WORKER, {
    workerData: question,
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEGABYTES },
  });
  const patience = AbortSignal.timeout(LONGEST_SECONDS * 1000);
  try {
    return await new Promise<Answer<T>>((resolve, reject) => {
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
