import { type MapSpec, type ObjectSpec, PLAIN_MAP, type ProgramSpec } from '../../src/object/spec.ts';
import type { FuzzedType } from './verifier-writer.ts';

export interface Fuzzed {
  readonly type: FuzzedType;
  readonly bytes: Uint8Array;
}

/** Maps that every program can name, by index. */
export const MAPS = { array: 0, hash: 1, ring: 2, single: 3 } as const;
export const VALUE_BYTES = 48;
const TYPES = [
  { name: 'values', kind: 'array', type: 2, keySize: 4, valueSize: VALUE_BYTES, maxEntries: 4 },
  { name: 'entries', kind: 'hash', type: 1, keySize: 8, valueSize: VALUE_BYTES, maxEntries: 16 },
  { name: 'events', kind: 'ringbuf', type: 27, keySize: 0, valueSize: 0, maxEntries: 4096 },
  { name: 'single', kind: 'array', type: 2, keySize: 4, valueSize: VALUE_BYTES, maxEntries: 1 },
] as const;

/** As `oracle raw` takes them. */
export const ORACLE_MAPS = TYPES.map(({ kind, keySize, valueSize, maxEntries }) => ({
  type: kind,
  keySize,
  valueSize,
  maxEntries,
}));
export const MAP_SPECS: readonly MapSpec[] = TYPES.map(({ kind: _, ...sizes }) => ({ ...PLAIN_MAP, ...sizes }));

/** The program as an object that holds nothing else. */
export function objectOf({ type, bytes }: Fuzzed): ObjectSpec & { readonly programs: readonly [ProgramSpec] } {
  const program: ProgramSpec = {
    name: 'fuzzed',
    section: type,
    type,
    attachType: null,
    frags: false,
    sleepable: false,
    autoload: true,
    instructions: bytes,
    functions: [],
    lines: [],
  };
  return { license: 'GPL', programs: [program], maps: MAP_SPECS, btf: null, kernelSymbols: [], relocations: [] };
}
