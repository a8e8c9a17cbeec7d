import { alignUp, encodeUtf8 } from '../base/bytes.ts';
import { assemble } from '../isa/assemble.ts';
import { relocationTypes, SHF_EXECINSTR, SHT, STB, STT, STV } from './elf.ts';

interface BuiltSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
  readonly size: number;
  link?: number;
  info?: number;
}

interface SymbolOptions {
  readonly type?: keyof typeof STT;
  readonly binding?: keyof typeof STB;
  readonly visibility?: keyof typeof STV;
  readonly value?: number;
  readonly size?: number;
  /** A reserved section index, in place of a section's name. */
  readonly index?: number;
}

/** Makes the bytes of ELF objects for tests: sections, symbols and relocations by name, as an assembler would. */
export class ElfBuilder {
  readonly #sections: BuiltSection[] = [];
  readonly #symbols: { name: string; info: number; other: number; section: number; value: number; size: number }[] = [];
  readonly #relocations = new Map<string, { offset: number; type: number; symbol: number }[]>();

  section(name: string, bytes: Uint8Array | string, flags = 0): this {
    const body = typeof bytes === 'string' ? encodeUtf8(bytes) : bytes;
    this.#sections.push({ name, type: SHT.progbits, flags, bytes: body, size: body.length });
    return this;
  }

  nobits(name: string, size: number): this {
    this.#sections.push({ name, type: SHT.nobits, flags: 0, bytes: new Uint8Array(), size });
    return this;
  }

  /** A section of instructions from text; one function after the other, each with a symbol. */
  code(section: string, functions: Readonly<Record<string, string>>, options: SymbolOptions = {}): this {
    const bodies = Object.entries(functions).map(([name, text]) => [name, assemble(text)] as const);
    const whole = new Uint8Array(bodies.reduce((sum, [, body]) => sum + body.length, 0));
    this.section(section, whole, SHF_EXECINSTR);
    let value = 0;
    for (const [name, body] of bodies) {
      whole.set(body, value);
      this.symbol(name, section, { type: 'func', value, size: body.length, ...options });
      value += body.length;
    }
    return this;
  }

  /** `section` null: the symbol is not defined here. */
  symbol(name: string, section: string | null, options: SymbolOptions = {}): this {
    const { type = 'notype', binding = 'global', visibility = 'default', value = 0, size = 0, index } = options;
    this.#symbols.push({
      name,
      info: (STB[binding] << 4) | STT[type],
      other: STV[visibility],
      section: index ?? (section === null ? 0 : this.#indexOf(section)),
      value,
      size,
    });
    return this;
  }

  /** The symbol of a section itself, to which relocations of static symbols refer. */
  sectionSymbol(section: string): this {
    return this.symbol(section, section, { type: 'section', binding: 'local' });
  }

  relocate(section: string, offset: number, type: string, symbol: string): this {
    const number = Object.entries(relocationTypes).find(([, name]) => name === type)?.[0];
    const index = this.#symbols.findIndex(({ name }) => name === symbol) + 1;
    if (number === undefined || index === 0) throw new Error(`no relocation ${type} to ${symbol}`);
    const list = this.#relocations.get(section) ?? [];
    list.push({ offset, type: Number(number), symbol: index });
    this.#relocations.set(section, list);
    return this;
  }

  #indexOf(name: string): number {
    const index = this.#sections.findIndex((section) => section.name === name);
    if (index < 0) throw new Error(`no section ${name}`);
    return index + 1;
  }

  bytes(): Uint8Array {
    const strings = new Strings();
    const first = this.#sections.length + 1;
    const stringTable = first + 1;
    const sections = [
      ...this.#sections,
      { ...table('.symtab', SHT.symtab, this.#symbolTable(strings)), link: stringTable },
    ];
    const names = [
      ...sections.map(({ name }) => name),
      '.strtab',
      ...[...this.#relocations.keys()].map((n) => `.rel${n}`),
    ];
    const nameAt = names.map((name) => strings.add(name));
    sections.push(table('.strtab', SHT.strtab, strings.bytes()));
    for (const [section, list] of this.#relocations) {
      const body = new DataView(new ArrayBuffer(16 * list.length));
      list.forEach(({ offset, type, symbol }, index) => {
        body.setBigUint64(16 * index, BigInt(offset), true);
        body.setUint32(16 * index + 8, type, true);
        body.setUint32(16 * index + 12, symbol, true);
      });
      const bytes = new Uint8Array(body.buffer);
      sections.push({ ...table('', SHT.rel, bytes), link: first, info: this.#indexOf(section) });
    }
    return layOut(sections, nameAt, stringTable);
  }

  #symbolTable(strings: Strings): Uint8Array {
    const view = new DataView(new ArrayBuffer(24 * (this.#symbols.length + 1)));
    this.#symbols.forEach(({ name, info, other, section, value, size }, index) => {
      const at = 24 * (index + 1);
      view.setUint32(at, strings.add(name), true);
      view.setUint8(at + 4, info);
      view.setUint8(at + 5, other);
      view.setUint16(at + 6, section, true);
      view.setBigUint64(at + 8, BigInt(value), true);
      view.setBigUint64(at + 16, BigInt(size), true);
    });
    return new Uint8Array(view.buffer);
  }
}

class Strings {
  #text = '\0';

  add(name: string): number {
    const at = encodeUtf8(this.#text).length;
    this.#text += `${name}\0`;
    return at;
  }

  bytes(): Uint8Array {
    return encodeUtf8(this.#text);
  }
}

const table = (name: string, type: number, bytes: Uint8Array): BuiltSection => ({
  name,
  type,
  flags: 0,
  bytes,
  size: bytes.length,
});

/** Header, bodies at multiples of 8, then the section headers. */
function layOut(sections: readonly BuiltSection[], nameAt: readonly number[], stringTable: number): Uint8Array {
  const offsets: number[] = [];
  let end = 64;
  for (const { bytes } of sections) {
    offsets.push(end);
    end = alignUp(end + bytes.length, 8);
  }
  const file = new Uint8Array(end + 64 * (sections.length + 1));
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 1, true);
  view.setUint16(18, 247, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(end), true);
  view.setUint16(52, 64, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, sections.length + 1, true);
  view.setUint16(62, stringTable, true);
  sections.forEach(({ type, flags, bytes, size, link = 0, info = 0 }, index) => {
    file.set(bytes, offsets[index]!);
    const at = end + 64 * (index + 1);
    view.setUint32(at, nameAt[index]!, true);
    view.setUint32(at + 4, type, true);
    view.setBigUint64(at + 8, BigInt(flags), true);
    view.setBigUint64(at + 24, BigInt(offsets[index]!), true);
    view.setBigUint64(at + 32, BigInt(size), true);
    view.setUint32(at + 40, link, true);
    view.setUint32(at + 44, info, true);
  });
  return file;
}
