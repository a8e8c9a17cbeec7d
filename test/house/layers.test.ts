import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LAYERS, PACKAGES, PURE } from './layers.ts';

const SOURCE = new URL('../../src', import.meta.url).pathname;
const files = globSync('**/*.ts', { cwd: SOURCE }).filter(
  (file) => !file.endsWith('.test.ts') && !/\/(test-host|testing|.*\.builder|.*\.arbitrary)\.ts$/.test(file),
);

function roomOf(file: string): string | undefined {
  if (file === 'index.ts') return 'index';
  return Object.keys(LAYERS)
    .filter((room) => file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** Modules that a source text imports or re-exports, types included. */
function importsOf(text: string): string[] {
  const statement =
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s+'([^']+)'|^\s*import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm;
  return [...text.matchAll(statement)].map((match) => (match[1] ?? match[2] ?? match[3])!);
}

/** What is wrong with one import, or undefined. */
function fault(file: string, module: string): string | undefined {
  const room = roomOf(file);
  if (room === undefined) return 'lies in no room of the table';
  if (module.startsWith('node:')) return PURE.includes(room) ? `${room} must do without Node's modules` : undefined;
  if (!module.startsWith('.')) {
    return PACKAGES[room]?.some((allowed) => allowed.test(module)) ? undefined : `${room} may not use that package`;
  }
  const target = roomOf(normalize(join(dirname(file), module)));
  if (target === undefined || target === room || LAYERS[room]!.includes(target)) return undefined;
  return `${room} may not import ${target}`;
}

describe('layers', () => {
  it('finds the sources', () => expect(files.length).toBeGreaterThan(50));

  it('every import keeps to the table', () => {
    const faults = files.flatMap((file) =>
      importsOf(readFileSync(join(SOURCE, file), 'utf8')).flatMap((module) => {
        const problem = fault(file, module);
        return problem === undefined ? [] : [`src/${file} imports ${module}: ${problem}`];
      }),
    );
    expect(faults).toEqual([]);
  });

  it('the table has no circle: each room imports only rooms above it', () => {
    const order = Object.keys(LAYERS);
    const upward = (room: string) => LAYERS[room]!.filter((target) => order.indexOf(target) >= order.indexOf(room));
    expect(order.flatMap((room) => upward(room).map((target) => `${room} → ${target}`))).toEqual([]);
  });

  it.each([
    ['base/bytes.ts', '../isa/codec.ts'],
    ['verifier/verify.ts', '../runtime/maps/index.ts'],
    ['capture/reader.ts', '../engine/instance.ts'],
    ['isa/codec.ts', 'fastify'],
    ['object/elf.ts', 'node:fs'],
  ])('would catch %s importing %s', (file, module) => expect(fault(file, module)).toBeDefined());
});
