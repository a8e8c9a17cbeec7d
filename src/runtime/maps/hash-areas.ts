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
  /** Per slot a record: a link, the hash of its key, its key, and what else there is to it. */
  readonly records: number;
  readonly recordStride: number;
  /** Where that else lies in the first record. */
  readonly rest: number;
  readonly buckets: number;
  /** The lines, one for each LINE.buckets of them. */
  readonly lines: number;
}

/** Offsets in a record. `next` counts of slots that their line has no room for, and of those that left their bucket. */
export const RECORD = { next: 0, hash: 4, key: 8 } as const;

/**
 * The slots of some neighbouring buckets share a line of the cache: for the newest of them, in the order in which they
 * came and without gaps, a byte each that tells of the hash, and behind these bytes their links; at `older` the newest
 * of the rest, which are linked through their records. A lookup compares all the bytes at once: it meets the line and,
 * as good as always, one record, on a way that the processor foretells.
 */
export const LINE = { buckets: 8, slots: 12, older: 12, links: 16, bytes: 64 } as const;

/** The byte of a hash, never 0: the bits that tell the buckets of a line apart, above bits that no bucket's number has. */
export const tagOf = (hash: number): number => ((hash & 7) << 5) | (hash >>> 27) || 1;

/** Bits of the byte that slots of the same bucket have alike. */
export const bucketBits = (buckets: number): number => (Math.min(buckets, LINE.buckets) - 1) << 5;

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
  const lines = layout.area(linesOf(buckets) * LINE.bytes, LINE.bytes);
  return { records, recordStride, rest: records + behindKey, buckets, lines };
}

export const linesOf = (buckets: number): number => Math.ceil(buckets / LINE.buckets);

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
