import { mapTypeId } from '../abi/map-types.ts';
import { seededRandom } from '../base/random.ts';
import type { MapSpec, ObjectSpec } from '../object/spec.ts';
import { asCreated } from '../runtime/maps/index.ts';
import { LinearMemory, MemoryPlan } from '../runtime/memory/memory.ts';
import { HOST_DEFAULTS, joinedMaps } from './host.ts';
import { isReadOnly, MapDesk } from './map-desk.ts';
import type { DumpedEntry } from './map-dump.ts';
import { putEntry } from './map-init.ts';
import { MapRoom } from './maps.ts';

export interface KeeperOptions {
  readonly cpus?: number;
  readonly maxMemory?: number;
}

/** A dumped entry, and the map that it is of. */
export type KeptEntry = DumpedEntry & { readonly map: string };

const BPF_F_NO_COMMON_LRU = 1 << 1;
const BPF_F_RDONLY = 1 << 3;

/** Nothing ages once no packet runs: what was in the map stays, and a full one says so. */
const WITHOUT_AGE: ReadonlyMap<number, number> = new Map([
  [mapTypeId('lru_hash'), mapTypeId('hash')],
  [mapTypeId('lru_percpu_hash'), mapTypeId('percpu_hash')],
]);

/**
 * The maps of the objects of a host without its programs, holding what a dump of them held: to be read and edited after a replay.
 * Throws `LoadError` or `OptionError`.
 */
export function keepMaps(
  objects: readonly { readonly object: ObjectSpec; readonly program: string }[],
  contents: Iterable<KeptEntry>,
  options: KeeperOptions = {},
): MapDesk {
  const { cpus, maxMemory } = { ...HOST_DEFAULTS, ...options };
  const plan = new MemoryPlan(maxMemory);
  const joined = joinedMaps(objects).maps;
  const specs = joined.map(({ map }) => kept(asCreated(map, cpus)));
  const allotments = MapRoom.plan(specs, plan, cpus);
  const room = new MapRoom(specs, allotments, {
    memory: new LinearMemory(plan),
    cpus,
    current: { cpu: 0 },
    random: seededRandom(0),
  });
  const programs = objects.flatMap(({ object }) => object.programs.map(({ name }) => name));
  const names = {
    given: {
      map: (name: string) => room.named(name),
      program: (name: string) => (programs.includes(name) ? programs.indexOf(name) : undefined),
    },
    shown: { program: (index: number) => programs[index], map: (handle: number) => room.at(handle)?.spec.name },
  };
  /** A stack is shown from its top, and built from its bottom. */
  const stacked: KeptEntry[] = [];
  const put = (entry: KeptEntry) => putEntry(room.named(entry.map)!, entry, 0n, `map ${entry.map}`, names.given);
  for (const entry of contents) {
    if (room.named(entry.map)?.type.name === 'stack') stacked.push(entry);
    else put(entry);
  }
  for (const entry of stacked.reverse()) put(entry);
  const asDefined = new Map(joined.map(({ map, owner }) => [map.name, { map, btf: objects[owner]!.object.btf }]));
  return new MapDesk(
    room.maps,
    ({ spec }) => asDefined.get(spec.name)!.btf,
    names,
    ({ spec }) => isReadOnly(asDefined.get(spec.name)!.map),
  );
}

function kept(spec: MapSpec): MapSpec {
  const type = WITHOUT_AGE.get(spec.type) ?? spec.type;
  return { ...spec, type, flags: spec.flags & ~(BPF_F_NO_COMMON_LRU | BPF_F_RDONLY) };
}
