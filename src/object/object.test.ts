import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assemble } from '../isa/assemble.ts';
import { decode } from '../isa/codec.ts';
import { disassemble } from '../isa/disassemble.ts';
import { BtfBuilder } from './btf/btf.builder.ts';
import { ElfBuilder } from './elf.builder.ts';
import { loadObject } from './object.ts';
import type { ObjectSpec, ProgramSpec } from './spec.ts';

const text = (program: ProgramSpec | undefined) =>
  decode(program!.instructions).flatMap((one, pc) => (one === undefined ? [] : [disassemble(one, pc)]));
const program = (object: ObjectSpec, name: string) => object.programs.find((one) => one.name === name);
const layout = (one: ProgramSpec | undefined) => one!.functions.map((f) => `${f.name}@${f.start} ${f.linkage}`);

describe('programs and what they call', () => {
  const object = () =>
    new ElfBuilder()
      .code('.text', {
        twice: 'r0 = r1\nr0 += r0\nexit',
        four: 'call pc-1\nr1 = r0\ncall pc-1\nexit',
        unused: 'r0 = 0\nexit',
      })
      .code('xdp', { first: 'r1 = 1\ncall pc-1\nr0 = 2\nexit', second: 'r1 = 2\ncall pc-1\nexit' })
      .code('tc', { third: 'call pc-1\nexit' })
      .relocate('.text', 24, 'R_BPF_64_32', 'twice')
      .relocate('.text', 40, 'R_BPF_64_32', 'twice')
      .relocate('xdp', 8, 'R_BPF_64_32', 'four')
      .relocate('xdp', 40, 'R_BPF_64_32', 'twice')
      .relocate('tc', 0, 'R_BPF_64_32', 'second')
      .section('license', 'GPL\0');

  it('bring the functions they reach, and no others, in the order of their calls', () => {
    const loaded = loadObject(object().bytes());
    expect(loaded.license).toBe('GPL');
    expect(loaded.programs.map(({ name, section, type }) => [name, section, type])).toEqual([
      ['first', 'xdp', 'xdp'],
      ['second', 'xdp', 'xdp'],
      ['third', 'tc', 'sched_cls'],
    ]);
    expect(layout(program(loaded, 'first'))).toEqual(['first@0 global', 'four@4 global', 'twice@8 global']);
    expect(text(program(loaded, 'first'))).toEqual([
      'r1 = 1', 'call pc+2', 'r0 = 2', 'exit',
      'call pc+3', 'r1 = r0', 'call pc+1', 'exit',
      'r0 = r1', 'r0 += r0', 'exit',
    ]); // biome-ignore format: functions
  });

  it('call across sections, and programs, too', () => {
    expect(layout(program(loadObject(object().bytes()), 'third'))).toEqual([
      'third@0 global',
      'second@2 global',
      'twice@5 global',
    ]);
  });

  it('a static function is called by its section and the distance, or without a relocation', () => {
    const elf = new ElfBuilder()
      .code('.text', { zero: 'r0 = 0\nexit', one: 'r0 = 1\nexit' }, { binding: 'local' })
      .code('xdp', { main: 'call pc+1\ncall helper\nexit\nhelper: r0 = 3\nexit' })
      .sectionSymbol('.text')
      .relocate('xdp', 0, 'R_BPF_64_32', '.text');
    const main = program(loadObject(elf.bytes()), 'main');
    expect(layout(main)).toEqual(['main@0 global', 'one@5 static']);
    expect(text(main).slice(0, 2)).toEqual(['call pc+4', 'call pc+1']);
  });

  it('a static function outside .text is a program unless another function refers to it', () => {
    const elf = new ElfBuilder()
      .code('tc/tail', { tail_drop: 'r0 = 2\nexit', helper: 'r0 = 3\nexit' }, { binding: 'local' })
      .code('tc', { main: 'call pc-1\nexit' })
      .relocate('tc', 0, 'R_BPF_64_32', 'helper');
    expect(loadObject(elf.bytes()).programs.map(({ name, type }) => [name, type])).toEqual([
      ['tail_drop', 'sched_cls'],
      ['main', 'sched_cls'],
    ]);
  });

  it('the body of a weak function that another replaced, which bpftool’s linker leaves without a symbol, is nobody’s', () => {
    const elf = new ElfBuilder()
      .code('.text', { weak: 'r0 = 1\nexit', strong: 'r0 = 2\nexit' })
      .section('xdp', assemble('call pc-1\nexit\ncall pc-1\nexit\ncall pc-1\nexit'), 4)
      .symbol('main', 'xdp', { type: 'func', value: 16, size: 16 })
      .relocate('xdp', 0, 'R_BPF_64_32', 'weak')
      .relocate('xdp', 16, 'R_BPF_64_32', 'strong')
      .relocate('xdp', 32, 'R_BPF_64_32', 'weak');
    expect(loadObject(elf.bytes()).programs.map(layout)).toEqual([['main@0 global', 'strong@2 global']]);
  });

  it('functions that call each other come once', () => {
    const elf = new ElfBuilder()
      .code('.text', { even: 'call pc-1\nexit', odd: 'call pc-1\nexit' })
      .code('xdp', { main: 'call pc-1\nexit' })
      .relocate('.text', 0, 'R_BPF_64_32', 'odd')
      .relocate('.text', 16, 'R_BPF_64_32', 'even')
      .relocate('xdp', 0, 'R_BPF_64_32', 'even');
    expect(text(program(loadObject(elf.bytes()), 'main'))).toEqual([
      'call pc+1', 'exit', 'call pc+1', 'exit', 'call pc-3', 'exit',
    ]); // biome-ignore format: functions
  });

  it('the address of a function is its distance, and brings the function', () => {
    const elf = new ElfBuilder()
      .code('.text', { zero: 'r0 = 0\nexit', callback: 'r0 = 1\nexit' }, { binding: 'local' })
      .code('xdp', { main: 'r2 = 16 ll\nr0 = 0\nexit' })
      .sectionSymbol('.text')
      .relocate('xdp', 0, 'R_BPF_64_64', '.text');
    const main = program(loadObject(elf.bytes()), 'main');
    expect(layout(main)).toEqual(['main@0 global', 'callback@4 static']);
    expect(decode(main!.instructions)[0]).toMatchObject({ kind: 'imm64', value: { type: 'function', pc: 4 } });
  });

  it('a lone function of .text is a program whose type the user gives', () => {
    const lone = loadObject(new ElfBuilder().code('.text', { only: 'r0 = 0\nexit' }).bytes());
    expect(lone.programs).toMatchObject([{ name: 'only', section: '.text', type: null }]);
  });

  it('assembly without symbol types and sizes is taken by its global labels', () => {
    const code = new ElfBuilder().code('xdp', { a: 'r0 = 1\nexit', b: 'r0 = 2\nexit' }, { type: 'notype', size: 0 });
    expect(loadObject(code.bytes()).programs.map(({ name, instructions }) => [name, instructions.length])).toEqual([
      ['a', 16],
      ['b', 16],
    ]);
  });

  it('functions in sections of their own (-ffunction-sections) are there to be called', () => {
    const elf = new ElfBuilder()
      .code('.text.inner', { inner: 'r0 = 0\nexit' })
      .code('xdp', { main: 'call pc-1\nexit' })
      .relocate('xdp', 0, 'R_BPF_64_32', 'inner');
    expect(loadObject(elf.bytes()).programs.map(layout)).toEqual([['main@0 global', 'inner@2 global']]);
  });

  it('a hidden function is verified with its callers', () => {
    const elf = new ElfBuilder()
      .code('.text', { inner: 'r0 = 0\nexit' }, { visibility: 'hidden' })
      .code('xdp', { main: 'call pc-1\nexit' })
      .relocate('xdp', 0, 'R_BPF_64_32', 'inner');
    expect(layout(program(loadObject(elf.bytes()), 'main'))).toEqual(['main@0 global', 'inner@2 static']);
  });

  it('a file descriptor of the machine it was made on names no map of ours', () => {
    const elf = new ElfBuilder().section('.data', 'abcd').code('xdp', { main: 'r1 = map[0] ll\nr0 = 0\nexit' });
    const [first] = decode(loadObject(elf.bytes()).programs[0]!.instructions);
    expect(first).toMatchObject({ kind: 'imm64', value: { type: 'map', map: -1 } });
  });
});

describe('what cannot be linked', () => {
  const main = (code: string) => new ElfBuilder().code('xdp', { main: code });

  it.each<[string, ElfBuilder, RegExp]>([
    [
      'an undefined function',
      main('call pc-1\nexit').symbol('their_function', null).relocate('xdp', 0, 'R_BPF_64_32', 'their_function'),
      /relocate: their_function is used and not defined, in function main in section xdp at offset 0x0\..*bpftool gen/,
    ],
    [
      'an undefined variable',
      main('r0 = 0\nr1 = 0 ll\nexit').symbol('limit', null).relocate('xdp', 8, 'R_BPF_64_64', 'limit'),
      /limit is used and not defined.*offset 0x8/,
    ],
    [
      'a common variable',
      main('r1 = 0 ll\nexit').symbol('shared', null, { index: 0xfff2 }).relocate('xdp', 0, 'R_BPF_64_64', 'shared'),
      /shared is a common symbol.*-fno-common/,
    ],
    [
      'a variable in a section of its own',
      main('r1 = 0 ll\nexit').section('mine', 'abcd').symbol('v', 'mine').relocate('xdp', 0, 'R_BPF_64_64', 'v'),
      /v lies in section mine, which becomes no map/,
    ],
    [
      'a call to the middle of another function',
      main('call pc+0\nexit').code('.text', { f: 'r0 = 0\nexit' }).relocate('xdp', 0, 'R_BPF_64_32', 'f'),
      /f means byte 8 of section \.text, where no function starts/,
    ],
    [
      'a relocation at an addition',
      main('r1 += 0\nexit').section('.data', 'abcd').symbol('v', '.data').relocate('xdp', 0, 'R_BPF_64_64', 'v'),
      /R_BPF_64_64 to v at an instruction that takes none/,
    ],
    [
      'a relocation between instructions',
      main('r1 = 0 ll\nexit').section('.data', 'abcd').symbol('v', '.data').relocate('xdp', 8, 'R_BPF_64_64', 'v'),
      /a relocation to v is at no instruction/,
    ],
    ['maps without BTF', main('exit').section('.maps', 'abcd'), /maps: the maps have no BTF.*Compile with -g/],
    ['half an instruction', new ElfBuilder().section('xdp', 'abcd', 4), /4 bytes are no whole number of instructions/],
  ])('%s', (_, elf, message) => {
    expect(() => loadObject(elf.bytes())).toThrowError(message);
  });
});

it('the kernel’s own: kfuncs and variables by index, a weak one kept as weak', () => {
  const btf = new BtfBuilder();
  const proto = btf.proto(0, []);
  const int = btf.int('int', 4, 'signed');
  const kfunc = btf.func('bpf_rcu_read_lock', proto, 2);
  const variable = btf.variable('jiffies_lock', int, 2);
  btf.datasec('.ksyms', [[kfunc, 0, 0], [variable, 0, 0]]); // biome-ignore format: pairs
  const elf = new ElfBuilder()
    .code('tc', { main: 'call pc-1\nr1 = 0 ll\nexit' })
    .symbol('bpf_rcu_read_lock', null)
    .symbol('jiffies_lock', null, { binding: 'weak' })
    .relocate('tc', 0, 'R_BPF_64_32', 'bpf_rcu_read_lock')
    .relocate('tc', 8, 'R_BPF_64_64', 'jiffies_lock')
    .section('.BTF', btf.bytes());
  const object = loadObject(elf.bytes());
  expect(object.kernelSymbols).toEqual([
    { name: 'bpf_rcu_read_lock', kind: 'kfunc', weak: false, btfId: kfunc },
    { name: 'jiffies_lock', kind: 'variable', weak: true, btfId: variable },
  ]);
  expect(decode(object.programs[0]!.instructions).slice(0, 2)).toMatchObject([
    { kind: 'call', target: { type: 'kfunc', btfId: 0 } },
    { kind: 'imm64', value: { type: 'ksym', btfId: 1 } },
  ]);
});

it('line and function information moves along with its function', () => {
  const btf = new BtfBuilder();
  const proto = btf.proto(0, []);
  const inner = btf.func('inner', proto, 0);
  const text = btf.ext('.text', [[16, inner]], [[0, 'a.c', 'no()', 9, 1], [16, 'a.c', 'return 7;', 3, 5]], []); // biome-ignore format: pairs
  const elf = new ElfBuilder()
    .code('.text', { unused: 'r0 = 0\nexit', inner: 'r0 = 7\nexit' })
    .code('xdp', { main: 'call pc-1\nexit' })
    .relocate('xdp', 0, 'R_BPF_64_32', 'inner')
    .section('.BTF', btf.bytes())
    .section('.BTF.ext', text);
  const [loaded] = loadObject(elf.bytes()).programs;
  expect(loaded!.functions[1]).toMatchObject({ name: 'inner', start: 2, linkage: 'static', btfId: inner });
  expect(loaded!.lines).toEqual([{ pc: 2, file: 'a.c', line: 3, column: 5, text: 'return 7;' }]);
});

const examples = new URL('../../programs/', import.meta.url);

describe('objects that clang made', () => {
  const load = (name: string) => loadObject(readFileSync(new URL(name, examples)));

  it('are linked in a copy: a Buffer with the file stays as it was', () => {
    const file = readFileSync(new URL('lb.bpf.o', examples));
    const before = file.toHex();
    loadObject(file);
    expect(file.toHex()).toBe(before);
  });

  it.each(readdirSync(examples).filter((name) => name.endsWith('.o')))('%s loads, each time the same', (name) => {
    const object = load(name);
    expect(object.programs.length).toBeGreaterThan(0);
    const { btf: _, ...once } = object;
    const { btf: __, ...again } = load(name);
    expect(again).toEqual(once);
    for (const { functions, instructions, lines } of object.programs) {
      const ends = functions.map(({ start, length }) => start + length);
      expect(functions.map(({ start }) => start)).toEqual([0, ...ends.slice(0, -1)]);
      expect(ends.at(-1)! * 8).toBe(instructions.length);
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.every(({ pc }, index) => pc > (lines[index - 1]?.pc ?? -1))).toBe(true);
    }
  });

  it('map-in-map, its template and its first values', () => {
    const { maps } = load('mapkinds.bpf.o');
    const tenants = maps.find(({ name }) => name === 'tenants');
    expect(tenants).toMatchObject({ type: 12, keySize: 4, valueSize: 4, maxEntries: 4 });
    expect(tenants?.inner).toMatchObject({ name: 'tenants.inner', type: 2, valueSize: 8, maxEntries: 256 });
    const names = tenants?.values.map(({ index, target }) => [index, target.type === 'map' && maps[target.map]?.name]);
    expect(names).toContainEqual([0, 'tenant_default']);
  });

  it('a program array and the programs in it', () => {
    const stages = load('marker.bpf.o').maps.find(({ name }) => name === 'stages');
    expect(stages?.type).toBe(3);
    expect(stages?.values[0]).toEqual({ index: 0, target: { type: 'program', name: 'stage_tcp' } });
  });
});

// Debian's package xdp-tools; elsewhere these are missing and the examples above have to do.
const xdpTools = '/usr/lib/x86_64-linux-gnu/bpf/';

describe.skipIf(!existsSync(`${xdpTools}xdpfilt_dny_all.o`))('objects of Debian’s xdp-tools', () => {
  it('the filter: one program, five pinned maps', () => {
    const object = loadObject(readFileSync(`${xdpTools}xdpfilt_dny_all.o`));
    expect(object.programs.map(({ name, type, instructions }) => [name, type, instructions.length / 8])).toEqual([
      ['xdpfilt_dny_all', 'xdp', 437],
    ]);
    expect(object.maps.map(({ name, type, maxEntries, pinning }) => [name, type, maxEntries, pinning])).toEqual([
      ['xdp_stats_map', 6, 5, 1],
      ['filter_ports', 6, 65536, 1],
      ['filter_ipv4', 5, 10000, 1],
      ['filter_ipv6', 5, 10000, 1],
      ['filter_ethernet', 5, 10000, 1],
    ]);
  });

  it('the dispatcher: ten global functions out of .text behind it', () => {
    const [dispatcher, pass] = loadObject(readFileSync(`${xdpTools}xdp-dispatcher.o`)).programs;
    expect(layout(dispatcher).slice(0, 3)).toEqual(['xdp_dispatcher@0 global', 'prog0@148 global', 'prog1@154 global']);
    expect(dispatcher?.functions).toHaveLength(12);
    expect(pass?.instructions).toHaveLength(16);
  });

  it.each(existsSync(xdpTools) ? readdirSync(xdpTools).filter((name) => name.endsWith('.o')) : [])('%s', (name) => {
    expect(loadObject(readFileSync(xdpTools + name)).programs.length).toBeGreaterThan(0);
  });
});
