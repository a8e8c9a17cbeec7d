import { closeSync, fstatSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Instance } from '../../engine/instance.ts';
import type { Tally } from '../tally.ts';
import type { ReplayFailure } from '../worker-protocol.ts';
import { mergedTally, type PartTally } from './merge.ts';
import { headOf, Part, type PartRequest } from './part.ts';
import { Table } from './shares.ts';

/** The worker's module: TypeScript in a checkout, JavaScript in `dist/`, where this module is JavaScript too. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** What is replayed; `options` are those of the instance that is there already, for the others. */
export type PartsRequest = Omit<PartRequest, 'table' | 'seat'>;

/**
 * Replays a capture file in this thread, through an instance that is there, and `workers` − 1 others that join it.
 * Undefined where its records cannot be told apart without reading them all in their order (no file, another format, a
 * header among the packets, damage): it is then for one. Throws what a worker failed with.
 */
export async function replayInParts(
  instance: Instance,
  request: PartsRequest,
  workers: number,
  shareBytes?: number,
): Promise<Tally | undefined> {
  const table = tableFor(request.capture, workers, shareBytes);
  if (table === undefined) return undefined;
  const others = Array.from({ length: workers - 1 }, (_, seat) => join({ ...request, table: table.memory, seat }));
  const own = new Part(instance, request.capture, table);
  while (own.take());
  const parts = [own.end()];
  for (const [seat, { worker, part }] of others.entries()) {
    if (table.close(seat)) await worker.terminate();
    else parts.push(await part);
  }
  const isWhole = !table.isSpoiled && parts.every(({ tally }) => tally.captureError === null);
  return isWhole ? mergedTally(parts) : undefined;
}

function tableFor(capture: string, workers: number, shareBytes: number | undefined): Table | undefined {
  const file = openSync(capture, 'r');
  try {
    const head = fstatSync(file).isFile() ? headOf(file) : undefined;
    return head === undefined ? undefined : Table.lay(head.walk.preamble, workers, shareBytes);
  } finally {
    closeSync(file);
  }
}

type Message = { readonly part: PartTally } | { readonly failure: ReplayFailure };

function join(request: PartRequest): { readonly worker: Worker; readonly part: Promise<PartTally> } {
  const worker = new Worker(WORKER, { workerData: request });
  const part = new Promise<PartTally>((resolve, reject) => {
    worker.on('message', (message: Message) => {
      if ('part' in message) resolve(message.part);
      else reject(new Error(message.failure.message));
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('a replay worker ended early')));
  });
  // Where it is not waited for, its end is no error.
  part.catch(() => {});
  return { worker, part };
}
