import type { MapHost } from '../../abi/map.ts';
import type { MapSpec } from '../../object/spec.ts';
import { addKeyRegion, type Layout, strideOf } from './layout.ts';

/** The least power of two that is not below `count`. */
export function bucketsOf(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}

/** Addresses of the areas of a table. */
export interface HashTableAreas {
  /** Per slot a record: the next slot of its bucket + 1, the hash of its key, its key. */
  readonly records: number;
  readonly recordStride: number;
  /** Per bucket: its first slot + 1. */
  readonly heads: number;
}

/** Offsets in a record. The link to the next slot stays when the slot leaves the bucket. */
export const RECORD = { next: 0, hash: 4, key: 8 } as const;

export function planHashTable(layout: Layout, keySize: number, buckets: number, slots: number): HashTableAreas {
  const recordStride = RECORD.key + strideOf(keySize);
  return { records: layout.pages(slots * recordStride), recordStride, heads: layout.words(buckets) };
}

/** Lets callbacks of bpf_for_each_map_elem read the keys. */
export function addTableKeys(host: MapHost, spec: MapSpec, areas: HashTableAreas, slots: number): void {
  const { records, recordStride } = areas;
  addKeyRegion(host, spec, records + RECORD.key, records + slots * recordStride, recordStride);
}
