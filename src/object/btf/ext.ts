import { OutOfBounds, Reader } from '../../base/bytes.ts';
import { LoadError } from '../../base/errors.ts';
import type { Btf } from './btf.ts';
import { CORE_KINDS, type CoreRelocation } from './relocation.ts';

/** A function starts at byte `offset` of its section; `typeId` is its FUNC. */
export interface BtfFunction {
  readonly offset: number;
  readonly typeId: number;
}

/** The instruction at byte `offset` of its section, and those up to the next record, come from this source line. */
export interface BtfLine {
  readonly offset: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The source text, as clang put it into the strings; empty when it did not. */
  readonly text: string;
}

/** What .BTF.ext says of each section of instructions, by the section's name, in the file's order. */
export interface BtfExt {
  readonly functions: ReadonlyMap<string, readonly BtfFunction[]>;
  readonly lines: ReadonlyMap<string, readonly BtfLine[]>;
  readonly core: ReadonlyMap<string, readonly CoreRelocation[]>;
}

const MAGIC = 0xeb9f;
/** The header's least size; CO-RE relocations came later and lengthened it to 32. */
const HEADER_SIZE = 24;
const HEADER_SIZE_CORE = 32;

function fault(code: string, message: string, offset: number, help?: string): LoadError {
  return new LoadError(message, {
    code,
    stage: 'btf',
    section: '.BTF.ext',
    offset,
    ...(help === undefined ? {} : { help }),
  });
}

/**
 * Reads a .BTF.ext section (Documentation/bpf/btf.rst, ".BTF.ext section"), whose names are strings of the object's
 * .BTF. Throws `LoadError` with stage `btf`.
 */
export function parseBtfExt(bytes: Uint8Array, btf: Btf): BtfExt {
  try {
    return read(new Reader(bytes), btf);
  } catch (error) {
    if (!(error instanceof OutOfBounds)) throw error;
    throw fault('btf-truncated', `${error.size} bytes were expected and the section ends before`, error.offset);
  }
}

function read(reader: Reader, btf: Btf): BtfExt {
  const magic = reader.u16(0);
  if (magic === 0x9feb) {
    throw fault('btf-big-endian', 'the section is big-endian', 0, 'Compile for little-endian: clang -target bpfel');
  }
  if (magic !== MAGIC) throw fault('btf-magic', `this is no .BTF.ext: it starts with 0x${magic.toString(16)}`, 0);
  const version = reader.u8(2);
  if (version !== 1) throw fault('btf-version', `version ${version} is not known, only version 1`, 2);
  const flags = reader.u8(3);
  if (flags !== 0) throw fault('btf-flags', `flags 0x${flags.toString(16)} are not known`, 3);
  const size = reader.u32(4);
  if (size < HEADER_SIZE) throw fault('btf-header', `the header says it has ${size} bytes of at least 24`, 4);

  const string = (offset: number) => btf.string(reader.u32(offset));
  const part = <T>(field: number, least: number, record: (at: number, section: string) => T) =>
    readPart(reader, string, size + reader.u32(field), reader.u32(field + 4), least, record);
  return {
    functions: part(8, 8, (at) => ({ offset: reader.u32(at), typeId: reader.u32(at + 4) })),
    lines: part(16, 16, (at) => {
      const place = reader.u32(at + 12);
      return {
        offset: reader.u32(at),
        file: string(at + 4),
        line: place >>> 10,
        column: place & 0x3ff,
        text: string(at + 8),
      };
    }),
    core:
      size < HEADER_SIZE_CORE
        ? new Map()
        : part(24, 16, (at, section) => {
            const number = reader.u32(at + 12);
            const kind = CORE_KINDS[number];
            if (kind === undefined) {
              throw fault('core-kind', `a CO-RE relocation of kind ${number}, which is not known`, at + 12);
            }
            return { section, offset: reader.u32(at), typeId: reader.u32(at + 4), accessString: string(at + 8), kind };
          }),
  };
}

/**
 * `struct btf_ext_info_sec`: the size of a record, then for each section of instructions its name, the number of its
 * records and these. Records may be longer than we know them.
 */
function readPart<T>(
  reader: Reader,
  string: (offset: number) => string,
  begin: number,
  size: number,
  least: number,
  record: (at: number, section: string) => T,
): Map<string, T[]> {
  const sections = new Map<string, T[]>();
  if (size === 0) return sections;
  reader.check(begin, size);
  const end = begin + size;
  const recordSize = reader.u32(begin);
  if (recordSize < least || recordSize % 4 !== 0) {
    throw fault('btf-ext-record', `records of ${recordSize} bytes where at least ${least} are needed`, begin);
  }
  for (let at = begin + 4; at < end; ) {
    const name = string(at);
    const count = reader.u32(at + 4);
    const first = at + 8;
    if (count === 0 || first + count * recordSize > end) {
      throw fault('btf-ext-count', `${count} records for section '${name}' where they do not fit`, at + 4);
    }
    let records = sections.get(name);
    if (records === undefined) sections.set(name, (records = []));
    for (let i = 0; i < count; i++) records.push(record(first + i * recordSize, name));
    at = first + count * recordSize;
  }
  return sections;
}
