import type { Btf, BtfMember, BtfType } from './btf.ts';

/** Types that only qualify or rename another. */
const MODIFIERS = new Set<BtfType['kind']>(['typedef', 'volatile', 'const', 'restrict', 'type_tag']);

/** Pointers of BPF, and of every kernel that runs it here. */
export const POINTER_SIZE = 8;

/** The id of what stays of a type when qualifiers, tags and typedefs are taken off. `parseBtf` has refused cycles. */
export function resolve(btf: Btf, id: number): number {
  let type = btf.typeById(id);
  let resolved = id;
  while (MODIFIERS.has(type.kind)) {
    resolved = (type as Extract<BtfType, { kind: 'typedef' }>).type;
    type = btf.typeById(resolved);
  }
  return resolved;
}

export function resolveType(btf: Btf, id: number): BtfType {
  return btf.typeById(resolve(btf, id));
}

/** Bytes of a value of this type; null where there is none (void, functions, forward declarations) or above 2^32. */
export function sizeOf(btf: Btf, id: number): number | null {
  const type = resolveType(btf, id);
  switch (type.kind) {
    case 'ptr':
      return POINTER_SIZE;
    case 'array': {
      const element = sizeOf(btf, type.type);
      const size = element === null ? Infinity : element * type.nelems;
      return size <= 0xffff_ffff ? size : null;
    }
    case 'var':
      return sizeOf(btf, type.type);
    default:
      return 'size' in type ? type.size : null;
  }
}

/** A struct's or union's members; null for every other type. */
export function membersOf(btf: Btf, id: number): readonly BtfMember[] | null {
  const type = resolveType(btf, id);
  return type.kind === 'struct' || type.kind === 'union' ? type.members : null;
}

/** Bits of a bitfield; 0 for an ordinary member. The older way is an INT of fewer bits than its bytes hold. */
export function bitfieldSize(btf: Btf, member: BtfMember): number {
  if (member.bitfieldSize !== 0) return member.bitfieldSize;
  const type = resolveType(btf, member.type);
  return type.kind === 'int' && (type.bits !== type.size * 8 || member.bitOffset % 8 !== 0) ? type.bits : 0;
}

/** What lies at a byte offset of a type, as C would write it (`.tuple.ports[1]`), and its type. */
export interface MemberAt {
  readonly path: string;
  readonly type: number;
  /** Bytes from the start of that member: not 0 in the middle of a number. */
  readonly offset: number;
}

/**
 * Descends to the innermost member at a byte offset: of a union the first that reaches it, of a bitfield's byte the
 * first bitfield. Null in padding and outside of the type.
 */
export function memberAt(btf: Btf, id: number, offset: number): MemberAt | null {
  return descend(btf, id, offset, new Set());
}

/** `barren` holds what was searched in vain: unions in unions lead to the same place on many ways. */
function descend(btf: Btf, id: number, offset: number, barren: Set<string>): MemberAt | null {
  const size = sizeOf(btf, id);
  if (size === null || !(offset >= 0 && offset < size)) return null;
  const resolved = resolve(btf, id);
  const type = btf.typeById(resolved);
  if (type.kind === 'array') {
    const element = sizeOf(btf, type.type)!;
    const index = Math.floor(offset / element);
    return prefix(`[${index}]`, descend(btf, type.type, offset - index * element, barren));
  }
  if (type.kind !== 'struct' && type.kind !== 'union') return { path: '', type: id, offset };
  const place = `${resolved}+${offset}`;
  if (barren.has(place)) return null;
  for (const member of type.members) {
    const begin = Math.floor(member.bitOffset / 8);
    const bits = bitfieldSize(btf, member);
    const name = member.name === '' ? '' : `.${member.name}`;
    if (bits !== 0) {
      if (offset < begin || offset * 8 >= member.bitOffset + bits || name === '') continue;
      return { path: name, type: member.type, offset: offset - begin };
    }
    const found = descend(btf, member.type, offset - begin, barren);
    if (found !== null) return prefix(name, found);
  }
  barren.add(place);
  return null;
}

function prefix(path: string, found: MemberAt | null): MemberAt | null {
  return found === null ? null : { ...found, path: path + found.path };
}
