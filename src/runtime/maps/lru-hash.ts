import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import {
  BPF_EXIST,
  BPF_F_NO_COMMON_LRU,
  BPF_F_NUMA_NODE,
  BPF_F_ZERO_SEED,
  BPF_NOEXIST,
  updateMode,
  wantsLock,
} from './flags.ts';
import { checkHash, HASH_HELPERS } from './hash.ts';
import { addTableRegions, bucketsOf, planTableWithValues } from './hash-areas.ts';
import { HashTable } from './hash-table.ts';
import { jhash } from './jhash.ts';
import { Layout } from './layout.ts';
import { LruList, type LruShape, planLru } from './lru-list.ts';
import { lruRoutines } from './routines/lru.ts';
import { ACCESS_FLAGS } from './rules.ts';
import { ValueSlots } from './value-slots.ts';

const FLAGS = BPF_F_NO_COMMON_LRU | BPF_F_ZERO_SEED | ACCESS_FLAGS;

export const lruHash: MapType = {
  name: 'lru_hash',
  id: mapTypeId('lru_hash'),
  perCpu: false,
  threads: 'locked',
  helpers: new Set(HASH_HELPERS),
  check: (spec) => checkHash(spec, FLAGS | BPF_F_NUMA_NODE, false),
  bytes: (spec, cpus) => plan(lruHash, spec, cpus, 0).end,
  create: (spec, host) => new LruHashMap(lruHash, spec, host),
};

export const lruPercpuHash: MapType = {
  name: 'lru_percpu_hash',
  id: mapTypeId('lru_percpu_hash'),
  perCpu: true,
  threads: 'locked',
  helpers: new Set([...HASH_HELPERS, 'map_lookup_percpu_elem']),
  check: (spec) => checkHash(spec, FLAGS, true),
  bytes: (spec, cpus) => plan(lruPercpuHash, spec, cpus, 0).end,
  create: (spec, host) => new LruHashMap(lruPercpuHash, spec, host),
};

/** With BPF_F_NO_COMMON_LRU each CPU has as many slots as the others, at least one. */
function shapeOf(spec: MapSpec, cpus: number): LruShape {
  const perCpuLists = (spec.flags & BPF_F_NO_COMMON_LRU) !== 0;
  return { perCpuLists, cpus, slots: perCpuLists ? Math.ceil(spec.maxEntries / cpus) * cpus : spec.maxEntries };
}

function plan(type: MapType, spec: MapSpec, cpus: number, start: number) {
  const shape = shapeOf(spec, cpus);
  const layout = new Layout(start);
  const buckets = bucketsOf(shape.slots);
  const { table, values } = planTableWithValues(layout, spec, buckets, shape.slots, type.perCpu ? cpus : 1);
  const lru = planLru(layout, shape);
  const staging = layout.area(spec.keySize);
  return { shape, values, table, buckets, lru, staging, end: layout.end };
}

/** A hash that never is full: it evicts (LruList says whom). */
class LruHashMap extends BaseMap {
  readonly #table: HashTable;
  readonly #values: ValueSlots;
  readonly #lru: LruList;
  #fresh = false;

  constructor(type: MapType, spec: MapSpec, host: MapHost) {
    const areas = plan(type, spec, host.cpus, host.start);
    super(type, spec, host, areas.staging);
    this.#table = new HashTable(host.memory, areas.table, spec.keySize);
    this.#values = new ValueSlots(host, spec, areas.values, areas.shape.slots, type.perCpu);
    addTableRegions(host, spec, areas.table, areas.shape.slots, this.#values.region);
    this.#lru = new LruList(host.memory, areas.lru, areas.shape, (slot) => this.#table.unlink(slot));
    if (host.adopts !== true) this.#lru.clear();
  }

  get routines(): MapRoutines {
    return lruRoutines({
      handle: this.handle,
      table: this.#table.code(),
      values: this.#values.area,
      lru: this.#lru.areas,
      perCpu: this.type.perCpu,
      fetch: (cpu) => this.#lru.fetch(cpu),
    });
  }

  override lookup(key: number): number {
    const slot = this.#find(key);
    if (slot < 0) return 0;
    this.#lru.reference(slot);
    return this.#values.at(slot);
  }

  lookupPerCpu(key: number, cpu: number): number {
    if (cpu >= this.host.cpus) return 0;
    const slot = this.#find(key);
    if (slot < 0) return 0;
    this.#lru.reference(slot);
    return this.#values.atCpu(slot, cpu);
  }

  override update(key: number, value: number, flags: bigint): number {
    const slot = this.#place(key, flags);
    if (slot < 0) return slot;
    if (this.#fresh) this.#values.setFresh(slot, value);
    else this.#values.set(slot, value);
    return 0;
  }

  override delete(key: number): number {
    const slot = this.#find(key);
    if (slot < 0) return -ERRNO.ENOENT;
    this.#table.unlink(slot);
    this.#lru.give(slot);
    return 0;
  }

  forEach(each: (key: number, value: number) => bigint): number {
    let calls = 0;
    this.#table.walk((slot) => {
      calls++;
      return each(this.#table.keyAt(slot), this.#values.at(slot)) === 0n;
    });
    return calls;
  }

  protected override read(key: number): Uint8Array | readonly Uint8Array[] | undefined {
    const slot = this.#find(key);
    return slot < 0 ? undefined : this.#values.userGet(slot, this.type.perCpu);
  }

  protected override write(key: number, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if (!this.#values.accepts(value)) return -ERRNO.EINVAL;
    const slot = this.#place(key, flags);
    if (slot < 0) return slot;
    this.#values.userSet(slot, value);
    return 0;
  }

  *entries(): Generator<MapEntry> {
    for (const slot of this.#table.slots()) {
      yield { key: this.#table.userKey(slot), value: this.#values.userGet(slot, this.type.perCpu) };
    }
  }

  clear(): void {
    this.#table.clear();
    this.#lru.clear();
    this.#values.clear();
  }

  #find(key: number): number {
    return this.#table.find(key, jhash(this.memory, key, this.spec.keySize, 0));
  }

  /** As in a hash map, but the slot is taken first, whether or not it will be needed: that alone can evict. */
  #place(key: number, flags: bigint): number {
    const mode = updateMode(flags);
    if (mode < 0 || wantsLock(flags)) return -ERRNO.EINVAL;
    const hash = jhash(this.memory, key, this.spec.keySize, 0);
    const inPlace = this.type.perCpu;
    const taken = inPlace && mode === BPF_EXIST ? -1 : this.#lru.take(this.host.current.cpu);
    if (taken < 0 && !(inPlace && mode === BPF_EXIST)) return -ERRNO.ENOMEM;
    const old = this.#table.find(key, hash);
    this.#fresh = old < 0;
    const refusal = old < 0 ? mode === BPF_EXIST && -ERRNO.ENOENT : mode === BPF_NOEXIST && -ERRNO.EEXIST;
    if (refusal !== false) {
      if (taken >= 0) this.#lru.give(taken);
      return refusal;
    }
    if (old >= 0 && inPlace) {
      this.#lru.reference(old);
      if (taken >= 0) this.#lru.give(taken);
      return old;
    }
    if (old >= 0) {
      this.#lru.reference(taken);
      this.#table.replace(old, taken, key, hash);
      this.#lru.give(old);
    } else this.#table.link(taken, key, hash);
    return taken;
  }
}
