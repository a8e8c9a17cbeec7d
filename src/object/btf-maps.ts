import { LoadError } from '../base/errors.ts';
import type { Btf, BtfMember } from './btf/btf.ts';
import { resolveType, sizeOf } from './btf/types.ts';
import type { MapSpec } from './spec.ts';

/**
 * Maps in section `.maps`: a struct type whose members say what the map is (bpf_helpers.h: `__uint(name, n)` is a
 * pointer to an array of n elements, `__type(name, t)` a pointer to t, `__array(values, t)` an array of pointers).
 */
export interface BtfMapDefinition {
  readonly spec: MapSpec;
  /** Where the initialisers of `values` start, in bytes from the variable's start; null without that member. */
  readonly valuesOffset: number | null;
}

interface Fields {
  type?: number;
  key_size?: number;
  value_size?: number;
  max_entries?: number;
  map_flags?: number;
  map_extra?: bigint;
  numa_node?: number;
  pinning?: number;
  key?: number;
  value?: number;
  inner?: MapSpec;
  valuesOffset?: number;
}

const NUMBERS = ['type', 'key_size', 'value_size', 'max_entries', 'map_flags', 'numa_node', 'pinning'] as const;
const isNumber = (name: string): name is (typeof NUMBERS)[number] => (NUMBERS as readonly string[]).includes(name);

function mapError(code: string, map: string, message: string, help?: string): LoadError {
  const detail = { stage: 'maps', code, section: '.maps' } as const;
  return new LoadError(`map ${map}: ${message}`, help === undefined ? detail : { ...detail, help });
}

/** The map that variable `name`, of type `id`, defines. Throws `LoadError` of stage `maps`. */
export function readBtfMap(btf: Btf, name: string, id: number, isInner = false): BtfMapDefinition {
  const definition = resolveType(btf, id);
  if (definition.kind !== 'struct') {
    throw mapError('bad-map-definition', name, `its type is a ${definition.kind}, not a struct`);
  }
  const fields: Fields = {};
  for (const member of definition.members) readMember(btf, name, member, fields, isInner);
  if (fields.type === undefined) {
    throw mapError('map-without-type', name, 'it has no type', 'Add __uint(type, BPF_MAP_TYPE_…) to its definition');
  }
  const spec: MapSpec = {
    name,
    type: fields.type,
    keySize: sizeOfSide(btf, name, 'key', fields.key_size, fields.key),
    // A slot of a map-in-map or PROG_ARRAY with initial values holds a file descriptor.
    valueSize: fields.valuesOffset !== undefined ? 4 : sizeOfSide(btf, name, 'value', fields.value_size, fields.value),
    maxEntries: fields.max_entries ?? 0,
    flags: fields.map_flags ?? 0,
    mapExtra: fields.map_extra ?? 0n,
    pinning: fields.pinning ?? 0,
    numaNode: fields.numa_node ?? 0,
    keyBtfId: fields.key ?? null,
    valueBtfId: fields.value ?? null,
    inner: fields.inner ?? null,
    section: '.maps',
    data: null,
    values: [],
  };
  return { spec, valuesOffset: fields.valuesOffset ?? null };
}

function readMember(btf: Btf, map: string, member: BtfMember, fields: Fields, isInner: boolean): void {
  const { name } = member;
  if (isNumber(name)) {
    fields[name] = Number(BigInt.asUintN(32, numberOf(btf, map, member)));
  } else if (name === 'map_extra') {
    fields.map_extra = numberOf(btf, map, member);
  } else if (name === 'key' || name === 'value') {
    const pointer = resolveType(btf, member.type);
    if (pointer.kind !== 'ptr') {
      throw mapError('bad-map-definition', map, `${name} is a ${pointer.kind}`, `Write __type(${name}, …)`);
    }
    fields[name] = pointer.type;
  } else if (name === 'values') {
    if (isInner) throw mapError('bad-map-definition', map, 'an inner map has `values` of its own');
    fields.valuesOffset = Math.floor(member.bitOffset / 8);
    const target = elementPointee(btf, map, member);
    const pointee = resolveType(btf, target);
    if (pointee.kind === 'struct') fields.inner = readBtfMap(btf, `${map}.inner`, target, true).spec;
    else if (pointee.kind !== 'func_proto') {
      throw mapError('bad-map-definition', map, `values points to a ${pointee.kind}`, 'Use maps or programs as values');
    }
  } else {
    throw mapError('unknown-map-field', map, `its definition has a member '${name}', which means nothing`);
  }
}

/** `__uint(name, n)`; or `__ulong(name, n)`, an enum type with one value. */
function numberOf(btf: Btf, map: string, member: BtfMember): bigint {
  const type = resolveType(btf, member.type);
  if ((type.kind === 'enum' || type.kind === 'enum64') && type.values[0] !== undefined) return type.values[0].value;
  if (type.kind === 'ptr') {
    const array = resolveType(btf, type.type);
    if (array.kind === 'array') return BigInt(array.nelems);
  }
  throw mapError('bad-map-definition', map, `${member.name} is no number`, `Write __uint(${member.name}, …)`);
}

/** `__array(values, t)`: the id of t. */
function elementPointee(btf: Btf, map: string, member: BtfMember): number {
  const array = resolveType(btf, member.type);
  const pointer = array.kind === 'array' ? resolveType(btf, array.type) : array;
  if (pointer.kind === 'ptr') return pointer.type;
  throw mapError('bad-map-definition', map, 'values is no array of pointers', 'Write __array(values, …)');
}

function sizeOfSide(btf: Btf, map: string, side: string, given: number | undefined, id: number | undefined): number {
  const ofType = id === undefined ? undefined : sizeOf(btf, id);
  if (ofType === null) {
    throw mapError('bad-map-definition', map, `the type of its ${side} has no size`);
  }
  if (given !== undefined && ofType !== undefined && given !== ofType) {
    throw mapError('map-size-conflict', map, `${side}_size says ${given} bytes, the ${side}'s type has ${ofType}`);
  }
  return given ?? ofType ?? 0;
}
