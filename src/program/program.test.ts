import { describe, expect, it } from 'vitest';
import type { MapSpec, ObjectSpec, ProgramSpec } from '../object/spec.ts';
import { decodeProgram, functionAt, lineAt, programFromAssembly } from './program.ts';

const map = { name: 'counters' } as MapSpec;
const line = (pc: number, number: number) => ({ pc, file: 'a.c', line: number, column: 1, text: '' });

const spec: ProgramSpec = {
  name: 'main',
  section: 'prog',
  type: null,
  attachType: null,
  frags: false,
  sleepable: false,
  autoload: true,
  instructions: programFromAssembly('r0 = 1 ll\ncall sub\nexit\nsub: r0 = 2\nexit', { type: 'xdp' }).bytes,
  functions: [],
  lines: [line(0, 10), line(3, 11), line(4, 20)],
};
const object: ObjectSpec = {
  license: 'GPL',
  programs: [spec],
  maps: [map],
  btf: null,
  kernelSymbols: [],
  relocations: [],
};

describe('decodeProgram', () => {
  it('asks for a type where the section names none', () => {
    expect(() => decodeProgram(object, spec)).toThrow(
      'decode: the section names no program type for main in section prog. Name the type',
    );
    expect(decodeProgram(object, spec, 'xdp').type).toBe('xdp');
  });

  it('drops the attach type of another type', () => {
    const xdp = { ...spec, type: 'xdp', attachType: 'xdp' };
    expect(decodeProgram(object, xdp).attachType).toBe('xdp');
    expect(decodeProgram(object, xdp, 'sched_cls').attachType).toBeNull();
  });

  it('finds functions by their calls when none are listed', () => {
    const { functions } = decodeProgram(object, spec, 'xdp');
    expect(functions).toMatchObject([
      { name: 'main', start: 0, length: 4, linkage: 'global' },
      { name: 'function_4', start: 4, length: 2, linkage: 'static' },
    ]);
  });
});

it('programFromAssembly names functions by their labels and maps by their names', () => {
  const program = programFromAssembly('r1 = map[counters] ll\nr2 = subprog[callback]\nexit\ncallback: r0 = 0\nexit', {
    type: 'xdp',
    maps: [map],
  });
  expect(program.instructions[0]).toEqual({ kind: 'imm64', dst: 1, value: { type: 'map', map: 0 } });
  expect(program.instructions[1]).toBeUndefined();
  expect(program.functions.map(({ name, start }) => [name, start])).toEqual([
    ['program', 0],
    ['callback', 5],
  ]);
});

it('functionAt and lineAt find what holds a pc', () => {
  const program = decodeProgram(object, spec, 'xdp');
  expect([0, 3, 4, 5].map((pc) => functionAt(program, pc)?.name)).toEqual(['main', 'main', 'function_4', 'function_4']);
  expect([0, 2, 3, 5].map((pc) => lineAt(program, pc)?.line)).toEqual([10, 10, 11, 20]);
  expect(functionAt(program, 6)).toBeUndefined();
  const withoutSub = { ...program, lines: program.lines.slice(0, 2) };
  expect(lineAt(withoutSub, 5)).toBeUndefined(); // the last line of main is no line of the next function
});
