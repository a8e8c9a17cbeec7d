import type { BpfMap, MapHost, MapType } from '../../abi/map.ts';
import { mapTypeName } from '../../abi/map-types.ts';
import { invariant } from '../../base/errors.ts';
import type { MapSpec } from '../../object/spec.ts';
import { array, percpuArray } from './array.ts';
import { bloomFilter } from './bloom-filter.ts';
import { cpumap } from './cpumap.ts';
import { devmap, devmapHash } from './devmap.ts';
import { hash, percpuHash } from './hash.ts';
import { inertMapTypes } from './inert.ts';
import { lpmTrie } from './lpm-trie.ts';
import { lruHash, lruPercpuHash } from './lru-hash.ts';
import { arrayOfMaps, hashOfMaps } from './map-in-map.ts';
import { perfEventArray } from './perf-event-array.ts';
import { progArray } from './prog-array.ts';
import { queue, stack } from './queue-stack.ts';
import { ringbuf } from './ringbuf.ts';
import { xskmap } from './xskmap.ts';

/** The map types that run here, by BPF_MAP_TYPE_*. */
export const mapTypes: ReadonlyMap<number, MapType> = new Map(
  [
    hash,
    array,
    progArray,
    perfEventArray,
    percpuHash,
    percpuArray,
    lruHash,
    lruPercpuHash,
    lpmTrie,
    arrayOfMaps,
    hashOfMaps,
    devmap,
    cpumap,
    xskmap,
    queue,
    stack,
    devmapHash,
    ringbuf,
    bloomFilter,
    ...inertMapTypes,
  ].map((type) => [type.id, type]),
);

/**
 * The spec with which libbpf creates the map (bpf_object__create_map, libbpf's documented defaults): a perf event
 * array without max_entries has one for each CPU, a ring buffer's size is rounded up to a power of two of pages.
 */
export function asCreated(spec: MapSpec, cpus: number): MapSpec {
  if (spec.type === perfEventArray.id && spec.maxEntries === 0) return { ...spec, maxEntries: cpus };
  if (spec.type === ringbuf.id && spec.maxEntries > 0) {
    return { ...spec, maxEntries: 2 ** Math.max(12, Math.ceil(Math.log2(spec.maxEntries))) };
  }
  return spec;
}

/** Why Linux would not create a map, or why it cannot run here, in words; undefined when it can be. */
export function checkMap(spec: MapSpec): string | undefined {
  const type = mapTypes.get(spec.type);
  if (type === undefined) return `maps of type ${mapTypeName(spec.type)} are not supported`;
  if (spec.mapExtra !== 0n && type !== bloomFilter) return `map_extra is ${spec.mapExtra} and must be 0`;
  return type.check(spec);
}

/** Makes a map of a spec that `checkMap` found good, in the `bytes()` bytes that the host gives. */
export function createMap(spec: MapSpec, host: MapHost): BpfMap {
  const type = mapTypes.get(spec.type);
  invariant(type !== undefined, `map ${spec.name} has type ${spec.type}, which checkMap refuses`);
  return type.create(spec, host);
}
