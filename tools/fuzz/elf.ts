/**
 * Mutates small objects and loads them: whatever the bytes, the outcome is a spec that keeps its promises or a
 * `LoadError` that says where, in bounded memory.
 *
 *   node tools/fuzz/elf.ts --seed 1 --count 1000000
 */
import { isDeepStrictEqual } from 'node:util';
import { LoadError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/random.ts';
import { SHT } from '../../src/object/elf.ts';
import { loadObject } from '../../src/object/object.ts';
import type { ObjectSpec } from '../../src/object/spec.ts';
import { ELF_SAMPLES } from './elf-samples.ts';
import { fuzzFromCommandLine } from './run.ts';

/** Small, so that a mutation that asks for more is soon seen. */
const LIMITS = { maxSize: 1 << 20, maxInstructions: 1 << 12 };
const LONGEST_MESSAGE = 10_000;

const EXTREMES = [
  0n,
  1n,
  7n,
  8n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fff_ffffn,
  0xffff_fff8n,
  0xffff_ffffn,
  2n ** 53n,
  2n ** 64n - 1n,
];
const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)]!;

/** Changes `bytes` in place; `sample` is the same object unharmed, in which fields can be found. */
type Mutation = (bytes: Uint8Array, random: Random, sample: Uint8Array) => void;

/** Writes `size` bytes of an extreme at one of the fields, each `[offset, size]`, of a record of `length` bytes. */
const extreme = (bytes: Uint8Array, at: number, fields: readonly (readonly [number, number])[], random: Random) => {
  const [offset, size] = pick(random, fields);
  let value = random.below(2) === 0 ? pick(random, EXTREMES) : BigInt(random.below(bytes.length + 64));
  for (let index = 0; index < size; index++, value >>= 8n) {
    if (at + offset + index < bytes.length) bytes[at + offset + index] = Number(value & 0xffn);
  }
};

const HEADER = [[16, 2], [18, 2], [40, 8], [58, 2], [60, 2], [62, 2]] as const; // biome-ignore format: fields
const SECTION = [[0, 4], [4, 4], [8, 8], [24, 8], [32, 8], [40, 4], [44, 4]] as const; // biome-ignore format: fields
const SYMBOL = [[0, 4], [4, 1], [5, 1], [6, 2], [8, 8], [16, 8]] as const; // biome-ignore format: fields
const RELOCATION = [[0, 8], [8, 4], [12, 4]] as const; // biome-ignore format: fields

interface Table {
  readonly offset: number;
  readonly size: number;
}

/** Offset and size of the sections of this type, as the unharmed object says. */
function tables(bytes: Uint8Array, type: number): Table[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headers = Number(view.getBigUint64(40, true));
  return Array.from({ length: view.getUint16(60, true) }, (_, index) => headers + 64 * index)
    .filter((at) => view.getUint32(at + 4, true) === type)
    .map((at) => ({
      offset: Number(view.getBigUint64(at + 24, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    }));
}

const inTable =
  (type: number, record: number, fields: readonly (readonly [number, number])[]): Mutation =>
  (bytes, random, sample) => {
    const table: Table | undefined = pick(random, tables(sample, type));
    if (table !== undefined) extreme(bytes, table.offset + record * random.below(table.size / record), fields, random);
  };

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => {
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
  },
  (bytes, random) => {
    bytes[random.below(bytes.length)] = random.u32();
  },
  (bytes, random) => extreme(bytes, 0, HEADER, random),
  (bytes, random, sample) => {
    const headers = Number(new DataView(sample.buffer).getBigUint64(40, true));
    extreme(bytes, headers + 64 * random.below(sample[60]!), SECTION, random);
  },
  inTable(SHT.symtab, 24, SYMBOL),
  inTable(SHT.rel, 16, RELOCATION),
  (bytes, random) => extreme(bytes, random.below(bytes.length / 4) * 4, [[0, 4]], random),
  (bytes, random) => {
    // A splice: a stretch of another object, or of this one, laid over.
    const from = pick(random, ELF_SAMPLES);
    const source = random.below(from.length);
    bytes.set(from.subarray(source, source + 1 + random.below(128)), random.below(bytes.length - 128));
  },
];

function mutate(sample: Uint8Array, random: Random): Uint8Array {
  const bytes = sample.slice();
  for (let left = 1 + random.below(3); left > 0; left--) pick(random, MUTATIONS)(bytes, random, sample);
  return random.below(32) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}

function check(spec: ObjectSpec): void {
  const promise = (held: boolean, what: string) => {
    if (!held) throw new Error(`the spec breaks its promise: ${what}`);
  };
  let slots = 0;
  for (const { name, instructions, functions, lines } of spec.programs) {
    let end = 0;
    for (const { start, length } of functions) {
      promise(start === end && length > 0, `functions of ${name} lie one behind the other`);
      end += length;
    }
    promise(end * 8 === instructions.length, `functions of ${name} fill it`);
    promise(
      lines.every(({ pc }, index) => pc > (lines[index - 1]?.pc ?? -1) && pc < end),
      `lines of ${name} rise`,
    );
    slots += end;
  }
  promise(slots <= LIMITS.maxInstructions, 'instructions are bounded');
  let data = 0;
  for (const map of spec.maps) {
    data += map.data?.length ?? 0;
    promise(map.data === null || map.data.length === map.valueSize, `${map.name} has a value as large as its data`);
    for (const { target } of map.values) {
      promise(target.type === 'program' || target.map < spec.maps.length, `values of ${map.name} exist`);
    }
  }
  promise(data <= LIMITS.maxSize + 4096 * 16, 'variables are bounded');
}

/** Loads one mutated object. Returns the error's code, or `loaded`. */
export function fuzzElf(random: Random, index: number): string {
  const bytes = mutate(ELF_SAMPLES[index % ELF_SAMPLES.length]!, random);
  try {
    const spec = loadObject(bytes, LIMITS);
    check(spec);
    if (index % 64 === 0) {
      const { btf: _, ...once } = spec;
      const { btf: __, ...again } = loadObject(bytes, LIMITS);
      if (!isDeepStrictEqual(once, again)) throw new Error('the same bytes give two specs');
    }
    return 'loaded';
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    if (error.message.length > LONGEST_MESSAGE) throw new Error(`a message of ${error.message.length} characters`);
    return error.detail.code;
  }
}

if (import.meta.main) fuzzFromCommandLine('elf', fuzzElf);
