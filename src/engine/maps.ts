import type { BpfMap, ProgramArray, RingBuffer } from '../abi/map.ts';
import { LoadError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { MapSpec } from '../object/spec.ts';
import { checkMap, createMap, mapTypes } from '../runtime/maps/index.ts';
import { LockedMap } from '../runtime/maps/locked-map.ts';
import type { Allotment, LinearMemory, MemoryPlan } from '../runtime/memory/memory.ts';
import { handleBytes } from './map-init.ts';

/** Handles are small numbers in page zero, where nothing is mapped: one for each map, never null. */
const FIRST_HANDLE = 4096;
const HANDLE_STEP = 8;
const MOST_MAPS = 4096;
/** Each lock has a cache line of its own. */
export const LOCK_BYTES = 64;

interface Current {
  cpu: number;
}

/** The maps of an instance: planned, made in the memory, and put back to their first state at will. */
export class MapRoom {
  readonly maps: readonly BpfMap[];
  readonly ringBuffers: readonly RingBuffer[];
  /** Maps by handle. */
  readonly #byHandle = new Map<number, BpfMap>();
  readonly #adopts: boolean;

  /** Asks each map's type whether it can be, and reserves its bytes. Throws `LoadError` or `OptionError`. */
  static plan(specs: readonly MapSpec[], plan: MemoryPlan, cpus: number, isShared = false): readonly Allotment[] {
    if (specs.length > MOST_MAPS) {
      throw new LoadError(`the object has ${specs.length} maps; ${MOST_MAPS} at most can be made`, {
        code: 'too-many-maps',
        stage: 'create',
      });
    }
    return specs.map((spec) => {
      const problem = checkMap(spec);
      if (problem !== undefined) {
        throw new LoadError(`map ${spec.name} cannot be created: ${problem}`, {
          code: 'map-create',
          stage: 'create',
          section: spec.section,
        });
      }
      return plan.allot(`map ${spec.name}`, mapTypes.get(spec.type)!.bytes(spec, cpus, isShared));
    });
  }

  /** `locks`: address of `LOCK_BYTES` a map, where threads share the memory. */
  constructor(
    specs: readonly MapSpec[],
    allotments: readonly Allotment[],
    host: { memory: LinearMemory; cpus: number; current: Current; random: Random; adopts?: boolean },
    locks = 0,
  ) {
    this.#adopts = host.adopts === true;
    this.maps = specs.map((spec, index) => {
      const handle = FIRST_HANDLE + index * HANDLE_STEP;
      const own = createMap(spec, {
        ...host,
        start: allotments[index]!.start,
        handle,
        addRegion: (region) => host.memory.addRegion(region),
        mapAt: (address) => this.#byHandle.get(address),
      });
      const { shared } = host.memory;
      const isLocked = shared !== undefined && own.type.threads === 'locked';
      const map = isLocked ? new LockedMap(own, shared, locks + index * LOCK_BYTES) : own;
      this.#byHandle.set(handle, map);
      return map;
    });
    this.ringBuffers = this.maps.filter((map): map is RingBuffer => 'drain' in map);
  }

  at(handle: number): BpfMap | undefined {
    return this.#byHandle.get(handle);
  }

  named(name: string): BpfMap | undefined {
    return this.maps.find((map) => map.spec.name === name);
  }

  /**
   * Puts in what an object itself says of its maps: data sections, and `values` of map definitions. Where another thread
   * has done so, only the programs are asked for.
   */
  initialise(maps: readonly BpfMap[], programIndex: (name: string) => number): void {
    for (const map of maps) {
      const { spec } = map;
      if (spec.data !== null && !this.#adopts) this.#update(map, new Uint8Array(4), spec.data);
      for (const { index, target } of spec.values) {
        const program = target.type === 'program' ? programIndex(target.name) : -1;
        if (this.#adopts) continue;
        if (target.type === 'program') (map as ProgramArray).setProgram(index, program);
        else this.#update(map, keyBytes(spec, index), handleBytes(maps[target.map]!));
      }
    }
  }

  #update(map: BpfMap, key: Uint8Array, value: Uint8Array): void {
    const result = map.userUpdate(key, value, 0n);
    if (result === 0) return;
    throw new LoadError(`map ${map.spec.name} does not take its initial contents (errno ${-result})`, {
      code: 'map-init',
      stage: 'create',
      section: map.spec.section,
    });
  }
}

function keyBytes(spec: MapSpec, index: number): Uint8Array {
  const key = new Uint8Array(spec.keySize);
  new DataView(key.buffer).setUint32(0, index, true);
  return key;
}
