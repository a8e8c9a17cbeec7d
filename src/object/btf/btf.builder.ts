import { concatBytes, encodeUtf8 } from '../../base/bytes.ts';
import { type BtfKind, KINDS } from './kinds.ts';
import { CORE_KINDS, type CoreKind } from './relocation.ts';

type Member = readonly [name: string, type: number, bitOffset: number, bitfieldSize?: number];
type Value = readonly [name: string, value: bigint | number];
type Parameter = readonly [name: string, type: number];

/** Makes the bytes of .BTF and .BTF.ext for tests. Each method adds a type and returns its id. */
export class BtfBuilder {
  readonly #words: number[] = [];
  readonly #strings: string[] = [''];
  #stringsSize = 1;
  #count = 0;

  string(text: string): number {
    if (text === '') return 0;
    const at = this.#stringsSize;
    this.#strings.push(text);
    this.#stringsSize += encodeUtf8(text).length + 1;
    return at;
  }

  add(kind: BtfKind, name: string, sizeOrType: number, words: readonly number[] = [], vlen = 0, flag = false): number {
    const number = KINDS.findIndex((row) => row.kind === kind);
    this.#words.push(this.string(name), ((flag ? 1 << 31 : 0) | (number << 24) | vlen) >>> 0, sizeOrType);
    for (const word of words) this.#words.push(word);
    return ++this.#count;
  }

  int(name: string, size: number, encoding: 'signed' | 'unsigned' | 'char' | 'bool' = 'unsigned'): number {
    const bits = { unsigned: 0, signed: 1, char: 2, bool: 4 }[encoding];
    return this.add('int', name, size, [(bits << 24) | (size * 8)]);
  }

  ptr(type: number): number {
    return this.add('ptr', '', type);
  }

  array(type: number, nelems: number): number {
    return this.add('array', '', 0, [type, type, nelems]);
  }

  struct(name: string, size: number, members: readonly Member[], kind: 'struct' | 'union' = 'struct'): number {
    const bitfields = members.some((member) => member[3] !== undefined);
    const words = members.flatMap(([member, type, bitOffset, bits = 0]) => [
      this.string(member),
      type,
      ((bits << 24) | bitOffset) >>> 0,
    ]);
    return this.add(kind, name, size, words, members.length, bitfields);
  }

  union(name: string, size: number, members: readonly Member[]): number {
    return this.struct(name, size, members, 'union');
  }

  enum(name: string, values: readonly Value[], signed = false): number {
    const words = values.flatMap(([value, number]) => [this.string(value), Number(BigInt.asUintN(32, BigInt(number)))]);
    return this.add('enum', name, 4, words, values.length, signed);
  }

  enum64(name: string, values: readonly Value[], signed = false): number {
    const words = values.flatMap(([value, number]) => [
      this.string(value),
      Number(BigInt.asUintN(32, BigInt(number))),
      Number(BigInt.asUintN(32, BigInt(number) >> 32n)),
    ]);
    return this.add('enum64', name, 8, words, values.length, signed);
  }

  proto(type: number, params: readonly Parameter[]): number {
    const words = params.flatMap(([name, param]) => [this.string(name), param]);
    return this.add('func_proto', '', type, words, params.length);
  }

  /** `linkage`: 0 static, 1 global, 2 extern. */
  func(name: string, proto: number, linkage = 1): number {
    return this.add('func', name, proto, [], linkage);
  }

  variable(name: string, type: number, linkage = 1): number {
    return this.add('var', name, type, [linkage]);
  }

  datasec(name: string, variables: readonly (readonly [type: number, offset: number, size: number])[]): number {
    return this.add('datasec', name, 0, variables.flat(), variables.length);
  }

  bytes(): Uint8Array {
    const strings = encodeUtf8(this.#strings.map((text) => `${text}\0`).join(''));
    const types = words(this.#words);
    return concatBytes([words([0x0001_eb9f, 24, 0, types.length, types.length, strings.length]), types, strings]);
  }

  /** One section of instructions. Call it before `bytes`: it adds strings. */
  ext(
    section: string,
    functions: readonly (readonly [offset: number, typeId: number])[],
    lines: readonly (readonly [offset: number, file: string, text: string, line: number, column: number])[],
    core: readonly (readonly [offset: number, typeId: number, access: string, kind: CoreKind])[],
  ): Uint8Array {
    const name = this.string(section);
    const part = (size: number, records: number[][]) =>
      records.length === 0 ? [] : [size, name, records.length, ...records.flat()];
    const parts = [
      part(
        8,
        functions.map((record) => [...record]),
      ),
      part(
        16,
        lines.map(([offset, file, text, line, column]) => [
          offset,
          this.string(file),
          this.string(text),
          (line << 10) | column,
        ]),
      ),
      part(
        16,
        core.map(([offset, typeId, access, kind]) => [offset, typeId, this.string(access), CORE_KINDS.indexOf(kind)]),
      ),
    ];
    const places: number[] = [];
    let at = 0;
    for (const { length } of parts) {
      places.push(at, length * 4);
      at += length * 4;
    }
    return words([0x0001_eb9f, 32, ...places, ...parts.flat()]);
  }
}

function words(numbers: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(numbers.length * 4));
  for (const [index, number] of numbers.entries()) view.setUint32(index * 4, number, true);
  return new Uint8Array(view.buffer);
}
