import type { BpfMap, MapHost } from '../../abi/map.ts';
import { type MapTypeName, mapTypeId } from '../../abi/map-types.ts';
import { invariant } from '../../base/errors.ts';
import { seededRandom } from '../../base/random.ts';
import { type MapSpec, PLAIN_MAP } from '../../object/spec.ts';
import { LinearMemory, MemoryPlan } from '../memory/memory.ts';
import { checkMap, createMap, mapTypes } from './index.ts';
import { readWord, word } from './slot-map.ts';

export const u32 = word;
export const fromU32 = (bytes: Uint8Array): number => readWord(bytes);

/** For tests: a spec in few words. */
export function mapSpec(type: MapTypeName | number, fields: Partial<MapSpec> = {}): MapSpec {
  return {
    ...PLAIN_MAP,
    name: 'm',
    type: typeof type === 'number' ? type : mapTypeId(type),
    keySize: 4,
    valueSize: 4,
    maxEntries: 4,
    ...fields,
  };
}

/** For tests: a machine that has maps and nothing else, and room to put a program's keys and values. */
export class TestHost {
  readonly memory: LinearMemory;
  readonly maps: BpfMap[];
  readonly current = { cpu: 0 };
  readonly #key: number;
  readonly #value: number;

  constructor(specs: readonly MapSpec[], cpus = 2) {
    const plan = new MemoryPlan(2 ** 30);
    const scratch = plan.allot('scratch', 2 ** 17);
    const allotments = specs.map((spec) => {
      const refusal = checkMap(spec);
      invariant(refusal === undefined, `the map cannot be: ${refusal}`);
      return plan.allot(spec.name, mapTypes.get(spec.type)!.bytes(spec, cpus, false));
    });
    this.memory = new LinearMemory(plan);
    this.#key = scratch.start;
    this.#value = scratch.start + 2 ** 16;
    const handles = new Map<number, BpfMap>();
    this.maps = specs.map((spec, index) => {
      const host: MapHost = {
        memory: this.memory,
        start: allotments[index]!.start,
        handle: 16 + index * 8,
        cpus,
        current: this.current,
        random: seededRandom(1),
        addRegion: (region) => this.memory.addRegion(region),
        mapAt: (handle) => handles.get(handle),
      };
      const map = createMap(spec, host);
      handles.set(host.handle, map);
      return map;
    });
  }

  /** Puts a key where a program would have it. */
  key(bytes: Uint8Array | number): number {
    this.memory.u8.set(typeof bytes === 'number' ? u32(bytes) : bytes, this.#key);
    return this.#key;
  }

  value(bytes: Uint8Array | number): number {
    this.memory.u8.set(typeof bytes === 'number' ? u32(bytes) : bytes, this.#value);
    return this.#value;
  }

  u32At(address: number): number {
    return this.memory.view.getUint32(address, true);
  }
}

/** One map on a host of its own. */
export function oneMap(spec: MapSpec, cpus = 2): { host: TestHost; map: BpfMap } {
  const host = new TestHost([spec], cpus);
  return { host, map: host.maps[0]! };
}
