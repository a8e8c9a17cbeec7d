import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType, RedirectMap } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import { BPF_EXIST, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_WRONLY, BPF_NOEXIST } from './flags.ts';
import { FreeSlots, planFreeSlots } from './free-slots.ts';
import { bucketsOf, planHashTable } from './hash-areas.ts';
import { HashTable } from './hash-table.ts';
import { Layout, strideOf, valueRegion } from './layout.ts';
import { deviceHashRoutines } from './routines/device-hash.ts';
import { slotRoutines } from './routines/slots.ts';
import { checkEntries, checkFlags, checkKeySize, firstRefusal } from './rules.ts';
import { readWord, SlotMap, slotMapBytes } from './slot-map.ts';

const HELPERS = new Set(['redirect_map', 'map_lookup_elem']);

export const devmap: MapType = {
  name: 'devmap',
  id: mapTypeId('devmap'),
  perCpu: false,
  threads: 'free',
  helpers: HELPERS,
  check,
  bytes: slotMapBytes,
  create: (spec, host) => new DeviceMap(spec, host),
};

export const devmapHash: MapType = {
  name: 'devmap_hash',
  id: mapTypeId('devmap_hash'),
  perCpu: false,
  helpers: HELPERS,
  check: (spec) => check(spec) ?? firstRefusal(spec.maxEntries > 2 ** 31 && 'max_entries must be at most 2147483648'),
  bytes: (spec) => planHashed(spec, 0).end,
  create: (spec, host) => new DeviceHash(spec, host),
};

function check(spec: MapSpec): string | undefined {
  return firstRefusal(
    checkEntries(spec),
    checkKeySize(spec, 4),
    spec.valueSize !== 4 &&
      spec.valueSize !== 8 &&
      `value_size is ${spec.valueSize} and must be 4 (an interface index) or 8 (struct bpf_devmap_val)`,
    checkFlags(spec, BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY),
  );
}

/**
 * The value as Linux keeps it: struct bpf_devmap_val { ifindex, bpf_prog.id }, the id being 0. undefined when it names
 * a program to run behind the redirect: there is none that the user could name here.
 */
function deviceValue(value: Uint8Array): Uint8Array | undefined {
  if (value.length === 4) return value;
  if ((readWord(value, 4) | 0) > 0) return undefined;
  const kept = value.slice();
  kept.fill(0, 4);
  return kept;
}

/** Interfaces by index; interface 0 takes one out. */
class DeviceMap extends SlotMap implements RedirectMap {
  constructor(spec: MapSpec, host: MapHost) {
    super(devmap, spec, host, true);
  }

  get routines(): MapRoutines {
    return slotRoutines(this.areas, { lookup: (value) => value, target: (value) => value.load() });
  }

  override lookup(key: number): number {
    const index = this.memory.view.getUint32(key, true);
    return this.has(index) ? this.addressOf(index) : 0;
  }

  targetAt(key: number): number {
    return this.has(key) ? this.memory.u32[this.addressOf(key) >>> 2]! : -1;
  }

  targets(): number[] {
    return [...this.indices()].map((index) => this.targetAt(index));
  }

  protected override refusal(index: number, value: Uint8Array, flags: bigint): number {
    if (flags > BPF_EXIST) return -ERRNO.EINVAL;
    if (index >= this.spec.maxEntries) return -ERRNO.E2BIG;
    if (flags === BigInt(BPF_NOEXIST)) return -ERRNO.EEXIST;
    return deviceValue(value) === undefined ? -ERRNO.EINVAL : 0;
  }

  protected override put(index: number, value: Uint8Array): void {
    if (readWord(value) === 0) this.drop(index);
    else super.put(index, deviceValue(value)!);
  }
}

/** Values, then the table (a key's hash is the key), then free slots. */
function planHashed(spec: MapSpec, start: number) {
  const layout = new Layout(start);
  const values = layout.pages(spec.maxEntries * strideOf(spec.valueSize));
  const table = planHashTable(layout, 4, bucketsOf(spec.maxEntries), spec.maxEntries, 0);
  const free = planFreeSlots(layout, spec.maxEntries);
  const staging = layout.area(8);
  return { values, table, free, staging, end: layout.end };
}

/** Interfaces by any u32. */
class DeviceHash extends BaseMap implements RedirectMap {
  readonly #values: number;
  readonly #table: HashTable;
  readonly #free: FreeSlots;

  constructor(spec: MapSpec, host: MapHost) {
    const areas = planHashed(spec, host.start);
    super(devmapHash, spec, host, areas.staging);
    this.#values = areas.values;
    this.#table = new HashTable(host.memory, areas.table, 4);
    this.#free = new FreeSlots(host.memory, areas.free, spec.maxEntries);
    host.addRegion(valueRegion(spec, this.#values, this.#addressOf(spec.maxEntries), strideOf(spec.valueSize), true));
  }

  get routines(): MapRoutines {
    const values = { start: this.#values, size: 0, stride: strideOf(this.spec.valueSize), copies: 1 };
    const table = this.#table.code((_routine, key) => key.load());
    return deviceHashRoutines({ handle: this.handle, table, values, staging: this.staging });
  }

  override lookup(key: number): number {
    const slot = this.#find(key);
    return slot < 0 ? 0 : this.#addressOf(slot);
  }

  targetAt(key: number): number {
    this.memory.view.setUint32(this.staging, key, true);
    const slot = this.#find(this.staging);
    return slot < 0 ? -1 : this.#interfaceOf(slot);
  }

  targets(): number[] {
    return this.#table.slots().map((slot) => this.#interfaceOf(slot));
  }

  protected override read(key: number): Uint8Array | undefined {
    const slot = this.#find(key);
    return slot < 0 ? undefined : this.#copy(slot);
  }

  protected override write(key: number, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if (!(value instanceof Uint8Array) || value.length !== this.spec.valueSize) return -ERRNO.EINVAL;
    if (flags > BPF_EXIST || readWord(value) === 0) return -ERRNO.EINVAL;
    const old = this.#find(key);
    if (old >= 0 && flags === BigInt(BPF_NOEXIST)) return -ERRNO.EEXIST;
    const kept = deviceValue(value);
    if (kept === undefined) return -ERRNO.EINVAL;
    // Linux replaces the entry by a new one at the head of its bucket. BPF_EXIST asks for nothing here.
    if (old >= 0) this.#drop(old);
    const slot = this.#free.take();
    if (slot < 0) return -ERRNO.E2BIG;
    this.#table.link(slot, key, this.memory.view.getUint32(key, true));
    this.memory.u8.set(kept, this.#addressOf(slot));
    return 0;
  }

  protected override erase(key: number): number {
    const slot = this.#find(key);
    if (slot < 0) return -ERRNO.ENOENT;
    this.#drop(slot);
    return 0;
  }

  *entries(): Generator<MapEntry> {
    for (const slot of this.#table.slots()) yield { key: this.#table.userKey(slot), value: this.#copy(slot) };
  }

  clear(): void {
    this.#table.clear();
    this.#free.clear();
  }

  #find(key: number): number {
    return this.#table.find(key, this.memory.view.getUint32(key, true));
  }

  #drop(slot: number): void {
    this.#table.unlink(slot);
    this.#free.give(slot);
  }

  #addressOf(slot: number): number {
    return this.#values + slot * strideOf(this.spec.valueSize);
  }

  #interfaceOf(slot: number): number {
    return this.memory.u32[this.#addressOf(slot) >>> 2]!;
  }

  #copy(slot: number): Uint8Array {
    return this.memory.u8.slice(this.#addressOf(slot), this.#addressOf(slot) + this.spec.valueSize);
  }
}
