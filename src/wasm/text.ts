import { AFTER_PREFIX, type Immediates, OPCODES, type Opcode, VALUE, type ValueType } from './opcodes.ts';

const NAMES = new Map<number, readonly [Opcode, Immediates]>(
  Object.entries(OPCODES).map(([name, [code, immediates]]) => [code, [name as Opcode, immediates as Immediates]]),
);
const TYPES = new Map<number, ValueType>(Object.entries(VALUE).map(([name, code]) => [code, name as ValueType]));
const PREFIXES = new Set(
  [...NAMES.keys()].map((code) => Math.floor(code / AFTER_PREFIX)).filter((prefix) => prefix > 0),
);
const NO_NAME = 'function';

/** Reads the binary format as `ModuleWriter` writes it. */
class Bytes {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  byte(): number {
    return this.#bytes[this.at++]!;
  }

  opcode(): number {
    const first = this.byte();
    return PREFIXES.has(first) ? first * AFTER_PREFIX + this.unsigned() : first;
  }

  unsigned(): number {
    return Number(BigInt.asUintN(32, this.#leb()[0]));
  }

  signed(): bigint {
    const [value, bits] = this.#leb();
    return BigInt.asIntN(bits, value);
  }

  #leb(): [value: bigint, bits: number] {
    let value = 0n;
    for (let bits = 0; ; bits += 7) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(bits);
      if (byte < 0x80) return [value, bits + 7];
    }
  }

  name(): string {
    const length = this.unsigned();
    return new TextDecoder().decode(this.#bytes.subarray(this.at, (this.at += length)));
  }

  types(): string {
    return Array.from({ length: this.unsigned() }, () => TYPES.get(this.byte())!).join(' ');
  }
}

/** Functions by index, as far as imports and exports name them. */
interface Names {
  readonly functions: string[];
  readonly types: string[];
  /** Types of the module's own functions, by index among these. */
  readonly own: number[];
}

/** What a section tells; sections of other ids say nothing that the text needs. */
const SECTIONS: Readonly<Record<number, (bytes: Bytes, names: Names) => void>> = {
  1: (bytes, { types }) => {
    bytes.byte();
    types.push(`(${bytes.types()}) -> (${bytes.types()})`);
  },
  2: (bytes, { functions }) => {
    bytes.name();
    const name = bytes.name();
    const kind = bytes.byte();
    if (kind === 0) functions.push(name);
    // A table has a type before its limits.
    if (kind === 1) bytes.byte();
    const flags = bytes.unsigned();
    if (kind === 1 || kind === 2) for (let i = 0; i <= (flags & 1); i++) bytes.unsigned();
  },
  3: (bytes, { own }) => {
    own.push(bytes.unsigned());
  },
  7: (bytes, { functions }) => {
    const name = bytes.name();
    bytes.byte();
    functions[bytes.unsigned()] = name;
  },
};

/** The name of an address, for constants and offsets that are one. */
export type Symbols = (address: number) => string | undefined;

/** The functions of a module, an instruction a line, in the names of the text format (section 6.5), for people to read. */
export function moduleText(module: Uint8Array, symbols: Symbols = () => undefined): string {
  const bytes = new Bytes(module, 8);
  const names: Names = { functions: [], types: [], own: [] };
  const lines: string[] = [];
  let imported = 0;
  while (bytes.at < module.length) {
    const id = bytes.byte();
    bytes.unsigned();
    const count = bytes.unsigned();
    for (let index = 0; index < count; index++) {
      if (id === 10)
        lines.push(...functionText(bytes, names, imported + index, names.types[names.own[index]!]!, symbols));
      else SECTIONS[id]!(bytes, names);
    }
    if (id === 2) imported = names.functions.length;
  }
  return lines.join('\n');
}

function* functionText(
  bytes: Bytes,
  { functions }: Names,
  index: number,
  type: string,
  symbols: Symbols,
): Generator<string> {
  const name = (at: number) => functions[at] ?? `${NO_NAME} ${at}`;
  yield `${name(index)}: ${type}`;
  const end = bytes.unsigned() + bytes.at;
  for (let runs = bytes.unsigned(); runs > 0; runs--) {
    bytes.unsigned();
    bytes.byte();
  }
  let depth = 1;
  while (bytes.at < end) {
    const [opcode, immediates] = NAMES.get(bytes.opcode())!;
    const text = IMMEDIATES[immediates](bytes, name, symbols);
    if (opcode === 'end' || opcode === 'else') depth--;
    if (depth > 0) yield `${'  '.repeat(depth)}${opcode}${text === '' ? '' : ` ${text}`}`;
    if (immediates === 'block' || opcode === 'else') depth++;
  }
}

function constant(bytes: Bytes, _name: unknown, symbols: Symbols): string {
  const value = bytes.signed();
  return symbols(Number(value)) ?? `${value}`;
}

const IMMEDIATES: Record<Immediates, (bytes: Bytes, name: (index: number) => string, symbols: Symbols) => string> = {
  none: () => '',
  block: (bytes) => TYPES.get(bytes.byte()) ?? '',
  label: (bytes) => `${bytes.unsigned()}`,
  labels: (bytes) => Array.from({ length: bytes.unsigned() + 1 }, () => bytes.unsigned()).join(' '),
  index: (bytes) => `${bytes.unsigned()}`,
  function: (bytes, name) => name(bytes.unsigned()),
  indirect: (bytes) => `type ${bytes.unsigned()} table ${bytes.unsigned()}`,
  i32: constant,
  i64: constant,
  fill: (bytes) => memoriesOf(bytes, 1),
  copy: (bytes) => memoriesOf(bytes, 2),
  bytes: (bytes) => `i8x16 ${Array.from({ length: 16 }, () => bytes.byte()).join(' ')}`,
  memory: (bytes, _name, symbols) => {
    const memory = (bytes.unsigned() & 0x40) === 0 ? 0 : bytes.unsigned();
    const offset = bytes.unsigned();
    return `${memory === 0 ? '' : `memory ${memory} `}${offset === 0 ? '' : `offset=${symbols(offset) ?? offset}`}`.trimEnd();
  },
};

/** There is one memory, whose number says nothing. */
function memoriesOf(bytes: Bytes, count: number): string {
  for (let i = 0; i < count; i++) bytes.unsigned();
  return '';
}
