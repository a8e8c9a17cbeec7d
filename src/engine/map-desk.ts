import type { BpfMap } from '../abi/map.ts';
import { mapTypeName } from '../abi/map-types.ts';
import { OptionError } from '../base/errors.ts';
import type { Btf } from '../object/btf/btf.ts';
import { encodeValue } from '../object/btf/encode.ts';
import { formatValue, type JsonValue } from '../object/btf/value.ts';
import { encodeVariables, formatVariables, variablesOf } from '../object/btf/variables.ts';
import type { MapSpec } from '../object/spec.ts';
import { type DumpedEntry, type DumpNames, dumpEntries, dumpEntry, type MapDump } from './map-dump.ts';
import { bytesOf, errnoText, type MapInitEntry, type MapInitNames, putEntry } from './map-init.ts';

/**
 * An entry as it is shown: hex in memory order, and what its bytes mean by the map's BTF; null where it has none. The
 * value of a data section (`.bss`) is an object of its variables.
 */
export interface ShownEntry extends DumpedEntry {
  readonly decoded: { readonly key: JsonValue; readonly value: JsonValue };
}

export interface EntryPage {
  readonly entries: readonly ShownEntry[];
  /** Where the next page begins; null on the last. */
  readonly next: number | null;
}

/** BPF_ANY, BPF_NOEXIST, BPF_EXIST of linux/bpf.h. */
export const UPDATE_MODES = { any: 0n, noexist: 1n, exist: 2n } as const;
export type UpdateMode = keyof typeof UPDATE_MODES;

/** A change of one entry, as it is kept in a journal. `value` is as in initial contents; null deletes. */
export interface MapEdit {
  readonly map: string;
  readonly key: string;
  readonly value: MapInitEntry['value'] | null;
  readonly mode: UpdateMode;
}

/** A change of one entry, as people write it. */
export interface WantedEdit {
  readonly map: string;
  /** Hex, or JSON by the type of the key. Of a queue or stack, which has no keys, `-`. */
  readonly key: string;
  /**
   * The value as in initial contents, or as JSON by its type (of a per-CPU map a list of them; of a data section the
   * variables that are to change); null deletes.
   */
  readonly change: { readonly value: MapInitEntry['value'] } | { readonly decoded: JsonValue } | null;
  readonly mode: UpdateMode;
}

/** What the values of some maps stand for, in both directions. */
export interface DeskNames {
  readonly shown: DumpNames;
  readonly given: MapInitNames;
}

const BPF_F_RDONLY = 1 << 3;
const BPF_F_RDONLY_PROG = 1 << 7;

/** What user space cannot change: maps that are made so, and data that libbpf freezes once it is loaded. */
export function isReadOnly({ flags, data }: MapSpec): boolean {
  return (flags & BPF_F_RDONLY) !== 0 || (data !== null && (flags & BPF_F_RDONLY_PROG) !== 0);
}

/** Their values are numbers that mean something in here only. */
const BY_NAME: ReadonlySet<string> = new Set(['prog_array', 'array_of_maps', 'hash_of_maps']);
const NO_KEY = '-';

/**
 * Reads and edits the maps of an instance from outside, between packets, as bpf(2) does. Everything throws
 * `OptionError`: `no-such-map`, `bad-map-key`, `bad-map-value`, `bad-hex`, `bad-size`, `map-update`.
 */
export class MapDesk {
  readonly #maps: readonly BpfMap[];
  readonly #btfOf: (map: BpfMap) => Btf | null;
  readonly #names: DeskNames;
  readonly #readOnly: (map: BpfMap) => boolean;
  /** Where the last page ended: the next one usually begins there. */
  #open: { readonly map: BpfMap; at: number; readonly rest: Iterator<DumpedEntry> } | undefined;

  constructor(
    maps: readonly BpfMap[],
    btfOf: (map: BpfMap) => Btf | null,
    names: DeskNames,
    readOnly: (map: BpfMap) => boolean = (map) => isReadOnly(map.spec),
  ) {
    this.#maps = maps;
    this.#btfOf = btfOf;
    this.#names = names;
    this.#readOnly = readOnly;
  }

  /** Every map with all that it holds, one after the other. */
  *contents(): Generator<{ readonly map: string; readonly type: string; readonly entries: Iterable<DumpedEntry> }> {
    for (const map of this.#maps) {
      const { name, type } = map.spec;
      yield { map: name, type: mapTypeName(type), entries: dumpEntries(map, this.#names.shown) };
    }
  }

  /** Undefined where the map has no such entry. */
  entry(name: string, key: string): ShownEntry | undefined {
    const map = this.#map(name);
    const bytes = this.#key(map, key);
    const value = map.userLookup(bytes);
    return value === undefined ? undefined : this.#shown(map, dumpEntry(map, bytes, value, this.#names.shown));
  }

  /** Entries from the one with the number `at`; elements of arrays that are all zero are left out. */
  entries(name: string, at: number, limit: number): EntryPage {
    const map = this.#map(name);
    if (this.#open?.map !== map || this.#open.at !== at) {
      const rest = dumpEntries(map, this.#names.shown);
      for (let skipped = 0; skipped < at && rest.next().done !== true; ) skipped++;
      this.#open = { map, at, rest };
    }
    const entries: ShownEntry[] = [];
    for (let next = this.#open.rest.next(); next.done !== true; next = this.#open.rest.next()) {
      entries.push(this.#shown(map, next.value));
      if (entries.length < limit) continue;
      this.#open.at += entries.length;
      return { entries, next: this.#open.at };
    }
    this.#open = undefined;
    return { entries, next: null };
  }

  /** The global variables by name, of a map that holds them, as a dump of it has them; undefined for other maps. */
  variables({ map: name, entries: [entry] }: MapDump): JsonValue | undefined {
    const map = this.#map(name);
    const btf = this.#btfOf(map);
    const variables = variablesOf(btf, map.spec);
    if (btf === null || variables.length === 0) return undefined;
    const hex = entry === undefined ? '' : (entry.value as string);
    // A section that is all zero is no entry of a dump.
    return formatVariables(btf, variables, Uint8Array.fromHex(hex.padEnd(2 * map.spec.valueSize, '0')));
  }

  /** Tells that the maps may have changed. */
  refresh(): void {
    this.#open = undefined;
  }

  /** The edit with its key and value as they are kept. */
  resolve({ map: name, key, change, mode }: WantedEdit): MapEdit {
    const map = this.#map(name);
    const hex = this.#key(map, key).toHex();
    if (change === null) return { map: name, key: hex, value: null, mode: 'any' };
    const value = 'value' in change ? change.value : this.#encoded(map, hex, change.decoded);
    return { map: name, key: hex, value, mode };
  }

  /** Throws where the map does not take the edit; it is then as it was. */
  apply({ map: name, key, value, mode }: MapEdit): void {
    const map = this.#map(name);
    const where = `map ${name}`;
    this.refresh();
    if (this.#readOnly(map)) {
      throw new OptionError('map-update', `${where} cannot be changed (EPERM): user space may only read it`);
    }
    if (value !== null && BY_NAME.has(map.type.name) && !(typeof value === 'string' && value.includes(':'))) {
      throw new OptionError('bad-map-value', `${where} takes program:NAME or map:NAME, not bytes`);
    }
    const result =
      value === null
        ? map.userDelete(bytesOf(key, map.spec.keySize, `${where}: key`))
        : putEntry(map, { key, value }, UPDATE_MODES[mode], where, this.#names.given);
    if (result === 0) return;
    const errno = errnoText(-result);
    const meaning = MEANINGS[errno];
    throw new OptionError(
      'map-update',
      `${where} does not take it: ${errno}${meaning === undefined ? '' : ` (${meaning})`}`,
    );
  }

  #map(name: string): BpfMap {
    const map = this.#maps.find(({ spec }) => spec.name === name);
    if (map !== undefined) return map;
    const names = this.#maps.map(({ spec }) => spec.name).join(', ');
    throw new OptionError('no-such-map', `there is no map ${name}; there are: ${names || 'none'}`);
  }

  #shown(map: BpfMap, entry: DumpedEntry): ShownEntry {
    const { keyBtfId, valueBtfId } = map.spec;
    const btf = this.#btfOf(map);
    const variables = variablesOf(btf, map.spec);
    const decode = (id: number | null, hex: string) => {
      if (btf === null || id === null) return null;
      const bytes = Uint8Array.fromHex(hex);
      return id === valueBtfId && variables.length > 0
        ? formatVariables(btf, variables, bytes)
        : formatValue(btf, id, bytes);
    };
    const value = BY_NAME.has(map.type.name)
      ? null
      : typeof entry.value === 'string'
        ? decode(valueBtfId, entry.value)
        : entry.value.map((each) => decode(valueBtfId, each));
    return { ...entry, decoded: { key: decode(keyBtfId, entry.key), value } };
  }

  #key(map: BpfMap, text: string): Uint8Array {
    const { spec } = map;
    const btf = this.#btfOf(map);
    if (spec.keySize === 0 && text === NO_KEY) return new Uint8Array(0);
    if (text.length === 2 * spec.keySize && /^[0-9a-f]*$/i.test(text)) return Uint8Array.fromHex(text);
    if (btf === null || spec.keyBtfId === null) {
      const what = `${2 * spec.keySize} hex digits`;
      throw new OptionError(
        'bad-map-key',
        `a key of map ${spec.name} is to be ${what}; the object tells no type of it`,
      );
    }
    try {
      return sized(encodeValue(btf, spec.keyBtfId, jsonOrText(text)), spec.keySize);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new OptionError(
        'bad-map-key',
        `a key of map ${spec.name} is to be hex, or JSON by its type: ${error.message}`,
      );
    }
  }

  #encoded(map: BpfMap, key: string, decoded: JsonValue): string | string[] {
    const { name, valueBtfId, valueSize } = map.spec;
    const btf = this.#btfOf(map);
    if (btf === null || valueBtfId === null) {
      throw new OptionError('bad-map-value', `the object tells no type for values of map ${name}; give it in hex`);
    }
    const variables = variablesOf(btf, map.spec);
    if (variables.length > 0) {
      const before = map.userLookup(Uint8Array.fromHex(key));
      if (before instanceof Uint8Array) return encodeVariables(btf, variables, before, decoded).toHex();
    }
    const encode = (value: JsonValue) => sized(encodeValue(btf, valueBtfId, value), valueSize).toHex();
    if (!map.type.perCpu) return encode(decoded);
    if (Array.isArray(decoded)) return decoded.map(encode);
    throw new OptionError('bad-map-value', `map ${name} has a value for each CPU; give a list of them`);
  }
}

/** What bpf(2) says of maps by these. */
const MEANINGS: Readonly<Record<string, string>> = {
  E2BIG: 'it is full, or the key lies behind its last',
  ENOENT: 'there is no such entry',
  EEXIST: 'there is such an entry',
  ENOSPC: 'it is full',
  EINVAL: 'the map or this entry cannot be changed so',
  ENOTSUPP: 'maps of this type have no such operation',
};

/** A map's sizes need not be those of the types that it names. */
function sized(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length === size) return bytes;
  throw new OptionError('bad-map-value', `its type has ${bytes.length} bytes; the map's have ${size}`);
}

/** Enums and text may stand without quotes. */
function jsonOrText(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
