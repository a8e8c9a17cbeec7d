import { decodeUtf8, OutOfBounds, Reader } from '../base/bytes.ts';
import { LoadError, type LoadErrorDetail } from '../base/errors.ts';
import { EM_BPF, identify, isElf } from './identify.ts';

/**
 * ELF64 little-endian, EM_BPF (System V gABI, chapter 4). Every bound is checked here, once: what this file returns
 * may be indexed without fear. Against hostile files: no two sections may share bytes, so that all work is linear in
 * the file's size; counts and the length of names are bounded; names are decoded when asked for.
 */
export interface ElfLimits {
  /** Bytes of the file, and of all that is loaded out of it. */
  readonly maxSize: number;
  readonly maxSymbols: number;
  readonly maxRelocations: number;
}

export const SHT = { progbits: 1, symtab: 2, strtab: 3, rela: 4, nobits: 8, rel: 9 } as const;
export const SHF_EXECINSTR = 4;
/** Symbols: st_info's type and binding, st_other's visibility, reserved section indices. */
export const STT = { notype: 0, object: 1, func: 2, section: 3, file: 4 } as const;
export const STB = { local: 0, global: 1, weak: 2 } as const;
export const STV = { default: 0, internal: 1, hidden: 2 } as const;
export const SHN = { undef: 0, loreserve: 0xff00, abs: 0xfff1, common: 0xfff2 } as const;

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** In the file. */
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  /** A view; empty for NOBITS. */
  readonly bytes: Uint8Array;
}

export interface ElfSymbol {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly binding: number;
  readonly visibility: number;
  /** Section index, or one of the reserved `SHN`. */
  readonly section: number;
  readonly value: number;
  readonly size: number;
}

export interface Relocation {
  /** Byte offset in the section it applies to. */
  readonly offset: number;
  /** R_BPF_*: see `relocationTypes`. */
  readonly type: number;
  readonly symbol: ElfSymbol;
}

/** Documentation/bpf/llvm_reloc.rst. */
export const relocationTypes: Readonly<Record<number, string>> = {
  0: 'R_BPF_NONE',
  1: 'R_BPF_64_64',
  2: 'R_BPF_64_ABS64',
  3: 'R_BPF_64_ABS32',
  4: 'R_BPF_64_NODYLD32',
  10: 'R_BPF_64_32',
};

export interface Elf {
  readonly sections: readonly Section[];
  readonly symbols: readonly ElfSymbol[];
  symbolsIn(section: Section): readonly ElfSymbol[];
  /** Relocations of a section, by rising offset. */
  relocations(section: Section): Relocation[];
}

function elfError(code: string, message: string, place: Partial<LoadErrorDetail> = {}): LoadError {
  return new LoadError(message, { stage: 'elf', code, ...place });
}

const SECTION_HEADER = 64;
const SYMBOL = 24;
const REL = 16;
/** Longer than any mangled name seen in the wild. */
const LONGEST_NAME = 4096;

/** Throws `LoadError` of stage `elf`. */
export function parseElf(bytes: Uint8Array, limits: ElfLimits): Elf {
  if (bytes.length > limits.maxSize) {
    throw elfError('too-large', `the object has ${bytes.length} bytes, more than the ${limits.maxSize} allowed`, {
      help: 'Raise option maxSize to load it',
    });
  }
  if (!isElf(bytes) || bytes.length < 20 || bytes[4] !== 2 || bytes[5] !== 1 || bytes[18] !== EM_BPF || bytes[19]) {
    const { is, help } = identify(bytes);
    throw elfError('not-bpf', `this is ${is}, not a little-endian BPF object`, { help });
  }
  if (bytes[16] !== 1) {
    throw elfError('not-relocatable', `ELF type ${bytes[16]} is not a relocatable object`, {
      offset: 16,
      help: 'Link objects with bpftool gen object, or with ld.lld -r',
    });
  }
  const reader = new Reader(bytes);
  const sections = readSections(reader);
  const symbols = readSymbols(sections, limits);
  const bySection = Map.groupBy(symbols, (symbol) => symbol.section);
  return {
    sections,
    symbols,
    symbolsIn: (section) => bySection.get(section.index) ?? [],
    relocations: relocationIndex(sections, symbols, limits),
  };
}

function readSections(reader: Reader): Section[] {
  if (reader.length < 64) throw elfError('truncated', `the ELF header is cut off after ${reader.length} bytes`);
  const table = toNumber(reader.u64(40), 'e_shoff', 40);
  const entry = reader.u16(58);
  const count = reader.u16(60);
  const nameIndex = reader.u16(62);
  if (count === 0)
    throw elfError('no-sections', 'the object has no sections', { offset: 60, help: 'Was it stripped?' });
  if (entry !== SECTION_HEADER)
    throw elfError('bad-header', `section headers of ${entry} bytes, not 64`, { offset: 58 });
  if (table + count * SECTION_HEADER > reader.length) {
    throw elfError('truncated', `the ${count} section headers lie outside of the file's ${reader.length} bytes`, {
      offset: table,
      help: 'The file is probably cut off: copy it again, whole',
    });
  }
  const header = (index: number) => table + index * SECTION_HEADER;
  const bodies = Array.from({ length: count }, (_, index) => readBody(reader, header(index), index));
  let used = 0;
  for (const body of bodies) {
    used += body.bytes.length;
    if (used > reader.length) throw elfError('sections-overlap', 'sections share bytes of the file', { offset: table });
  }
  const nameTable = bodies[nameIndex];
  if (nameTable?.type !== SHT.strtab) {
    throw elfError('bad-header', `section ${nameIndex} is no string table for the sections' names`, { offset: 62 });
  }
  const names = new Strings(nameTable.bytes, 'of section names');
  return bodies.map((body, index) => ({ ...body, index, name: names.at(reader.u32(header(index))) }));
}

function readBody(reader: Reader, at: number, index: number): Omit<Section, 'name' | 'index'> {
  const type = reader.u32(at + 4);
  const offset = type === 0 ? 0 : toNumber(reader.u64(at + 24), 'sh_offset', at);
  const size = type === 0 ? 0 : toNumber(reader.u64(at + 32), 'sh_size', at);
  const inFile = type === SHT.nobits ? 0 : size;
  if (offset + inFile > reader.length && inFile > 0) {
    throw elfError('section-out-of-bounds', `section ${index} (${size} bytes at ${offset}) ends outside of the file`, {
      offset: at,
      help: `The file has ${reader.length} bytes; it is probably cut off`,
    });
  }
  return {
    type,
    flags: reader.u32(at + 8),
    offset,
    size,
    link: reader.u32(at + 40),
    info: reader.u32(at + 44),
    bytes: inFile === 0 ? new Uint8Array() : reader.slice(offset, size),
  };
}

function readSymbols(sections: readonly Section[], limits: ElfLimits): ElfSymbol[] {
  const table = sections.find((section) => section.type === SHT.symtab);
  if (table === undefined) return [];
  const place = { section: table.name };
  const count = Math.floor(table.size / SYMBOL);
  if (table.size % SYMBOL !== 0) throw elfError('bad-symbols', `a symbol table of ${table.size} bytes`, place);
  if (count > limits.maxSymbols) {
    throw elfError('too-many-symbols', `${count} symbols, more than the ${limits.maxSymbols} allowed`, {
      ...place,
      help: 'Raise option maxSymbols to load it',
    });
  }
  const strings = sections[table.link];
  if (strings?.type !== SHT.strtab) throw elfError('bad-symbols', `section ${table.link} holds no strings`, place);
  const names = new Strings(strings.bytes, strings.name);
  const reader = new Reader(table.bytes);
  return Array.from({ length: count }, (_, index) => {
    const at = index * SYMBOL;
    const info = reader.u8(at + 4);
    const section = reader.u16(at + 6);
    if (section < SHN.loreserve && section >= sections.length) {
      throw elfError('bad-symbols', `symbol ${index} lies in section ${section}, which is not there`, {
        ...place,
        offset: at,
      });
    }
    const nameAt = reader.u32(at);
    return {
      index,
      // A section's symbol has no name of its own; the section's is what a reader wants to see.
      get name() {
        return (info & 15) === STT.section ? (sections[section]?.name ?? '') : names.at(nameAt);
      },
      type: info & 15,
      binding: info >> 4,
      visibility: reader.u8(at + 5) & 3,
      section,
      value: toNumber(reader.u64(at + 8), 'st_value', at, table.name),
      size: toNumber(reader.u64(at + 16), 'st_size', at, table.name),
    };
  });
}

function relocationIndex(sections: readonly Section[], symbols: readonly ElfSymbol[], limits: ElfLimits) {
  const tables = Map.groupBy(
    sections.filter((section) => section.type === SHT.rel || section.type === SHT.rela),
    (section) => section.info,
  );
  let total = 0;
  return (target: Section): Relocation[] => {
    const relocations: Relocation[] = [];
    for (const table of tables.get(target.index) ?? []) {
      const place = { section: table.name };
      if (table.type === SHT.rela) {
        throw elfError('unsupported-rela', 'relocations with addends (SHT_RELA), which BPF objects do not use', place);
      }
      if (table.size % REL !== 0) throw elfError('bad-relocations', `a table of ${table.size} bytes`, place);
      total += table.size / REL;
      if (total > limits.maxRelocations) {
        throw elfError('too-many-relocations', `more than the ${limits.maxRelocations} relocations allowed`, {
          ...place,
          help: 'Raise option maxRelocations to load it',
        });
      }
      const reader = new Reader(table.bytes);
      for (let at = 0; at < table.size; at += REL) {
        const symbol = symbols[reader.u32(at + 12)];
        const offset = toNumber(reader.u64(at), 'r_offset', at, table.name);
        if (symbol === undefined || offset >= target.size) {
          const what = symbol === undefined ? `symbol ${reader.u32(at + 12)}` : `offset ${offset} of ${target.name}`;
          throw elfError('bad-relocations', `${what}, which is not there`, { ...place, offset: at });
        }
        relocations.push({ offset, type: reader.u32(at + 8), symbol });
      }
    }
    return relocations.sort((a, b) => a.offset - b.offset);
  };
}

/** A string table; names are decoded once, and none longer than `LONGEST_NAME`. */
class Strings {
  readonly #bytes: Uint8Array;
  readonly #section: string;
  readonly #known = new Map<number, string>();
  /** Overlapping names could decode to far more than the table holds. */
  #budget: number;

  constructor(bytes: Uint8Array, section: string) {
    this.#bytes = bytes;
    this.#section = section;
    this.#budget = 16 * bytes.length + LONGEST_NAME;
  }

  at(offset: number): string {
    const known = this.#known.get(offset);
    if (known !== undefined) return known;
    const end = this.#bytes.subarray(0, offset + LONGEST_NAME + 1).indexOf(0, offset);
    if (offset >= this.#bytes.length || end < 0) {
      throw elfError('bad-name', `no name of at most ${LONGEST_NAME} bytes`, { section: this.#section, offset });
    }
    this.#budget -= end - offset;
    if (this.#budget < 0) {
      throw elfError('bad-name', 'names overlap too much to be names', { section: this.#section, offset });
    }
    const name = decodeUtf8(this.#bytes.subarray(offset, end));
    this.#known.set(offset, name);
    return name;
  }
}

function toNumber(value: bigint, field: string, offset: number, section?: string): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  const place = section === undefined ? { offset } : { offset, section };
  throw elfError('out-of-bounds', `${field} is 0x${value.toString(16)}`, place);
}

/** Runs a reader of some section's format; a read outside of the section becomes a `LoadError`. */
export function boundsChecked<T>(stage: LoadErrorDetail['stage'], section: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof OutOfBounds)) throw error;
    throw new LoadError(error.message, { stage, code: 'out-of-bounds', section, offset: error.offset });
  }
}
