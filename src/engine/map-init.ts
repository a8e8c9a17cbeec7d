import { ERRNO, errnoName } from '../abi/errno.ts';
import type { BpfMap, ProgramArray } from '../abi/map.ts';
import { OptionError } from '../base/errors.ts';

/**
 * Initial contents of maps by name. Keys and values are hex, in memory order; a per-CPU map
 * takes one value for all CPUs or a list. A PROG_ARRAY takes `program:NAME`, a map-in-map `map:NAME`.
 */
export type MapInit = Readonly<Record<string, readonly MapInitEntry[]>>;

export interface MapInitEntry {
  readonly key: string;
  readonly value: string | readonly string[];
}

/** What names in initial contents stand for. */
export interface MapInitNames {
  map(name: string): BpfMap | undefined;
  /** Index of a program in the instance; it is loaded when it is named. */
  program(name: string): number | undefined;
}

/** Program names that the initial contents mention. */
export function programsNamed(init: MapInit): string[] {
  return Object.values(init)
    .flat()
    .flatMap(({ value }) =>
      typeof value === 'string' && value.startsWith(PROGRAM) ? [value.slice(PROGRAM.length)] : [],
    );
}

const PROGRAM = 'program:';
const MAP = 'map:';

/** Fills the maps; throws `OptionError` that names the map and the entry. */
export function fillMaps(init: MapInit, names: MapInitNames): void {
  for (const [name, entries] of Object.entries(init)) {
    const map = names.map(name);
    if (map === undefined) throw new OptionError('no-such-map', `initial contents: the object has no map ${name}`);
    for (const [index, entry] of entries.entries())
      fillOne(map, entry, `initial contents of map ${name}, entry ${index}`, names);
  }
}

function fillOne(map: BpfMap, entry: MapInitEntry, where: string, names: MapInitNames): void {
  const result = putEntry(map, entry, 0n, where, names);
  if (result !== 0) throw new OptionError('map-update', `${where}: update fails with ${errnoText(-result)}`);
}

/**
 * Puts an entry that is written as above into the map: 0 or the negated errno of BPF_MAP_UPDATE_ELEM with these flags.
 * Throws `OptionError` that begins with `where`.
 */
export function putEntry(map: BpfMap, entry: MapInitEntry, flags: bigint, where: string, names: MapInitNames): number {
  const key = bytesOf(entry.key, map.spec.keySize, `${where}: key`);
  const { value } = entry;
  if (typeof value !== 'string' || !value.startsWith(PROGRAM)) {
    return map.userUpdate(key, valueBytes(map, value, where, names), flags);
  }
  const program = names.program(value.slice(PROGRAM.length));
  if (program === undefined)
    throw new OptionError('no-such-program', `${where}: no program ${value.slice(PROGRAM.length)}`);
  if (!('setProgram' in map)) throw new OptionError('bad-map-value', `${where}: only a PROG_ARRAY holds programs`);
  const index = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
  (map as ProgramArray).setProgram(index, program);
  return index < map.spec.maxEntries ? 0 : -ERRNO.E2BIG;
}

function valueBytes(
  map: BpfMap,
  value: MapInitEntry['value'],
  where: string,
  names: MapInitNames,
): Uint8Array | Uint8Array[] {
  if (typeof value !== 'string') return value.map((each) => bytesOf(each, map.spec.valueSize, `${where}: value`));
  if (!value.startsWith(MAP)) return bytesOf(value, map.spec.valueSize, `${where}: value`);
  const inner = names.map(value.slice(MAP.length));
  if (inner === undefined) throw new OptionError('no-such-map', `${where}: no map ${value.slice(MAP.length)}`);
  return handleBytes(inner);
}

/** A map-in-map holds its inner maps by handle. */
export function handleBytes(map: BpfMap): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, map.handle, true);
  return bytes;
}

/** Bytes from hex. Throws `OptionError` that begins with `where`. */
export function bytesOf(hex: unknown, size: number, where: string): Uint8Array {
  if (typeof hex !== 'string' || !/^([0-9a-f]{2})*$/i.test(hex)) {
    throw new OptionError('bad-hex', `${where} is to be a string of hex digits, two a byte`);
  }
  if (hex.length !== 2 * size) {
    throw new OptionError('bad-size', `${where} has ${hex.length / 2} bytes; the map's have ${size}`);
  }
  return Uint8Array.fromHex(hex);
}

export function errnoText(number: number): string {
  return errnoName(number) ?? `errno ${number}`;
}
