import { closeSync, openSync } from 'node:fs';
import { Instance } from '../../engine/instance.ts';
import type { MapDump } from '../../engine/map-dump.ts';
import { type ObjectFile, readObjectFile } from '../object-file.ts';
import { pushFrom } from '../push-from.ts';
import { Replay } from '../replay.ts';
import type { FlowShare } from '../steering.ts';
import type { Tally } from '../tally.ts';
import type { ReplayRequest } from '../worker-protocol.ts';
import { mergedTally } from './merge.ts';
import { Pace } from './pace.ts';

/** What a worker is given that runs the packets of some CPUs. */
export interface FlowsRequest extends ObjectFile, Pick<ReplayRequest, 'capture' | 'options'> {
  readonly share: FlowShare;
  /** That of workers that share maps. */
  readonly pace: SharedArrayBuffer | undefined;
}

export interface FlowsPart {
  readonly tally: Tally;
  readonly maps: readonly MapDump[];
}

export function requestedFlows({ share, capture, pace: memory, ...request }: FlowsRequest): FlowsPart {
  const pace = memory && new Pace(memory, share.worker);
  try {
    return runFlows(new Instance(readObjectFile(request), request.options), capture, share, pace);
  } finally {
    pace?.end();
  }
}

/** Reads all of a capture and runs the packets of its own CPUs. The maps are told where they are the worker's own. */
export function runFlows(instance: Instance, capture: string, share: FlowShare, pace?: Pace): FlowsPart {
  const replay = new Replay(instance, {}, { share });
  const file = openSync(capture, 'r');
  try {
    pace?.step();
    do pace?.step();
    while (pushFrom(file, replay) > 0);
  } finally {
    closeSync(file);
    pace?.end();
  }
  return { tally: replay.end(), maps: pace === undefined ? instance.dumpMaps() : [] };
}

/** Maps whose values are each CPU's own, taken from the worker whose CPU it is; all others are the same everywhere. */
function mergedMaps(parts: readonly FlowsPart[], cpus: number): MapDump[] {
  return parts[0]!.maps.map((map, index) => {
    const dumps = parts.map(({ maps }) => new Map(maps[index]!.entries.map(({ key, value }) => [key, value])));
    const [any] = dumps.flatMap((entries) => [...entries.values()]);
    if (any === undefined || typeof any === 'string') return map;
    // Elements of arrays that are all zero are left out of a dump.
    const zero = '0'.repeat(any[0]!.length);
    const own = (key: string, cpu: number) => dumps[cpu % parts.length]!.get(key)?.[cpu] ?? zero;
    const keys = [...new Set(dumps.flatMap((entries) => [...entries.keys()]))];
    const entries = keys.map((key) => ({ key, value: Array.from({ length: cpus }, (_, cpu) => own(key, cpu)) }));
    return { ...map, entries: map.type === 'percpu_array' ? entries.toSorted(byIndex) : entries };
  });
}

/** What all workers found, as one that has all CPUs would have. */
export function mergedFlows(parts: readonly FlowsPart[], cpus: number): FlowsPart {
  const tally = mergedTally(parts.map(({ tally }) => tally));
  // All of them read all of the capture.
  const { captureError } = parts[0]!.tally;
  return { tally: { ...tally, captureError }, maps: mergedMaps(parts, cpus) };
}

function byIndex(one: { readonly key: string }, other: { readonly key: string }): number {
  return indexOf(one.key) - indexOf(other.key);
}

function indexOf(key: string): number {
  return new DataView(Uint8Array.fromHex(key).buffer).getUint32(0, true);
}
