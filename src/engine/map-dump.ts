import type { BpfMap, MapEntry } from '../abi/map.ts';
import { mapTypeName } from '../abi/map-types.ts';

/** A map's contents, as `run --maps` gives them: hex in memory order, names where a map holds programs or maps. */
export interface MapDump {
  readonly map: string;
  /** libbpf's name of the type. */
  readonly type: string;
  readonly entries: readonly DumpedEntry[];
}

export interface DumpedEntry {
  readonly key: string;
  /** A list for a per-CPU map: one value a CPU. */
  readonly value: string | readonly string[];
}

/** What the values of a PROG_ARRAY and of a map-in-map stand for. */
export interface DumpNames {
  program(index: number): string | undefined;
  map(handle: number): string | undefined;
}

/** Arrays have every element from the start: only those that are not zero are worth showing. */
const SPARSE: ReadonlySet<string> = new Set(['array', 'percpu_array']);

/** Contents of other types are no entries: records that were delivered, slots that only the kernel fills. */
export function dumpMap(map: BpfMap, names: DumpNames): MapDump {
  const entries = [...dumpEntries(map, names)];
  return { map: map.spec.name, type: mapTypeName(map.spec.type), entries };
}

/** One after the other. The map must not change meanwhile. */
export function* dumpEntries(map: BpfMap, names: DumpNames): Generator<DumpedEntry> {
  const sparse = SPARSE.has(mapTypeName(map.spec.type));
  for (const { key, value } of map.entries()) {
    if (!sparse || !isZero(value)) yield dumpEntry(map, key, value, names);
  }
}

export function dumpEntry(map: BpfMap, key: Uint8Array, value: MapEntry['value'], names: DumpNames): DumpedEntry {
  return { key: key.toHex(), value: valueText(mapTypeName(map.spec.type), value, names) };
}

function valueText(type: string, value: MapEntry['value'], names: DumpNames): string | readonly string[] {
  if (!(value instanceof Uint8Array)) return value.map((each) => each.toHex());
  const number = () => new DataView(value.buffer, value.byteOffset).getUint32(0, true);
  if (type === 'prog_array') return `program:${names.program(number())}`;
  if (type === 'array_of_maps' || type === 'hash_of_maps') return `map:${names.map(number())}`;
  return value.toHex();
}

function isZero(value: MapEntry['value']): boolean {
  return value instanceof Uint8Array ? value.every((byte) => byte === 0) : value.every(isZero);
}
