import type { MapHost } from '../../abi/map.ts';
import type { Region } from '../../abi/memory.ts';
import type { MapSpec } from '../../object/spec.ts';
import { keyRegion, type Layout, strideOf } from './layout.ts';

/** The least power of two that is not below `count`. */
export function bucketsOf(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}

/** Addresses of the areas of a table. */
export interface HashTableAreas {
  /** Per slot a record: the next slot of its bucket + 1, the hash of its key, its key, and what else there is to it. */
  readonly records: number;
  readonly recordStride: number;
  /** Where that else lies in the first record. */
  readonly rest: number;
  /** Per bucket: its first slot + 1. */
  readonly heads: number;
}

/** Offsets in a record. The link to the next slot stays when the slot leaves the bucket. */
export const RECORD = { next: 0, hash: 4, key: 8 } as const;

/** `rest`: bytes of a record behind its key. */
export function planHashTable(
  layout: Layout,
  keySize: number,
  buckets: number,
  slots: number,
  rest: number,
): HashTableAreas {
  const behindKey = RECORD.key + strideOf(keySize);
  const recordStride = behindKey + rest;
  const records = layout.pages(slots * recordStride);
  return { records, recordStride, rest: records + behindKey, heads: layout.words(buckets) };
}

/** A table and its values. Those of one copy lie in the records, so that what a lookup touches shares a cache line. */
export function planTableWithValues(layout: Layout, spec: MapSpec, buckets: number, slots: number, copies: number) {
  const size = strideOf(spec.valueSize);
  if (copies > 1) {
    const values = { start: layout.pages(slots * copies * size), stride: size };
    return { table: planHashTable(layout, spec.keySize, buckets, slots, 0), values };
  }
  const table = planHashTable(layout, spec.keySize, buckets, slots, size);
  return { table, values: { start: table.rest, stride: table.recordStride } };
}

/** Lets programs touch the values, and callbacks of bpf_for_each_map_elem read the keys. */
export function addTableRegions(
  host: MapHost,
  spec: MapSpec,
  table: HashTableAreas,
  slots: number,
  values: Region,
): void {
  const { records, recordStride } = table;
  const keys = keyRegion(spec, records + RECORD.key, records + slots * recordStride, recordStride);
  if (values.start === table.rest) host.addRegion({ ...keys, beside: values });
  else for (const region of [keys, values]) host.addRegion(region);
}
