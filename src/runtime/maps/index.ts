import type { BpfMap, MapHost, MapType } from '../../abi/map.ts';
import { mapTypeName } from '../../abi/map-types.ts';
import { invariant } from '../../base/errors.ts';
import type { MapSpec } from '../../object/spec.ts';
import { array, percpuArray } from './array.ts';
import { hash, percpuHash } from './hash.ts';
import { progArray } from './prog-array.ts';

/** The map types that run here, by BPF_MAP_TYPE_*. */
export const mapTypes: ReadonlyMap<number, MapType> = new Map(
  [array, hash, percpuArray, percpuHash, progArray].map((type) => [type.id, type]),
);

/** Why a map cannot be created, in words, or undefined. */
export function checkMap(spec: MapSpec): string | undefined {
  const type = mapTypes.get(spec.type);
  if (type === undefined) return `maps of type ${mapTypeName(spec.type)} are not supported`;
  return type.check(spec);
}

/** Makes a map of a spec that `checkMap` found good, in the `bytes()` bytes that the host gives. */
export function createMap(spec: MapSpec, host: MapHost): BpfMap {
  const type = mapTypes.get(spec.type);
  invariant(type !== undefined, `map ${spec.name} has type ${spec.type}, which checkMap refuses`);
  return type.create(spec, host);
}
