import { describe, expect, it } from 'vitest';
import { decode } from '../isa/codec.ts';
import { BtfBuilder } from './btf/btf.builder.ts';
import { formatVariables, variablesOf } from './btf/variables.ts';
import { ElfBuilder } from './elf.builder.ts';
import { type LoadOptions, loadObject } from './object.ts';
import type { MapSpec } from './spec.ts';

type Fields = Readonly<Record<string, number | readonly ['type', number] | readonly ['raw', number]>>;

/** The struct of a map's definition: a number becomes `__uint`, a type `__type`. */
function definition(btf: BtfBuilder, fields: Fields): number {
  const int = btf.int('int', 4, 'signed');
  const members = Object.entries(fields).map(([name, field], index) => {
    const pointer = typeof field === 'number' ? btf.ptr(btf.array(int, field)) : field[1];
    const type = typeof field === 'object' && field[0] === 'type' ? btf.ptr(field[1]) : pointer;
    return [name, type, index * 64] as const;
  });
  return btf.struct('', members.length * 8, members);
}

/** An object with the maps of section `.maps`, each of 64 bytes. */
function objectWith(define: (btf: BtfBuilder) => Readonly<Record<string, Fields>>): ElfBuilder {
  const btf = new BtfBuilder();
  const maps = Object.entries(define(btf)).map(([name, fields]) => [name, definition(btf, fields)] as const);
  btf.datasec(
    '.maps',
    maps.map(([name, type]) => [btf.variable(name, type), 0, 64]),
  );
  const elf = new ElfBuilder().section('.maps', new Uint8Array(64 * maps.length)).section('.BTF', btf.bytes());
  maps.forEach(([name], index) => {
    elf.symbol(name, '.maps', { type: 'object', value: 64 * index, size: 64 });
  });
  return elf;
}

const mapsOf = (elf: ElfBuilder, options?: LoadOptions): readonly MapSpec[] => loadObject(elf.bytes(), options).maps;
const brief = ({ name, type, keySize, valueSize, maxEntries, flags }: MapSpec) =>
  [name, type, keySize, valueSize, maxEntries, flags] as const;

describe('maps that BTF defines', () => {
  it('sizes from types or numbers, flags, pinning and what is extra', () => {
    const [typed, sized] = mapsOf(
      objectWith((btf) => {
        const key = btf.struct('key', 20, []);
        const value = btf.array(btf.int('__u64', 8), 3);
        return {
          typed: { type: 1, key: ['type', key], value: ['type', value], max_entries: 7, map_flags: 1, pinning: 1 },
          sized: { type: 30, key_size: 0, value_size: 4, max_entries: 9, map_extra: 5, numa_node: 1 },
        };
      }),
    );
    expect(brief(typed!)).toEqual(['typed', 1, 20, 24, 7, 1]);
    expect(typed).toMatchObject({ pinning: 1, keyBtfId: 1, valueBtfId: 3, section: '.maps' });
    expect(brief(sized!)).toEqual(['sized', 30, 0, 4, 9, 0]);
    expect(sized).toMatchObject({ mapExtra: 5n, numaNode: 1, pinning: 0, keyBtfId: null });
  });

  it('a ring of pages: what is written is rounded up', () => {
    const [odd, even, none] = mapsOf(
      objectWith(() => ({
        odd: { type: 27, max_entries: 5000 },
        even: { type: 27, max_entries: 16384 },
        none: { type: 27 },
      })),
    );
    expect([odd, even, none].map((ring) => ring?.maxEntries)).toEqual([8192, 16384, 0]);
  });

  it('one entry for each CPU stays 0: how many there are is not the object’s', () => {
    expect(brief(mapsOf(objectWith(() => ({ events: { type: 4, key_size: 4, value_size: 4 } })))[0]!)[4]).toBe(0);
  });

  it('a program names its map by the symbol, also a static one by its section', () => {
    const elf = objectWith(() => ({ a: { type: 27 }, b: { type: 27 } }))
      .code('xdp', { main: 'r1 = 0 ll\nr2 = 64 ll\nexit' })
      .sectionSymbol('.maps')
      .relocate('xdp', 0, 'R_BPF_64_64', 'b')
      .relocate('xdp', 16, 'R_BPF_64_64', '.maps');
    const object = loadObject(elf.bytes());
    const loads = decode(object.programs[0]!.instructions).filter((one) => one?.kind === 'imm64');
    expect(loads).toMatchObject([{ value: { type: 'map', map: 1 } }, { value: { type: 'map', map: 1 } }]);
    expect(object.relocations[0]).toEqual({
      section: 'xdp',
      offset: 0,
      type: 'R_BPF_64_64',
      symbol: 'b',
      resolved: 'map 1',
    });
  });

  it.each<[string, (btf: BtfBuilder) => Fields, RegExp]>([
    ['no type', () => ({ max_entries: 1 }), /maps: map m: it has no type.*Add __uint\(type/],
    ['an unknown member', () => ({ type: 1, colour: 3 }), /a member 'colour', which means nothing/],
    [
      'two sizes of a key',
      (btf) => ({ type: 1, key_size: 8, key: ['type', btf.int('__u32', 4)] }),
      /key_size says 8 bytes, the key's type has 4/,
    ],
    ['a value without a size', (btf) => ({ type: 1, value: ['type', btf.add('fwd', 'x', 0)] }), /value has no size/],
    ['a number that is none', (btf) => ({ type: ['raw', btf.int('u', 4)] }), /type is no number.*__uint\(type, …\)/],
  ])('refused: %s', (_, fields, message) => {
    expect(() => mapsOf(objectWith((btf) => ({ m: fields(btf) })))).toThrowError(message);
  });
});

describe('maps from before BTF', () => {
  const words = (...numbers: number[]) => new Uint8Array(Uint32Array.from(numbers).buffer);

  it('bpf_map_def of libbpf, five words', () => {
    const elf = new ElfBuilder()
      .section('maps', words(1, 4, 8, 100, 1, 2, 4, 16, 10, 0))
      .symbol('first', 'maps', { type: 'object', value: 0 })
      .symbol('second', 'maps', { type: 'object', value: 20 });
    expect(mapsOf(elf).map(brief)).toEqual([
      ['first', 1, 4, 8, 100, 1],
      ['second', 2, 4, 16, 10, 0],
    ]);
  });

  it('bpf_elf_map of iproute2: pinning, a template by id and its slot, programs of sections ID/INDEX', () => {
    const elf = new ElfBuilder()
      .section(
        'maps',
        words(2, 4, 4, 1, 0, 42, 0, 0, 1, 12, 4, 4, 2, 0, 0, 2, 42, 0xffffffff, 3, 4, 4, 8, 0, 7, 0, 0, 0xffffffff),
      )
      .symbol('inner', 'maps', { type: 'object', value: 0, size: 36 })
      .symbol('outer', 'maps', { type: 'object', value: 36, size: 36 })
      .symbol('jumps', 'maps', { type: 'object', value: 72, size: 36 })
      .code('7/3', { tail: 'r0 = 1\nexit' });
    const [inner, outer, jumps] = mapsOf(elf);
    expect(inner).toMatchObject({ pinning: 0, inner: null, values: [] });
    expect(outer).toMatchObject({ pinning: 1, inner: { name: 'inner' } });
    expect(outer?.values).toEqual([{ index: 1, target: { type: 'map', map: 0 } }]);
    expect(jumps?.values).toEqual([{ index: 3, target: { type: 'program', name: 'tail' } }]);
  });

  it('aya’s seven words: the last is pinning', () => {
    const elf = new ElfBuilder().section('maps', words(9, 4, 4, 64, 0, 0, 1)).symbol('LRU', 'maps', { size: 28 });
    expect(mapsOf(elf)[0]).toMatchObject({ name: 'LRU', type: 9, maxEntries: 64, pinning: 1 });
  });

  it('one that is cut off names itself', () => {
    const elf = new ElfBuilder().section('maps', words(1, 4, 8)).symbol('short', 'maps', { type: 'object' });
    expect(() => mapsOf(elf)).toThrowError(/map short is defined by 12 bytes, of at least 16 in section maps/);
  });
});

describe('variables', () => {
  it('each data section is an array of one element; programs cannot write constants', () => {
    const elf = new ElfBuilder()
      .section('.data', 'data')
      .section('.rodata.str1.1', 'text\0')
      .nobits('.bss', 16)
      .section('.data.empty', '')
      .section('license', 'GPL\0');
    const maps = mapsOf(elf);
    expect(maps.map(brief)).toEqual([
      ['.data', 2, 4, 4, 1, 0],
      ['.rodata.str1.1', 2, 4, 5, 1, 128],
      ['.bss', 2, 4, 16, 1, 0],
    ]);
    expect(maps[0]!.data).toEqual(new TextEncoder().encode('data'));
    expect(maps[2]!.data).toEqual(new Uint8Array(16));
  });

  it('a section with global names may be mapped into user space', () => {
    const btf = new BtfBuilder();
    const int = btf.int('int', 4);
    btf.datasec('.data', [[btf.variable('shown', int, 1), 0, 4]]);
    btf.datasec('.bss', [[btf.variable('hidden', int, 0), 0, 4]]);
    const elf = new ElfBuilder().section('.data', 'data').nobits('.bss', 4).section('.BTF', btf.bytes());
    expect(mapsOf(elf).map(({ flags }) => flags)).toEqual([1024, 0]);
  });

  it('a variable is its map and its offset, by its own symbol or its section’s', () => {
    const elf = new ElfBuilder()
      .section('.data', new Uint8Array(32))
      .code('xdp', { main: 'r1 = 0 ll\nr2 = 12 ll\nr3 = 4 ll\nexit' })
      .symbol('shown', '.data', { type: 'object', value: 8, size: 16 })
      .sectionSymbol('.data')
      .relocate('xdp', 0, 'R_BPF_64_64', 'shown')
      .relocate('xdp', 16, 'R_BPF_64_64', '.data')
      .relocate('xdp', 32, 'R_BPF_64_64', 'shown');
    const loads = decode(loadObject(elf.bytes()).programs[0]!.instructions).filter((one) => one?.kind === 'imm64');
    expect(loads.map((one) => one?.kind === 'imm64' && one.value)).toEqual(
      [8, 12, 12].map((offset) => ({ type: 'map-value', map: 0, offset })),
    );
  });
});

it('a pointer in a variable stays what it was, and inspection says so', () => {
  const elf = new ElfBuilder()
    .section('.data', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0))
    .section('.rodata', 'text\0')
    .sectionSymbol('.rodata')
    .relocate('.data', 0, 'R_BPF_64_ABS64', '.rodata');
  const { maps, relocations } = loadObject(elf.bytes());
  expect(maps[0]!.data).toEqual(Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0));
  expect(relocations).toMatchObject([{ type: 'R_BPF_64_ABS64', symbol: '.rodata', resolved: 'left as it is' }]);
});

describe('values of the kernel’s configuration', () => {
  function kconfigObject(variables: Readonly<Record<string, (btf: BtfBuilder) => number>>, weak = false): ElfBuilder {
    const btf = new BtfBuilder();
    const ids = Object.entries(variables).map(([name, type]) => btf.variable(name, type(btf), 2));
    btf.datasec(
      '.kconfig',
      ids.map((id) => [id, 0, 0]),
    );
    const elf = new ElfBuilder().section('.BTF', btf.bytes());
    for (const name of Object.keys(variables)) elf.symbol(name, null, { binding: weak ? 'weak' : 'global' });
    return elf;
  }
  const u32 = (btf: BtfBuilder) => btf.int('unsigned int', 4);
  const u64 = (btf: BtfBuilder) => btf.int('unsigned long', 8);
  const bool = (btf: BtfBuilder) => btf.int('_Bool', 1, 'bool');
  const char = (btf: BtfBuilder) => btf.int('char', 1, 'signed');
  const string = (btf: BtfBuilder) => btf.array(btf.int('char', 1, 'signed'), 5);

  it('widest first, then by name, as libbpf lays them out', () => {
    const elf = kconfigObject({ CONFIG_B: bool, LINUX_KERNEL_VERSION: u32, CONFIG_HZ: u32, CONFIG_A: u64 });
    const [map] = mapsOf(elf, { kconfig: { CONFIG_A: 1n << 40n, CONFIG_B: 'y' } });
    expect(brief(map!)).toEqual(['.kconfig', 2, 4, 17, 1, 1152]);
    expect(Buffer.from(map!.data!).toString('hex')).toBe('0000000000010000' + 'fa000000' + '00120600' + '01');
  });

  it('y, n, m, characters and strings as the type asks', () => {
    const elf = kconfigObject({ CONFIG_C: char, CONFIG_M: u32, CONFIG_S: string });
    const [map] = mapsOf(elf, { kconfig: { CONFIG_C: 'm', CONFIG_M: 'm', CONFIG_S: '"longer"' } });
    expect(Buffer.from(map!.data!).toString('latin1')).toBe('\x02\0\0\0mlong\0');
  });

  it('are told by name, like the variables of any section', () => {
    const elf = kconfigObject({ CONFIG_B: bool, LINUX_KERNEL_VERSION: u32, CONFIG_C: char, CONFIG_S: string });
    const { btf, maps } = loadObject(elf.bytes(), { kconfig: { CONFIG_B: 'y', CONFIG_C: 'm', CONFIG_S: 'text' } });
    const variables = variablesOf(btf, maps[0]!);
    expect(variables.map(({ name, offset, size }) => [name, offset, size])).toEqual([
      ['LINUX_KERNEL_VERSION', 0, 4],
      ['CONFIG_B', 4, 1],
      ['CONFIG_C', 5, 1],
      ['CONFIG_S', 6, 5],
    ]);
    expect(formatVariables(btf!, variables, maps[0]!.data!)).toEqual({
      LINUX_KERNEL_VERSION: (6 << 16) + (18 << 8),
      CONFIG_B: true,
      CONFIG_C: 109,
      CONFIG_S: 'text',
    });
  });

  it('one that is not known is 0 when weak, else asked for by name', () => {
    expect(mapsOf(kconfigObject({ CONFIG_X: u32 }, true))[0]!.data).toEqual(new Uint8Array(4));
    expect(() => mapsOf(kconfigObject({ CONFIG_X: u32 }))).toThrowError(
      /CONFIG_X is a kernel configuration value that is not known.*option kconfig/,
    );
  });

  it('a value that does not fit is refused', () => {
    const elf = kconfigObject({ CONFIG_B: bool, CONFIG_X: u32 });
    expect(() => mapsOf(elf, { kconfig: { CONFIG_B: 256, CONFIG_X: 1 } })).toThrowError(
      /CONFIG_B is given 256, too large/,
    );
    expect(() => mapsOf(elf, { kconfig: { CONFIG_B: 1, CONFIG_X: 'many' } })).toThrowError(
      /'many', which is no number/,
    );
  });
});
