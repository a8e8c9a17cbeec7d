import type { BpfMap, MapEntry, MapType } from '../../abi/map.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import type { MapSpec } from '../../object/spec.ts';
import { acquire, release } from '../memory/lock.ts';
import { lockedRoutines } from './routines/locked.ts';

type Values = Uint8Array | readonly Uint8Array[];

/**
 * A map that several threads have in the memory they share, each through an object of its own: programs' operations
 * exclude one another by a lock. The values that lookups give are nobody's alone, as in Linux; nor is a walk of
 * bpf_for_each_map_elem, which sees what others do meanwhile or does not. The user comes when no thread runs.
 */
export class LockedMap implements BpfMap {
  readonly spec: MapSpec;
  readonly type: MapType;
  readonly handle: number;
  readonly #map: BpfMap;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #lock: number;
  readonly lookupPerCpu?: (key: number, cpu: number) => number;
  readonly push?: (value: number, flags: bigint) => number;
  readonly pop?: (value: number) => number;
  readonly peek?: (value: number) => number;
  readonly forEach?: (each: (key: number, value: number) => bigint) => number;

  /** `lock`: address of a word of the memory. */
  constructor(map: BpfMap, words: Int32Array<SharedArrayBuffer>, lock: number) {
    this.spec = map.spec;
    this.type = map.type;
    this.handle = map.handle;
    this.#map = map;
    this.#words = words;
    this.#lock = lock;
    if (map.lookupPerCpu) this.lookupPerCpu = (key, cpu) => this.#hold(() => map.lookupPerCpu!(key, cpu));
    if (map.push) this.push = (value, flags) => this.#hold(() => map.push!(value, flags));
    if (map.pop) this.pop = (value) => this.#hold(() => map.pop!(value));
    if (map.peek) this.peek = (value) => this.#hold(() => map.peek!(value));
    if (map.forEach) this.forEach = (each) => map.forEach!(each);
  }

  get routines(): MapRoutines | undefined {
    const { routines } = this.#map;
    return routines && lockedRoutines(routines, this.handle, this.#lock);
  }

  lookup(key: number): number {
    return this.#hold(() => this.#map.lookup(key));
  }

  update(key: number, value: number, flags: bigint): number {
    return this.#hold(() => this.#map.update(key, value, flags));
  }

  delete(key: number): number {
    return this.#hold(() => this.#map.delete(key));
  }

  userLookup(key: Uint8Array): Values | undefined {
    return this.#map.userLookup(key);
  }

  userUpdate(key: Uint8Array, value: Values, flags: bigint): number {
    return this.#map.userUpdate(key, value, flags);
  }

  userDelete(key: Uint8Array): number {
    return this.#map.userDelete(key);
  }

  entries(): Iterable<MapEntry> {
    return this.#map.entries();
  }

  clear(): void {
    this.#map.clear();
  }

  #hold(operation: () => number): number {
    acquire(this.#words, this.#lock);
    try {
      return operation();
    } finally {
      release(this.#words, this.#lock);
    }
  }
}
