import { ERRNO } from '../../abi/errno.ts';
import type { MapHost, MapType } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import type { MapSpec } from '../../object/spec.ts';
import {
  BPF_F_INNER_MAP,
  BPF_F_NO_PREALLOC,
  BPF_F_NUMA_NODE,
  BPF_F_RDONLY,
  BPF_F_WRONLY,
  BPF_F_ZERO_SEED,
} from './flags.ts';
import { checkHash, HashMap, planHash } from './hash.ts';
import { hashOfMapsLookup } from './routines/hash.ts';
import { slotRoutines } from './routines/slots.ts';
import { ACCESS_FLAGS, checkEntries, checkFlags, checkKeySize, checkValueSize, firstRefusal } from './rules.ts';
import { readWord, SlotMap, slotMapBytes } from './slot-map.ts';

const HELPERS = new Set(['map_lookup_elem']);

export const arrayOfMaps: MapType = {
  name: 'array_of_maps',
  id: mapTypeId('array_of_maps'),
  perCpu: false,
  threads: 'free',
  helpers: HELPERS,
  check: (spec) =>
    firstRefusal(
      checkInner(spec),
      checkKeySize(spec, 4),
      checkValueSize(spec, 4),
      checkEntries(spec),
      checkFlags(spec, BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY),
    ),
  bytes: slotMapBytes,
  create: (spec, host) => new ArrayOfMaps(spec, host),
};

export const hashOfMaps: MapType = {
  name: 'hash_of_maps',
  id: mapTypeId('hash_of_maps'),
  perCpu: false,
  threads: 'free',
  helpers: HELPERS,
  check: (spec) =>
    firstRefusal(
      checkInner(spec),
      checkValueSize(spec, 4),
      checkHash(spec, BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | ACCESS_FLAGS, false),
    ),
  bytes: (spec, cpus) => planHash(false, spec, cpus, 0).end,
  create: (spec, host) => new HashOfMaps(hashOfMaps, spec, host),
};

/** Types that cannot be the inner map of another. */
const NEVER_INNER: ReadonlySet<number> = new Set([mapTypeId('prog_array'), arrayOfMaps.id, hashOfMaps.id]);

function checkInner({ inner }: MapSpec): string | false {
  if (inner === null) return 'a map of maps needs the definition of its inner map';
  return NEVER_INNER.has(inner.type) && 'its inner map can be neither a program array nor a map of maps';
}

/** Types whose max_entries is part of what programs were verified with. */
const FIXED_LENGTH: ReadonlySet<number> = new Set([
  mapTypeId('array'),
  mapTypeId('percpu_array'),
  mapTypeId('perf_event_array'),
  mapTypeId('xskmap'),
]);

/** Whether a map may stand where programs were verified for a map like `template`. */
function fits(template: MapSpec, map: MapSpec): boolean {
  return (
    map.type === template.type &&
    map.keySize === template.keySize &&
    map.valueSize === template.valueSize &&
    map.flags === template.flags &&
    (map.maxEntries === template.maxEntries || !FIXED_LENGTH.has(map.type) || (template.flags & BPF_F_INNER_MAP) !== 0)
  );
}

/** 0, or why the handle in a user's value cannot be put into the map. */
function handleRefusal(spec: MapSpec, host: MapHost, value: Uint8Array): number {
  const inner = host.mapAt(readWord(value));
  return inner !== undefined && fits(spec.inner!, inner.spec) ? 0 : -ERRNO.EINVAL;
}

/** A value is the handle of the inner map, 4 bytes: what a program's lookup gives. */
class ArrayOfMaps extends SlotMap {
  protected override readonly deleteErrors = { beyond: -ERRNO.E2BIG, absent: -ERRNO.ENOENT };

  constructor(spec: MapSpec, host: MapHost) {
    super(arrayOfMaps, spec, host, false);
  }

  get routines(): MapRoutines {
    return slotRoutines(this.areas, { lookup: (value) => value.load() });
  }

  override lookup(key: number): number {
    const index = this.memory.view.getUint32(key, true);
    return this.has(index) ? this.memory.u32[this.addressOf(index) >>> 2]! : 0;
  }

  protected override refusal(index: number, value: Uint8Array, flags: bigint): number {
    if (flags !== 0n) return -ERRNO.EINVAL;
    if (index >= this.spec.maxEntries) return -ERRNO.E2BIG;
    return handleRefusal(this.spec, this.host, value);
  }
}

class HashOfMaps extends HashMap {
  override get routines(): MapRoutines {
    return { lookup: (routines) => hashOfMapsLookup(routines, this.handle, super.routines.lookup!(routines)) };
  }

  override lookup(key: number): number {
    const value = super.lookup(key);
    return value === 0 ? 0 : this.memory.u32[value >>> 2]!;
  }

  protected override write(key: number, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if (!(value instanceof Uint8Array) || value.length !== 4) return -ERRNO.EINVAL;
    return handleRefusal(this.spec, this.host, value) || super.write(key, value, flags);
  }
}
