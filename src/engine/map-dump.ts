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
  const type = mapTypeName(map.spec.type);
  const entries: DumpedEntry[] = [];
  for (const entry of map.entries()) {
    if (SPARSE.has(type) && isZero(entry.value)) continue;
    entries.push({ key: entry.key.toHex(), value: valueText(type, entry.value, names) });
  }
  return { map: map.spec.name, type, entries };
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
