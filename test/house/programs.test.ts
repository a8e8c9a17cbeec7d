import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  findClang,
  isTheRecorded,
  PROGRAMS,
  programNames,
  readRecord,
  rebuiltDifferences,
  recordedDifferences,
} from '../../tools/build-programs.ts';

const record = readRecord();

describe('example programs', () => {
  test('each object was built from the source beside it', () => {
    expect(recordedDifferences(record)).toEqual([]);
  });

  test('a changed source, object or list is noticed', () => {
    const [name = ''] = programNames();
    const entry = record.programs[name]!;
    const { [name]: _, ...others } = record.programs;
    const differences = (programs: typeof record.programs) => recordedDifferences({ ...record, programs });
    expect(differences({ ...others, [name]: { ...entry, source: '0' } })).toEqual([
      expect.stringContaining(`${name}.bpf.c`),
    ]);
    expect(differences({ ...others, [name]: { ...entry, object: '0' } })).toEqual([
      expect.stringContaining(`${name}.bpf.o is not`),
    ]);
    expect(differences(others)).toEqual([expect.stringContaining('never built')]);
    expect(differences({ ...record.programs, gone: entry })).toEqual([expect.stringContaining('no gone.bpf.c')]);
  });

  const clang = findClang();
  test.skipIf(!isTheRecorded(clang, record))(`${record.clang} builds the same bytes again`, () => {
    expect(rebuiltDifferences(clang!, programNames())).toEqual([]);
  });

  test('no object holds a path of the machine that built it', () => {
    for (const name of programNames()) {
      const text = readFileSync(join(PROGRAMS, `${name}.bpf.o`), 'latin1');
      expect(text.match(/\/(?:usr|home|work|root|tmp)\/[\w./-]*/)?.[0], name).toBeUndefined();
    }
  });

  test('map fills belong to a program, name its maps, and hold hex', () => {
    for (const file of readdirSync(PROGRAMS).filter((f) => f.endsWith('.maps.json'))) {
      const name = file.slice(0, -'.maps.json'.length);
      expect(programNames()).toContain(name);
      const source = readFileSync(join(PROGRAMS, `${name}.bpf.c`), 'utf8');
      const fill = JSON.parse(readFileSync(join(PROGRAMS, file), 'utf8')) as Record<
        string,
        { key: string; value: string }[]
      >;
      for (const [map, entries] of Object.entries(fill)) {
        expect(source, `${file}: ${map}`).toMatch(new RegExp(`\\b${map} SEC\\("\\.maps"\\)`));
        for (const { key, value } of entries) {
          expect(key, `${file}: ${map}`).toMatch(/^([0-9a-f]{2})*$/);
          expect(value, `${file}: ${map}`).toMatch(/^(([0-9a-f]{2})+|program:\w+|map:\w+)$/);
        }
      }
    }
  });

  test('the README names every program', () => {
    const readme = readFileSync(join(PROGRAMS, 'README.md'), 'utf8');
    for (const name of programNames()) expect(readme).toContain(`\`${name}\``);
  });
});
