import { closeSync, fstatSync, openSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import type { Instance } from '../../engine/instance.ts';
import type { Tally } from '../tally.ts';
import { Crew } from './crew.ts';
import { type FlowsPart, mergedFlows, runFlows } from './flows.ts';
import { mergedParts, type PartTally } from './merge.ts';
import { Pace } from './pace.ts';
import { headOf, Part, type PartRequest } from './part.ts';
import { Table } from './shares.ts';
import type { Sharing } from './sharing.ts';

/** What is replayed; `options` are those of the instance that is there already, for the others. */
export type SharedRequest = Pick<PartRequest, 'object' | 'btf' | 'capture' | 'options'>;

/**
 * Replays a capture file in this thread, through an instance that is there, and in `workers` − 1 others: those of
 * `threads` first, which were started before, then new ones. Undefined where the capture cannot be shared so: for
 * `records`, where they cannot be told apart without reading them all in their order (no file, another format, a header
 * among the packets, damage). Throws what a worker failed with.
 */
export async function replayShared(
  instance: Instance,
  request: SharedRequest,
  { workers, by, relaxed }: Pick<Sharing, 'workers' | 'by' | 'relaxed'>,
  threads: readonly Worker[] = [],
): Promise<FlowsPart | undefined> {
  const others = new Crew(workers - 1, threads);
  try {
    if (by === 'flow') return await byFlow(instance, request, others, relaxed);
    const tally = by === 'records' ? await byRecords(instance, request, others) : undefined;
    return tally && { tally, maps: instance.dumpMaps() };
  } finally {
    await others.dismiss();
  }
}

/** `relaxed`: the instance's memory, where the maps are, is everybody's. */
async function byFlow(instance: Instance, request: SharedRequest, others: Crew, relaxed: boolean): Promise<FlowsPart> {
  const workers = others.size + 1;
  const pace = relaxed ? Pace.of(workers) : undefined;
  const parts = Array.from({ length: others.size }, (_, index) => {
    const share = { worker: index + 1, workers };
    const seat = { number: share.worker, seats: workers, memory: instance.memory.wasm };
    const options = relaxed ? { ...request.options, seat } : request.options;
    return others.send<FlowsPart>(index, { by: 'flow', ...request, options, share, pace: pace?.memory });
  });
  const own = runFlows(instance, request.capture, { worker: 0, workers }, pace);
  const merged = mergedFlows([own, ...(await Promise.all(parts))], instance.cpus);
  return relaxed ? { ...merged, maps: instance.dumpMaps() } : merged;
}

/** Others join when they are ready; what is left by then they share. */
export async function byRecords(
  instance: Instance,
  request: SharedRequest,
  others: Crew,
  shareBytes?: number,
): Promise<Tally | undefined> {
  const table = tableFor(request.capture, others.size, shareBytes);
  if (table === undefined) return undefined;
  const theirs = Array.from({ length: others.size }, (_, seat) =>
    others.send<PartTally>(seat, { by: 'records', ...request, table: table.memory, seat }),
  );
  const own = new Part(instance, request.capture, table);
  while (own.take());
  const parts = [own.end()];
  for (const [seat, part] of theirs.entries()) if (!table.close(seat)) parts.push(await part);
  const isWhole = !table.isSpoiled && parts.every(({ tally }) => tally.captureError === null);
  return isWhole ? mergedParts(parts) : undefined;
}

function tableFor(capture: string, workers: number, shareBytes: number | undefined): Table | undefined {
  const file = openSync(capture, 'r');
  try {
    const status = fstatSync(file);
    const head = status.isFile() ? headOf(file) : undefined;
    return head === undefined ? undefined : Table.lay(status.size, workers, shareBytes);
  } finally {
    closeSync(file);
  }
}
