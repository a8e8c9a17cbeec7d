import { closeSync, fstatSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Instance } from '../../engine/instance.ts';
import type { Tally } from '../tally.ts';
import type { ReplayFailure } from '../worker-protocol.ts';
import { type FlowsPart, type FlowsRequest, mergedFlows, runFlows } from './flows.ts';
import { mergedTally, type PartTally } from './merge.ts';
import { headOf, Part, type PartRequest } from './part.ts';
import { Table } from './shares.ts';
import type { Sharing } from './sharing.ts';

/** The worker's module: TypeScript in a checkout, JavaScript in `dist/`, where this module is JavaScript too. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** What is replayed; `options` are those of the instance that is there already, for the others. */
export type SharedRequest = Pick<PartRequest, 'object' | 'btf' | 'capture' | 'options'>;

export type WorkerRequest = ({ readonly by: 'records' } & PartRequest) | ({ readonly by: 'flow' } & FlowsRequest);

/**
 * Replays a capture file in this thread, through an instance that is there, and in `workers` − 1 others. Undefined where
 * the capture cannot be shared so: for `records`, where they cannot be told apart without reading them all in their
 * order (no file, another format, a header among the packets, damage). Throws what a worker failed with.
 */
export async function replayShared(
  instance: Instance,
  request: SharedRequest,
  { workers, by }: Pick<Sharing, 'workers' | 'by'>,
): Promise<FlowsPart | undefined> {
  if (by === 'flow') return await byFlow(instance, request, workers);
  const tally = by === 'records' ? await byRecords(instance, request, workers) : undefined;
  return tally && { tally, maps: instance.dumpMaps() };
}

async function byFlow(instance: Instance, request: SharedRequest, workers: number): Promise<FlowsPart> {
  const others = Array.from({ length: workers - 1 }, (_, index) => {
    const share = { worker: index + 1, workers };
    return join<FlowsPart>({ by: 'flow', ...request, share }).part;
  });
  const own = runFlows(instance, request.capture, { worker: 0, workers });
  return mergedFlows([own, ...(await Promise.all(others))], instance.cpus);
}

/** Others join when they are ready; what is left by then they share. */
export async function byRecords(
  instance: Instance,
  request: SharedRequest,
  workers: number,
  shareBytes?: number,
): Promise<Tally | undefined> {
  const table = tableFor(request.capture, workers, shareBytes);
  if (table === undefined) return undefined;
  const others = Array.from({ length: workers - 1 }, (_, seat) =>
    join<PartTally>({ by: 'records', ...request, table: table.memory, seat }),
  );
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

type Message<T> = { readonly part: T } | { readonly failure: ReplayFailure };

function join<T>(request: WorkerRequest): { readonly worker: Worker; readonly part: Promise<T> } {
  const worker = new Worker(WORKER, { workerData: request });
  const part = new Promise<T>((resolve, reject) => {
    worker.on('message', (message: Message<T>) => {
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
