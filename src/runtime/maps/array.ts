import { ERRNO } from '../../abi/errno.ts';
import type { BpfMap, MapEntry, MapHost, MapType } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import { alignUp } from '../../base/bytes.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import { BPF_F_INNER_MAP, BPF_F_MMAPABLE, BPF_F_NUMA_NODE, BPF_NOEXIST, updateMode, wantsLock } from './flags.ts';
import { keyRegion, Layout, strideOf } from './layout.ts';
import { arrayRoutines } from './routines/array.ts';
import { ACCESS_FLAGS, checkEntries, checkFlags, checkKeySize, firstRefusal, PERCPU_MAX } from './rules.ts';
import { ValueSlots } from './value-slots.ts';

const CACHE_LINE = 64;
const HELPERS = ['map_lookup_elem', 'map_update_elem', 'map_delete_elem', 'for_each_map_elem'];

export const array: MapType = {
  name: 'array',
  id: mapTypeId('array'),
  perCpu: false,
  threads: 'free',
  helpers: new Set(HELPERS),
  check: (spec) => checkArray(spec, BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_INNER_MAP | ACCESS_FLAGS, 2 ** 31 - 1),
  bytes: (spec, cpus) => plan(spec, 1, cpus, 0).end,
  create: (spec, host) => new ArrayMap(array, spec, host),
};

export const percpuArray: MapType = {
  name: 'percpu_array',
  id: mapTypeId('percpu_array'),
  perCpu: true,
  threads: 'free',
  helpers: new Set([...HELPERS, 'map_lookup_percpu_elem']),
  check: (spec) => checkArray(spec, ACCESS_FLAGS, PERCPU_MAX),
  bytes: (spec, cpus, isShared) => plan(spec, cpus, cpus, 0, isShared).end,
  create: (spec, host) => new ArrayMap(percpuArray, spec, host),
};

function checkArray(spec: MapSpec, flags: number, largest: number): string | undefined {
  return firstRefusal(
    checkKeySize(spec, 4),
    checkEntries(spec),
    spec.valueSize === 0 && 'value_size is 0 and must be at least 1',
    checkFlags(spec, flags),
    strideOf(spec.valueSize) > largest && `value_size is ${spec.valueSize} and must be at most ${largest}`,
  );
}

/** Values, then the key that a callback sees on each CPU, then staging. */
function plan(spec: MapSpec, copies: number, cpus: number, start: number, isShared = false) {
  const layout = new Layout(start);
  // Threads that write into one line of the cache take it from one another.
  const stride = isShared && copies > 1 ? alignUp(spec.valueSize, CACHE_LINE) : strideOf(spec.valueSize);
  const values = layout.pages(spec.maxEntries * copies * stride);
  const callbackKey = layout.pages(8 * cpus);
  const staging = layout.area(8);
  return { values, stride, callbackKey, staging, end: layout.end };
}

class ArrayMap extends BaseMap implements BpfMap {
  readonly #values: ValueSlots;
  /** Of CPU 0. */
  readonly #callbackKey: number;

  constructor(type: MapType, spec: MapSpec, host: MapHost) {
    const isShared = host.memory.shared !== undefined;
    const { values, stride, callbackKey, staging } = plan(
      spec,
      type.perCpu ? host.cpus : 1,
      host.cpus,
      host.start,
      isShared,
    );
    super(type, spec, host, staging);
    this.#values = new ValueSlots(host, spec, { start: values, stride }, spec.maxEntries, type.perCpu);
    host.addRegion(this.#values.region);
    this.#callbackKey = callbackKey;
    host.addRegion(keyRegion(spec, callbackKey, callbackKey + 8 * host.cpus, 8));
    if (host.adopts !== true) this.#setData();
  }

  get routines(): MapRoutines {
    return arrayRoutines(this.handle, this.spec.maxEntries, this.#values.area);
  }

  override lookup(key: number): number {
    const index = this.memory.view.getUint32(key, true);
    return index < this.spec.maxEntries ? this.#values.at(index) : 0;
  }

  lookupPerCpu(key: number, cpu: number): number {
    const index = this.memory.view.getUint32(key, true);
    return index < this.spec.maxEntries ? this.#values.atCpu(index, cpu) : 0;
  }

  override update(key: number, value: number, flags: bigint): number {
    const error = this.#refusal(key, flags);
    if (error === 0) this.#values.set(this.memory.view.getUint32(key, true), value);
    return error;
  }

  override delete(_key: number): number {
    return -ERRNO.EINVAL;
  }

  forEach(each: (key: number, value: number) => bigint): number {
    const { u32 } = this.memory;
    const key = this.#callbackKey + 8 * this.host.current.cpu;
    const word = key >>> 2;
    // A callback may walk this very map: the outer key is put back behind it.
    const outer = u32[word]!;
    let calls = 0;
    let stop = 0n;
    while (calls < this.spec.maxEntries && stop === 0n) {
      u32[word] = calls;
      stop = each(key, this.#values.at(calls));
      calls++;
    }
    u32[word] = outer;
    return calls;
  }

  protected override read(key: number): Uint8Array | readonly Uint8Array[] | undefined {
    const index = this.memory.view.getUint32(key, true);
    return index < this.spec.maxEntries ? this.#values.userGet(index, this.type.perCpu) : undefined;
  }

  protected override write(key: number, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if (!this.#values.accepts(value)) return -ERRNO.EINVAL;
    // A value with a lock would be needed; the user's side asks before all else.
    if (wantsLock(flags)) return -ERRNO.EINVAL;
    const error = this.#refusal(key, flags);
    if (error === 0) this.#values.userSet(this.memory.view.getUint32(key, true), value);
    return error;
  }

  *entries(): Generator<MapEntry> {
    for (let index = 0; index < this.spec.maxEntries; index++) {
      // A DataView for each of a large array's keys would take most of the time of its dump.
      const key = new Uint8Array(4);
      for (let byte = 0; byte < 4; byte++) key[byte] = index >>> (8 * byte);
      yield { key, value: this.#values.userGet(index, this.type.perCpu) };
    }
  }

  clear(): void {
    this.#values.clear();
    this.#setData();
  }

  /** A data section (.data, .rodata …) is an array of one element that holds it from the start. */
  #setData(): void {
    const { data } = this.spec;
    if (data !== null) this.memory.u8.set(data.subarray(0, this.spec.valueSize), this.#values.start);
  }

  /** 0, or why an update cannot be: every element exists from the start. */
  #refusal(key: number, flags: bigint): number {
    const mode = updateMode(flags);
    if (mode < 0) return -ERRNO.EINVAL;
    if (this.memory.view.getUint32(key, true) >= this.spec.maxEntries) return -ERRNO.E2BIG;
    if (mode === BPF_NOEXIST) return -ERRNO.EEXIST;
    return wantsLock(flags) ? -ERRNO.EINVAL : 0;
  }
}
