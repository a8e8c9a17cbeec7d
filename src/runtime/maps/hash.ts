import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import {
  BPF_EXIST,
  BPF_F_NO_PREALLOC,
  BPF_F_NUMA_NODE,
  BPF_F_ZERO_SEED,
  BPF_NOEXIST,
  updateMode,
  wantsLock,
} from './flags.ts';
import { FreeSlots, planFreeSlots } from './free-slots.ts';
import { addTableRegions, bucketsOf, planTableWithValues } from './hash-areas.ts';
import { HashTable } from './hash-table.ts';
import { jhash } from './jhash.ts';
import { Layout } from './layout.ts';
import { hashRoutines } from './routines/hash.ts';
import { ACCESS_FLAGS, checkEntries, checkFlags, firstRefusal, KMALLOC_MAX, PERCPU_MAX } from './rules.ts';
import { ValueSlots } from './value-slots.ts';

export const HASH_HELPERS = ['map_lookup_elem', 'map_update_elem', 'map_delete_elem', 'for_each_map_elem'];
const FLAGS = BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED | ACCESS_FLAGS;

/** Bytes of an element before its key, and the entries whose table Linux can still make: as the kernel answers. */
const ELEMENT_HEAD = 48;
const MAX_ENTRIES = 2 ** 27;

export const hash: MapType = {
  name: 'hash',
  id: mapTypeId('hash'),
  perCpu: false,
  threads: 'locked',
  helpers: new Set(HASH_HELPERS),
  check: (spec) => checkHash(spec, FLAGS | BPF_F_NUMA_NODE, false),
  bytes: (spec, cpus) => planHash(false, spec, cpus, 0).end,
  create: (spec, host) => new HashMap(hash, spec, host),
};

export const percpuHash: MapType = {
  name: 'percpu_hash',
  id: mapTypeId('percpu_hash'),
  perCpu: true,
  threads: 'locked',
  helpers: new Set([...HASH_HELPERS, 'map_lookup_percpu_elem']),
  check: (spec) => checkHash(spec, FLAGS, true),
  bytes: (spec, cpus) => planHash(true, spec, cpus, 0).end,
  create: (spec, host) => new HashMap(percpuHash, spec, host),
};

export function checkHash(spec: MapSpec, flags: number, perCpu: boolean): string | undefined {
  const { keySize, valueSize } = spec;
  return firstRefusal(
    checkFlags(spec, flags),
    checkEntries(spec),
    keySize === 0 && 'key_size is 0 and must be at least 1',
    valueSize === 0 && 'value_size is 0 and must be at least 1',
    keySize + valueSize >= KMALLOC_MAX - ELEMENT_HEAD &&
      `key_size and value_size together must be below ${KMALLOC_MAX - ELEMENT_HEAD}`,
    spec.maxEntries > MAX_ENTRIES && `max_entries must be at most ${MAX_ENTRIES}`,
    perCpu && valueSize > PERCPU_MAX && `value_size is ${valueSize} and must be at most ${PERCPU_MAX}`,
  );
}

/**
 * Linux replaces an entry by a new element, so that the old one's bytes stay for who points at them: the new one is the
 * CPU's spare, which the old one then becomes; without preallocation the old one is free for the next new entry. Values
 * per CPU change in place.
 */
export function planHash(perCpu: boolean, spec: MapSpec, cpus: number, start: number) {
  const preallocated = (spec.flags & BPF_F_NO_PREALLOC) === 0;
  const spares = preallocated && !perCpu ? cpus : 0;
  const freeSlots = spec.maxEntries + (preallocated || perCpu ? 0 : 1);
  const slots = freeSlots + spares;
  const layout = new Layout(start);
  const { table, values } = planTableWithValues(layout, spec, bucketsOf(spec.maxEntries), slots, perCpu ? cpus : 1);
  const free = planFreeSlots(layout, freeSlots);
  const spare = layout.words(spares);
  const staging = layout.area(spec.keySize);
  return { values, table, free, freeSlots, spare, spares, staging, slots, end: layout.end };
}

export class HashMap extends BaseMap {
  protected readonly table: HashTable;
  protected readonly values: ValueSlots;
  readonly #free: FreeSlots;
  readonly #freeStart: number;
  readonly #spare: number;
  readonly #spares: number;
  /** Whether the last `#place` made an entry. */
  #fresh = false;

  constructor(type: MapType, spec: MapSpec, host: MapHost) {
    const areas = planHash(type.perCpu, spec, host.cpus, host.start);
    super(type, spec, host, areas.staging);
    this.table = new HashTable(host.memory, areas.table, spec.keySize);
    this.values = new ValueSlots(host, spec, areas.values, areas.slots, type.perCpu);
    addTableRegions(host, spec, areas.table, areas.slots, this.values.region);
    this.#free = new FreeSlots(host.memory, areas.free, areas.freeSlots);
    this.#freeStart = areas.free;
    this.#spare = areas.spare >>> 2;
    this.#spares = areas.spares;
    if (host.adopts !== true) this.#layOutSpares();
  }

  get routines(): MapRoutines {
    return hashRoutines({
      handle: this.handle,
      entries: this.spec.maxEntries,
      table: this.table.code(),
      values: this.values.area,
      free: this.#freeStart,
      spare: this.#spares === 0 ? undefined : this.#spare * 4,
      perCpu: this.type.perCpu,
    });
  }

  override lookup(key: number): number {
    const slot = this.#find(key);
    return slot < 0 ? 0 : this.values.at(slot);
  }

  lookupPerCpu(key: number, cpu: number): number {
    const slot = this.#find(key);
    return slot < 0 ? 0 : this.values.atCpu(slot, cpu);
  }

  override update(key: number, value: number, flags: bigint): number {
    const slot = this.#place(key, flags);
    if (slot < 0) return slot;
    if (this.#fresh) this.values.setFresh(slot, value);
    else this.values.set(slot, value);
    return 0;
  }

  override delete(key: number): number {
    const slot = this.#find(key);
    if (slot < 0) return -ERRNO.ENOENT;
    this.table.unlink(slot);
    this.#free.give(slot);
    return 0;
  }

  forEach(each: (key: number, value: number) => bigint): number {
    let calls = 0;
    this.table.walk((slot) => {
      calls++;
      return each(this.table.keyAt(slot), this.values.at(slot)) === 0n;
    });
    return calls;
  }

  protected override read(key: number): Uint8Array | readonly Uint8Array[] | undefined {
    const slot = this.#find(key);
    return slot < 0 ? undefined : this.values.userGet(slot, this.type.perCpu);
  }

  protected override write(key: number, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if (!this.values.accepts(value)) return -ERRNO.EINVAL;
    const slot = this.#place(key, flags);
    if (slot < 0) return slot;
    this.values.userSet(slot, value);
    return 0;
  }

  *entries(): Generator<MapEntry> {
    for (const slot of this.table.slots()) {
      yield { key: this.table.userKey(slot), value: this.values.userGet(slot, this.type.perCpu) };
    }
  }

  clear(): void {
    this.table.clear();
    this.#free.clear();
    this.values.clear();
    this.#layOutSpares();
  }

  #hash(key: number): number {
    // Seed 0 whether or not BPF_F_ZERO_SEED asks for it: the same dump every time.
    return jhash(this.memory, key, this.spec.keySize, 0);
  }

  #find(key: number): number {
    return this.table.find(key, this.#hash(key));
  }

  /** The slot that takes the value of an update, linked under its key; or a negated errno. */
  #place(key: number, flags: bigint): number {
    const mode = updateMode(flags);
    if (mode < 0 || wantsLock(flags)) return -ERRNO.EINVAL;
    const hash = this.#hash(key);
    const old = this.table.find(key, hash);
    this.#fresh = old < 0;
    if (old < 0) {
      if (mode === BPF_EXIST) return -ERRNO.ENOENT;
      if (this.#free.taken === this.spec.maxEntries) return -ERRNO.E2BIG;
      const slot = this.#free.take();
      this.table.link(slot, key, hash);
      return slot;
    }
    if (mode === BPF_NOEXIST) return -ERRNO.EEXIST;
    if (this.type.perCpu) return old;
    const slot = this.#spares === 0 ? this.#free.take() : this.#exchangeSpare(old);
    if (this.#spares === 0) this.#free.give(old);
    this.table.replace(old, slot, key, hash);
    return slot;
  }

  /** The CPU's spare slot, in whose place `old` steps. */
  #exchangeSpare(old: number): number {
    const word = this.#spare + this.host.current.cpu;
    const slot = this.memory.u32[word]!;
    this.memory.u32[word] = old;
    return slot;
  }

  #layOutSpares(): void {
    for (let cpu = 0; cpu < this.#spares; cpu++) this.memory.u32[this.#spare + cpu] = this.spec.maxEntries + cpu;
  }
}
