import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mapTypeId } from '../abi/map-types.ts';
import { Instance } from './instance.ts';
import type { MapDesk, WantedEdit } from './map-desk.ts';
import { keepMaps } from './map-keeper.ts';
import { readObject } from './read-object.ts';
import { instanceOf, mapSpecOf, runOn } from './testing.ts';

const PROGRAMS = join(import.meta.dirname, '../../programs');
const object = (name: string) => readObject(readFileSync(join(PROGRAMS, `${name}.bpf.o`)));

function edit(desk: MapDesk, map: string, key: string, change: WantedEdit['change'], mode: WantedEdit['mode'] = 'any') {
  const resolved = desk.resolve({ map, key, change, mode });
  desk.apply(resolved);
  return resolved;
}

describe('the desk of an object with BTF', () => {
  const { desk } = new Instance(object('redirect'), { program: 'xdp_switch', cpus: 2 });

  it('takes keys and values as JSON by their types, or as hex, and shows both', () => {
    const mac = [2, 0, 0, 0, 0, 1];
    const done = edit(desk, 'stations', JSON.stringify(mac), { value: '0700000000000000' });
    expect(done.key).toBe('020000000001');
    const entry = desk.entry('stations', '020000000001')!;
    expect(entry.value).toBe('0700000000000000');
    expect(entry.decoded.key).toEqual(mac);

    const copied = edit(desk, 'stations', '020000000002', { decoded: entry.decoded.value });
    expect(copied.value).toBe(entry.value);
    expect(
      desk
        .entries('stations', 0, 10)
        .entries.map(({ key }) => key)
        .sort(),
    ).toEqual(['020000000001', '020000000002']);
    edit(desk, 'stations', '020000000001', null);
    expect(desk.entry('stations', '020000000001')).toBeUndefined();
  });

  it('takes numbers of keys as they are written', () => {
    edit(desk, 'ports', '3', { value: '0900000000000000' });
    expect(desk.entry('ports', '0x3')).toEqual(desk.entry('ports', '03000000'));
  });

  it.each([
    ['port', '1', { value: '00' }, 'there is no map port; there are: stations, ports'],
    ['ports', 'x', null, 'a key of map ports is to be hex, or JSON by its type'],
    ['ports', '1', { value: '00' }, "map ports: value has 1 bytes; the map's have 8"],
    ['ports', '1', { decoded: { ifindex: 2, colour: 1 } }, 'colour is no member'],
    ['ports', '1000000', { value: '0900000000000000' }, 'map ports does not take it: E2BIG'],
    ['stations', '020000000009', null, 'map stations does not take it: ENOENT (there is no such entry)'],
    ['.rodata', '00000000', { value: '00000000' }, 'map .rodata cannot be changed (EPERM)'],
  ] as readonly [string, string, WantedEdit['change'], string][])('refuses %s %s %j: %s', (map, key, change, words) => {
    expect(() => edit(desk, map, key, change)).toThrow(words);
  });

  it('adds and replaces as BPF_NOEXIST and BPF_EXIST say', () => {
    const value = { value: '0100000000000000' };
    expect(() => edit(desk, 'stations', '0200000000aa', value, 'exist')).toThrow('ENOENT');
    edit(desk, 'stations', '0200000000aa', value, 'noexist');
    expect(() => edit(desk, 'stations', '0200000000aa', value, 'noexist')).toThrow('EEXIST');
  });
});

describe('the desk of maps', () => {
  it('of programs and of maps takes names, and a program then runs by what was put in', () => {
    const { desk } = new Instance(object('marker'), { program: 'marker' });
    expect(() => edit(desk, 'links', '00000000', { value: '01000000' })).toThrow('takes program:NAME');
    expect(() => edit(desk, 'links', '00000000', { value: 'program:other' })).toThrow('no program other');
    edit(desk, 'links', '00000000', { value: 'program:chain' });
    expect(desk.entry('links', '00000000')).toMatchObject({ value: 'program:chain', decoded: { value: null } });
    const kinds = new Instance(object('mapkinds'), { program: 'tenant_counters' });
    edit(kinds.desk, 'tenants', '00000000', { value: 'map:tenant_blue' });
    expect(kinds.desk.entry('tenants', '00000000')!.value).toBe('map:tenant_blue');
  });

  it('for each CPU takes one value for all of them, or a list', () => {
    const { desk } = new Instance(object('blocklist'), { cpus: 2 });
    edit(desk, 'rule_hits', '1', { value: '05'.padEnd(32, '0') });
    const [first, second] = desk.entry('rule_hits', '1')!.decoded.value as { packets: number; bytes: number }[];
    expect(first).toEqual(second);
    edit(desk, 'rule_hits', '1', { decoded: [first!, { ...second!, packets: 9 }] });
    expect(desk.entry('rule_hits', '1')!.decoded.value).toEqual([first, { ...second, packets: 9 }]);
    expect(() => edit(desk, 'rule_hits', '1', { decoded: first! })).toThrow('give a list');
  });

  it('of global variables shows them by name, and changes those that are named', () => {
    const instance = new Instance(object('mapkinds'), { program: 'recent_sources' });
    const { desk } = instance;
    const variables = () => desk.entry('.bss', '00000000')!.decoded.value as Record<string, unknown>;
    expect(desk.entry('.data', '00000000')!.decoded.value).toEqual({ next_serial: 1000 });
    expect(desk.entry('.rodata', '00000000')!.decoded.value).toMatchObject({
      port_shift: 1,
      tenant_names: ['default', 'blue', 'red'],
    });
    edit(desk, '.bss', '00000000', { decoded: { newcomers: 7, parsed: [1, -2] } });
    edit(desk, '.bss', '00000000', { decoded: { evicted: 5 } });
    expect(variables()).toMatchObject({ total_ports: 0, newcomers: 7, evicted: 5, parsed: [1, -2] });
    const shown = new Map(instance.dumpMaps().map((dump) => [dump.map, desk.variables(dump)]));
    expect(shown.get('.bss')).toEqual(variables());
    expect(shown.get('recent')).toBeUndefined();
    expect(() => edit(desk, '.bss', '00000000', { decoded: { nope: 1 } })).toThrow('there is no variable nope');
    expect(() => edit(desk, '.bss', '00000000', { decoded: { newcomers: -1 } })).toThrow('variable newcomers: ');
    expect(() => edit(desk, '.rodata', '00000000', { decoded: { port_shift: 2 } })).toThrow('EPERM');
  });

  it('without keys pushes under -', () => {
    const { desk } = new Instance(object('mapkinds'), { program: 'recent_sources' });
    edit(desk, 'recent', '-', { value: '0a000001' });
    edit(desk, 'recent', '-', { value: '0a000002' });
    expect(desk.entries('recent', 0, 10).entries.map(({ value }) => value)).toEqual(['0a000001', '0a000002']);
  });

  it('gives long ones in pages, each entry once', () => {
    const maxEntries = 1000;
    const spec = mapSpecOf({ name: 'many', type: mapTypeId('hash'), maxEntries });
    const instance = instanceOf('r0 = 2\nexit', { maps: [spec] });
    for (let i = 0; i < maxEntries; i++)
      edit(instance.desk, 'many', i.toString(16).padStart(8, '0'), { value: '0'.repeat(16) });
    const keys: string[] = [];
    for (let at: number | null = 0; at !== null; ) {
      const page = instance.desk.entries('many', at, 64);
      keys.push(...page.entries.map(({ key }) => key));
      at = page.next;
      if (keys.length === 128) runOn(instance);
      if (keys.length === 192) instance.desk.refresh();
    }
    expect(new Set(keys).size).toBe(maxEntries);
    expect(keys).toHaveLength(maxEntries);
  });
});

const ENTRY: Readonly<Record<string, string>> = {
  flowstats: 'flowstats',
  mapkinds: 'recent_sources',
  redirect: 'xdp_switch',
};

describe('contents of maps after a replay', () => {
  it.each(
    readdirSync(PROGRAMS)
      .filter((name) => name.endsWith('.bpf.o'))
      .map((name) => name.slice(0, -6)),
  )('are kept as they were: %s', (name) => {
    const spec = object(name);
    const init = join(PROGRAMS, `${name}.maps.json`);
    const mapInit = readdirSync(PROGRAMS).includes(`${name}.maps.json`) ? JSON.parse(readFileSync(init, 'utf8')) : {};
    const program = ENTRY[name] ?? spec.programs.at(-1)!.name;
    const instance = new Instance(spec, { program, mapInit, cpus: 2 });
    const frame = new Uint8Array(80);
    frame.set([0x08, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 53, 0, 80, 0, 40], 12);
    for (let i = 0; i < 40; i++) {
      frame[29] = i;
      instance.cpu = i % 2;
      runOn(instance, frame, i);
    }
    const sorted = (desk: MapDesk) =>
      [...desk.contents()].flatMap(({ map, type, entries }) => {
        const held = [...entries].map((entry) => JSON.stringify(entry));
        // Maps that keep an order keep it; hash tables do not.
        return [map, ...(/hash|lpm/.test(type) ? held.sort() : held)];
      });
    const contents = instance.dumpMaps().flatMap(({ map, entries }) => entries.map((entry) => ({ map, ...entry })));
    expect(sorted(keepMaps([{ object: spec, program: '' }], contents, { cpus: 2 }))).toEqual(sorted(instance.desk));
  });
});
