import type { Region } from '../../abi/memory.ts';
import { alignUp } from '../../base/bytes.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BPF_F_RDONLY_PROG } from './flags.ts';

/**
 * How maps lie in the linear memory, for all that read it: JavaScript here, generated code elsewhere.
 *
 * A map is an array of *slots*; a slot never moves while its entry lives, so programs may hold pointers to values.
 * Links between slots are u32 words that hold slot + 1, 0 being "none": a map of zero bytes is an empty map.
 * Areas of one map, in this order, each on a page of its own where programs may touch it, else on 8 bytes:
 *
 *     values   slots × copies × stride   stride = value size rounded up to 8, or a record's; copies = CPUs of a per-CPU
 *                                        map, else 1;
 *                                        the value of slot s on CPU c is at values + (s × copies + c) × stride
 *     records  slots × record stride     of hash tables: link, hash, key and value, both rounded up to 8, which share a
 *                                        cache line; values of several copies lie apart
 *     tables   u32 words                 as each type says: lines of buckets, lists, free slots …
 *     staging  one key                   where operations of the user put their key
 *
 * Of these only values and keys are regions that programs can reach; keys (for bpf_for_each_map_elem) are read-only.
 */
export class Layout {
  #end: number;

  /** Starts at an address, or at 0 to reckon sizes. */
  constructor(start: number) {
    this.#end = start;
  }

  /** An area that programs may touch: alone on its pages. */
  pages(bytes: number): number {
    const start = alignUp(this.#end, 4096);
    this.#end = alignUp(start + bytes, 4096);
    return start;
  }

  area(bytes: number, alignment = 8): number {
    const start = alignUp(this.#end, alignment);
    this.#end = start + bytes;
    return start;
  }

  words(count: number): number {
    return this.area(count * 4);
  }

  get end(): number {
    return this.#end;
  }
}

export function strideOf(size: number): number {
  return alignUp(size, 8);
}

/** The values of a map, which programs reach. */
export function valueRegion(spec: MapSpec, start: number, end: number, stride: number, readOnly = false): Region {
  return {
    name: `value of map ${spec.name}`,
    start,
    end,
    writable: !readOnly && (spec.flags & BPF_F_RDONLY_PROG) === 0,
    stride,
    size: spec.valueSize,
  };
}

/** The keys of a map, which callbacks of bpf_for_each_map_elem read. */
export function keyRegion(spec: MapSpec, start: number, end: number, stride: number): Region {
  return { name: `key of map ${spec.name}`, start, end, writable: false, stride, size: spec.keySize };
}
