import { OutOfBounds, Reader } from '../../base/bytes.ts';
import { LoadError } from '../../base/errors.ts';
import { type BtfKind, type BtfType, decodeType, KINDS, kindOf, linkageAt, RECORD_HEADER, vlenOf } from './kinds.ts';
import { BtfStrings } from './strings.ts';

export type * from './kinds.ts';

/** The types that an object, or a kernel, describes. Types are decoded when asked for. */
export interface Btf {
  /** How many types there are, void included: ids go from 0 to `count` − 1. */
  readonly count: number;
  /** All of them; the index is the id, 0 is void. */
  readonly types: readonly BtfType[];
  /** Throws `LoadError` when there is no such id. */
  typeById(id: number): BtfType;
  /** The lowest id with this name, of this kind when one is given. */
  findByName(name: string, kind?: BtfKind): number | undefined;
  /** Ids of the types whose essential name this is, in rising order. */
  findByEssentialName(name: string): readonly number[];
  /** The string at an offset of the string section, as .BTF.ext refers to them. Throws `LoadError` outside of it. */
  string(offset: number): string;
}

const MAGIC = 0xeb9f;
const HEADER_SIZE = 24;
/** BTF_MAX_TYPE and BTF_MAX_NAME_OFFSET of linux/btf.h. */
const MAX_TYPES = 0xfffff;
const MAX_STRINGS = 0xffffff;
/** Types held in one another by value. The kernel resolves 32 deep. */
const MAX_DEPTH = 64;

/**
 * Reads a .BTF section, or a whole kernel's BTF as in /sys/kernel/btf/vmlinux. Every record's bounds, names and type
 * ids are checked here, and that no type holds itself by value: who walks the types later need not fear them.
 * Throws `LoadError` with stage `btf`.
 */
export function parseBtf(bytes: Uint8Array): Btf {
  try {
    return new LazyBtf(bytes);
  } catch (error) {
    if (!(error instanceof OutOfBounds)) throw error;
    throw fault('btf-truncated', `${error.size} bytes were expected and the section ends before`, error.offset);
  }
}

/**
 * A name without its flavour: `task_struct___old` stands for another layout of `task_struct` (libbpf's convention:
 * the last three underscores with something else on both sides).
 */
export function essentialName(name: string): string {
  for (let at = name.lastIndexOf('___'); at > 0; at = name.lastIndexOf('___', at - 1)) {
    if (name[at - 1] !== '_' && at + 3 < name.length && name[at + 3] !== '_') return name.slice(0, at);
  }
  return name;
}

function fault(code: string, message: string, offset: number, help?: string): LoadError {
  return new LoadError(message, {
    code,
    stage: 'btf',
    section: '.BTF',
    offset,
    ...(help === undefined ? {} : { help }),
  });
}

class LazyBtf implements Btf {
  readonly #reader: Reader;
  readonly #strings: BtfStrings;
  /** Offset of each type's record in the section; index 0, void, has none. */
  readonly #records: Uint32Array;
  readonly #decoded: (BtfType | undefined)[] = [];
  #types: readonly BtfType[] | undefined;
  #byName: Map<string, number[]> | undefined;

  constructor(bytes: Uint8Array) {
    const reader = new Reader(bytes);
    const layout = readHeader(reader);
    this.#reader = reader;
    this.#strings = new BtfStrings(reader, layout.strings, layout.stringsSize);
    this.#records = findRecords(reader, layout.types, layout.types + layout.typesSize);
    checkRecords(reader, this.#records, this.#strings);
    checkContainment(reader, this.#records);
  }

  get count(): number {
    return this.#records.length;
  }

  get types(): readonly BtfType[] {
    this.#types ??= Array.from(this.#records, (_, id) => this.typeById(id));
    return this.#types;
  }

  typeById(id: number): BtfType {
    return (this.#decoded[id] ??= this.#decode(id));
  }

  #decode(id: number): BtfType {
    if (id === 0) return { kind: 'void', name: '' };
    const at = this.#records[id];
    if (at === undefined) {
      throw new LoadError(`there is no type ${id}: the highest is ${this.count - 1}`, {
        code: 'btf-no-such-type',
        stage: 'btf',
        section: '.BTF',
      });
    }
    return decodeType(this.#reader, at, (offset) => this.#strings.at(offset));
  }

  findByName(name: string, kind?: BtfKind): number | undefined {
    return this.findByEssentialName(essentialName(name)).find(
      (id) => this.#nameOf(id) === name && (kind === undefined || this.typeById(id).kind === kind),
    );
  }

  findByEssentialName(name: string): readonly number[] {
    this.#byName ??= this.#index();
    return this.#byName.get(name) ?? [];
  }

  #nameOf(id: number): string {
    return this.#strings.at(this.#reader.u32(this.#records[id]!));
  }

  #index(): Map<string, number[]> {
    const byName = new Map<string, number[]>();
    for (let id = 1; id < this.count; id++) {
      const name = this.#nameOf(id);
      if (name === '') continue;
      const essential = essentialName(name);
      const ids = byName.get(essential);
      if (ids === undefined) byName.set(essential, [id]);
      else ids.push(id);
    }
    return byName;
  }

  string(offset: number): string {
    if (this.#strings.has(offset)) return this.#strings.at(offset);
    throw new LoadError(`there is no string ${offset}: the string section ends before`, {
      code: 'btf-no-such-string',
      stage: 'btf',
      section: '.BTF',
    });
  }
}

/** `struct btf_header`: where types and strings lie in the section. */
function readHeader(reader: Reader) {
  const magic = reader.u16(0);
  if (magic === 0x9feb) {
    throw fault('btf-big-endian', 'the types are big-endian', 0, 'Compile for little-endian: clang -target bpfel');
  }
  if (magic !== MAGIC) throw fault('btf-magic', `this is no BTF: it starts with 0x${magic.toString(16)}`, 0);
  const version = reader.u8(2);
  if (version !== 1) throw fault('btf-version', `BTF version ${version} is not known, only version 1`, 2);
  const flags = reader.u8(3);
  if (flags !== 0) throw fault('btf-flags', `BTF flags 0x${flags.toString(16)} are not known`, 3);
  const size = reader.u32(4);
  if (size < HEADER_SIZE) throw fault('btf-header', `the header says it has ${size} bytes of at least 24`, 4);

  const types = size + reader.u32(8);
  const typesSize = reader.u32(12);
  const strings = size + reader.u32(16);
  const stringsSize = reader.u32(20);
  if (types % 4 !== 0) throw fault('btf-header', 'the types do not start at a multiple of 4', 8);
  reader.check(types, typesSize);
  reader.check(strings, stringsSize);
  if (stringsSize === 0 || stringsSize - 1 > MAX_STRINGS) {
    throw fault('btf-strings', `the string section has ${stringsSize} bytes, not 1 to 16777216`, 20);
  }
  if (reader.u8(strings) !== 0) throw fault('btf-strings', 'the first string is not the empty one', strings);
  const last = strings + stringsSize - 1;
  if (reader.u8(last) !== 0) throw fault('btf-strings', 'the last string does not end', last);
  return { types, typesSize, strings, stringsSize };
}

/** Walks from record to record. */
function findRecords(reader: Reader, begin: number, end: number): Uint32Array {
  const records = [0];
  for (let at = begin; at < end; ) {
    if (at + RECORD_HEADER > end) throw fault('btf-truncated', `type ${records.length} is cut off`, at);
    const info = reader.u32(at + 4);
    const kind = KINDS[kindOf(info)];
    if (kind === undefined || kind.kind === 'void') {
      throw fault('btf-kind', `type ${records.length} has kind ${kindOf(info)}, which is not known`, at + 4);
    }
    const size = RECORD_HEADER + kind.fixed + kind.item * (kind.item === 0 ? 0 : vlenOf(info));
    if (at + size > end) {
      throw fault('btf-truncated', `type ${records.length} (${kind.kind}) takes ${size} bytes and is cut off`, at);
    }
    if (records.length > MAX_TYPES) throw fault('btf-too-many-types', `there are more than ${MAX_TYPES} types`, at);
    records.push(at);
    at += size;
  }
  return Uint32Array.from(records);
}

/** Calls `visit` with the offset of each type id in the record at `at`. */
function eachReference(reader: Reader, at: number, visit: (offset: number) => void): void {
  const info = reader.u32(at + 4);
  const kind = KINDS[kindOf(info)]!;
  if (kind.refers) visit(at + 8);
  const fixed = at + RECORD_HEADER;
  for (const offset of kind.fixedTypes) visit(fixed + offset);
  if (kind.itemType < 0) return;
  const items = fixed + kind.fixed;
  for (let i = vlenOf(info) - 1; i >= 0; i--) visit(items + i * kind.item + kind.itemType);
}

/** Every name lies in the strings, every type id among the types, every linkage has a meaning. */
function checkRecords(reader: Reader, records: Uint32Array, strings: BtfStrings): void {
  const checkName = (id: number, offset: number) => {
    if (!strings.has(reader.u32(offset)))
      throw fault('btf-name', `a name of type ${id} lies outside the strings`, offset);
  };
  for (let id = 1; id < records.length; id++) {
    const at = records[id]!;
    const info = reader.u32(at + 4);
    const kind = KINDS[kindOf(info)]!;
    checkName(id, at);
    if (kind.itemNamed) {
      const items = at + RECORD_HEADER + kind.fixed;
      for (let i = 0; i < vlenOf(info); i++) checkName(id, items + i * kind.item);
    }
    eachReference(reader, at, (offset) => {
      const reference = reader.u32(offset);
      if (reference >= records.length) {
        throw fault('btf-type-id', `type ${id} refers to type ${reference}, which is not there`, offset);
      }
    });
    if ((kind.kind === 'func' || kind.kind === 'var') && linkageAt(reader, at, kind.kind) === null) {
      throw fault('btf-linkage', `type ${id} (${kind.kind}) has a linkage that is not known`, at);
    }
  }
}

/**
 * No type holds itself by value, nor a chain of more than `MAX_DEPTH` types (a pointer ends the chain): a size is
 * always found. Depth-first with a stack of its own, each type once.
 */
function checkContainment(reader: Reader, records: Uint32Array): void {
  const OPEN = 255;
  /** 0: not seen; OPEN: on the path from `root`; else the types in its longest chain. */
  const depth = new Uint8Array(records.length);
  depth[0] = 1;
  const stack: number[] = [];
  for (let root = 1; root < records.length; root++) {
    if (depth[root] !== 0) continue;
    stack.push(root);
    while (stack.length > 0) {
      const id = stack.at(-1)!;
      if (depth[id] !== 0 && depth[id] !== OPEN) {
        stack.pop();
        continue;
      }
      const at = records[id]!;
      const closing = depth[id] === OPEN;
      depth[id] = OPEN;
      let deepest = 0;
      if (KINDS[kindOf(reader.u32(at + 4))]!.byValue) {
        eachReference(reader, at, (offset) => {
          const held = reader.u32(offset);
          if (closing) deepest = Math.max(deepest, depth[held]!);
          else if (depth[held] === 0) stack.push(held);
          else if (depth[held] === OPEN) throw fault('btf-cycle', `type ${held} holds itself`, records[held]!);
        });
      }
      if (!closing) continue;
      if (deepest >= MAX_DEPTH) {
        throw fault('btf-too-deep', `type ${id} holds more than ${MAX_DEPTH} types within one another`, at);
      }
      depth[id] = deepest + 1;
      stack.pop();
    }
  }
}
