import type { Reader } from '../../base/bytes.ts';

/**
 * The kinds of a BTF type and their records: linux/btf.h and Documentation/bpf/btf.rst ("Type Encoding"). Fields have
 * the documentation's names; type ids are plain numbers, 0 is void.
 */

export interface BtfMember {
  /** Empty for an anonymous struct or union, or for padding. */
  readonly name: string;
  readonly type: number;
  /** From the start of the enclosing struct, in bits. */
  readonly bitOffset: number;
  /** 0 for a member that is no bitfield. */
  readonly bitfieldSize: number;
}

export interface BtfEnumValue {
  readonly name: string;
  /** Negative only in a signed enum. */
  readonly value: bigint;
}

export interface BtfParameter {
  readonly name: string;
  /** 0 with an empty name in the last place: the function takes variable arguments. */
  readonly type: number;
}

/** A variable's place in its section. clang leaves offsets and sizes 0 for the loader to fill in from ELF symbols. */
export interface BtfSectionVariable {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

export type BtfLinkage = 'static' | 'global' | 'extern';

interface Named<K extends string> {
  readonly kind: K;
  readonly name: string;
}
interface Reference<K extends string> extends Named<K> {
  readonly type: number;
}
interface Composite<K extends string> extends Named<K> {
  readonly size: number;
  readonly members: readonly BtfMember[];
}
interface Enumeration<K extends string> extends Named<K> {
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly BtfEnumValue[];
}

export type BtfType =
  | Named<'void'>
  | (Named<'int'> & {
      readonly size: number;
      readonly signed: boolean;
      readonly char: boolean;
      readonly bool: boolean;
      /** Bit offset of the value in its `size` bytes, and its bits: the older way to tell a bitfield. */
      readonly offset: number;
      readonly bits: number;
    })
  | Reference<'ptr'>
  | (Reference<'array'> & { readonly indexType: number; readonly nelems: number })
  | Composite<'struct'>
  | Composite<'union'>
  | Enumeration<'enum'>
  | (Named<'fwd'> & { readonly of: 'struct' | 'union' })
  | Reference<'typedef'>
  | Reference<'volatile'>
  | Reference<'const'>
  | Reference<'restrict'>
  | (Reference<'func'> & { readonly linkage: BtfLinkage })
  /** `type` is what the function returns. */
  | (Reference<'func_proto'> & { readonly params: readonly BtfParameter[] })
  | (Reference<'var'> & { readonly linkage: BtfLinkage })
  | (Named<'datasec'> & { readonly size: number; readonly variables: readonly BtfSectionVariable[] })
  | (Named<'float'> & { readonly size: number })
  /** `componentIndex` −1: the tag is on the type itself, else on that member or parameter. */
  | (Reference<'decl_tag'> & { readonly componentIndex: number })
  | Reference<'type_tag'>
  | Enumeration<'enum64'>;

export type BtfKind = BtfType['kind'];

/** What a kind's record holds; by this table alone a reader finds each name, type id and the next record. */
export interface KindLayout {
  readonly kind: BtfKind;
  /** The header's last word is a type id, not a size. */
  readonly refers: boolean;
  /** Bytes after the header, once. */
  readonly fixed: number;
  /** Where type ids lie in these. */
  readonly fixedTypes: readonly number[];
  /** Bytes after them for each of the `vlen` items. */
  readonly item: number;
  /** An item starts with a name. */
  readonly itemNamed: boolean;
  /** Where an item has its type id; −1 for none. */
  readonly itemType: number;
  /** The type holds what it refers to by value, so that a cycle of such types could have no size. */
  readonly byValue: boolean;
}

const none = { refers: false, fixed: 0, fixedTypes: [], item: 0, itemNamed: false, itemType: -1, byValue: false };
const refers = { ...none, refers: true };
const modifies = { ...refers, byValue: true };
const composite = { ...none, item: 12, itemNamed: true, itemType: 4, byValue: true };

/** By the number of the kind: BTF_KIND_* of linux/btf.h. */
export const KINDS: readonly KindLayout[] = [
  { ...none, kind: 'void' },
  { ...none, kind: 'int', fixed: 4 },
  { ...refers, kind: 'ptr' },
  { ...none, kind: 'array', fixed: 12, fixedTypes: [0, 4], byValue: true },
  { ...composite, kind: 'struct' },
  { ...composite, kind: 'union' },
  { ...none, kind: 'enum', item: 8, itemNamed: true },
  { ...none, kind: 'fwd' },
  { ...modifies, kind: 'typedef' },
  { ...modifies, kind: 'volatile' },
  { ...modifies, kind: 'const' },
  { ...modifies, kind: 'restrict' },
  { ...refers, kind: 'func' },
  { ...refers, kind: 'func_proto', item: 8, itemNamed: true, itemType: 4 },
  { ...modifies, kind: 'var', fixed: 4 },
  { ...none, kind: 'datasec', item: 12, itemType: 0 },
  { ...none, kind: 'float' },
  { ...refers, kind: 'decl_tag', fixed: 4 },
  { ...modifies, kind: 'type_tag' },
  { ...none, kind: 'enum64', item: 12, itemNamed: true },
];

/** Bytes of `struct btf_type`, with which every record starts. */
export const RECORD_HEADER = 12;

/** The word `info` of `struct btf_type`. */
export const kindOf = (info: number): number => (info >>> 24) & 0x1f;
export const vlenOf = (info: number): number => info & 0xffff;
const flagOf = (info: number): boolean => info >>> 31 === 1;

const LINKAGES: readonly BtfLinkage[] = ['static', 'global', 'extern'];

/** The linkage of a FUNC (`vlen` of its info) or a VAR, null where the number means none. */
export function linkageAt(reader: Reader, at: number, kind: BtfKind): BtfLinkage | null {
  const number = kind === 'func' ? vlenOf(reader.u32(at + 4)) : reader.u32(at + RECORD_HEADER);
  return LINKAGES[number] ?? null;
}

/** The record at `at`, whose bounds, names and type ids the caller has checked. */
export function decodeType(reader: Reader, at: number, string: (offset: number) => string): BtfType {
  const u32 = (offset: number) => reader.u32(at + offset);
  const name = string(u32(0));
  const info = u32(4);
  const sizeOrType = u32(8);
  const kind = KINDS[kindOf(info)]!;
  const items = <T>(decode: (item: number) => T): T[] =>
    Array.from({ length: vlenOf(info) }, (_, index) => decode(RECORD_HEADER + kind.fixed + index * kind.item));

  switch (kind.kind) {
    case 'void':
      return { kind: 'void', name };
    case 'int': {
      const word = u32(12);
      const encoding = (word >>> 24) & 0xf;
      return {
        kind: 'int',
        name,
        size: sizeOrType,
        signed: (encoding & 1) !== 0,
        char: (encoding & 2) !== 0,
        bool: (encoding & 4) !== 0,
        offset: (word >>> 16) & 0xff,
        bits: word & 0xff,
      };
    }
    case 'array':
      return { kind: 'array', name, type: u32(12), indexType: u32(16), nelems: u32(20) };
    case 'struct':
    case 'union': {
      const bitfields = flagOf(info);
      const members = items((item) => {
        const offset = u32(item + 8);
        return {
          name: string(u32(item)),
          type: u32(item + 4),
          bitOffset: bitfields ? offset & 0xffffff : offset,
          bitfieldSize: bitfields ? offset >>> 24 : 0,
        };
      });
      return { kind: kind.kind, name, size: sizeOrType, members };
    }
    case 'enum': {
      const signed = flagOf(info);
      const values = items((item) => ({
        name: string(u32(item)),
        value: BigInt(signed ? u32(item + 4) | 0 : u32(item + 4)),
      }));
      return { kind: 'enum', name, size: sizeOrType, signed, values };
    }
    case 'enum64': {
      const signed = flagOf(info);
      const values = items((item) => {
        const value = (BigInt(u32(item + 8)) << 32n) | BigInt(u32(item + 4));
        return { name: string(u32(item)), value: signed ? BigInt.asIntN(64, value) : value };
      });
      return { kind: 'enum64', name, size: sizeOrType, signed, values };
    }
    case 'fwd':
      return { kind: 'fwd', name, of: flagOf(info) ? 'union' : 'struct' };
    case 'func':
    case 'var':
      return { kind: kind.kind, name, type: sizeOrType, linkage: linkageAt(reader, at, kind.kind)! };
    case 'func_proto':
      return {
        kind: 'func_proto',
        name,
        type: sizeOrType,
        params: items((item) => ({ name: string(u32(item)), type: u32(item + 4) })),
      };
    case 'datasec':
      return {
        kind: 'datasec',
        name,
        size: sizeOrType,
        variables: items((item) => ({ type: u32(item), offset: u32(item + 4), size: u32(item + 8) })),
      };
    case 'float':
      return { kind: 'float', name, size: sizeOrType };
    case 'decl_tag':
      return { kind: 'decl_tag', name, type: sizeOrType, componentIndex: u32(12) | 0 };
    default:
      return { kind: kind.kind, name, type: sizeOrType };
  }
}
