import { describe, expect, test } from 'vitest';
import { ERRNO } from '../../abi/errno.ts';
import type { ProgramArray } from '../../abi/map.ts';
import { checkMap } from './index.ts';
import { fromU32, mapSpec, oneMap, u32 } from './test-host.ts';

describe('an array', () => {
  test('has all its elements from the start, and none after the last', () => {
    const { host, map } = oneMap(mapSpec('array', { maxEntries: 3 }));
    expect(map.update(host.key(2), host.value(7), 0n)).toBe(0);
    expect(map.update(host.key(3), host.value(7), 0n)).toBe(-ERRNO.E2BIG);
    expect(map.update(host.key(2), host.value(7), 1n)).toBe(-ERRNO.EEXIST);
    expect(map.update(host.key(2), host.value(8), 2n)).toBe(0);
    expect(map.update(host.key(9), host.value(8), 3n)).toBe(-ERRNO.EINVAL);
    expect(map.delete(host.key(2))).toBe(-ERRNO.EINVAL);
    expect(map.lookup(host.key(3))).toBe(0);
    expect([...map.entries()].map(({ value }) => fromU32(value as Uint8Array))).toEqual([0, 0, 8]);
  });

  test('walks may nest: each callback sees its own index', () => {
    const { host, map } = oneMap(mapSpec('array', { maxEntries: 3 }));
    const seen: number[] = [];
    map.forEach!((key) => {
      map.forEach!(() => 0n);
      seen.push(host.u32At(key));
      return 0n;
    });
    expect(seen).toEqual([0, 1, 2]);
  });

  test('holds the bytes of a data section, again after clear', () => {
    const data = new Uint8Array([1, 2, 3, 4, 5]);
    const { host, map } = oneMap(mapSpec('array', { maxEntries: 1, valueSize: 5, data }));
    host.memory.u8[map.lookup(host.key(0))] = 9;
    map.clear();
    expect(map.userLookup(u32(0))).toEqual(data);
  });

  test('per CPU: a program changes the value of its own CPU', () => {
    const { host, map } = oneMap(mapSpec('percpu_array', { maxEntries: 2 }), 3);
    host.current.cpu = 2;
    map.update(host.key(1), host.value(7), 0n);
    expect((map.userLookup(u32(1)) as Uint8Array[]).map(fromU32)).toEqual([0, 0, 7]);
  });

  test.each([
    ['key_size', { keySize: 8 }],
    ['max_entries', { maxEntries: 0 }],
    ['value_size', { valueSize: 0 }],
    ['BPF_F_NO_PREALLOC', { flags: 1 }],
    ['exclude', { flags: (1 << 7) | (1 << 8) }],
  ])('is refused for its %s', (word, fields) => {
    expect(checkMap(mapSpec('array', fields))).toContain(word);
  });
});

test('a program array holds programs, by index', () => {
  const { map } = oneMap(mapSpec('prog_array'));
  const programs = map as ProgramArray;
  expect(programs.programAt(0)).toBe(-1);
  programs.setProgram(1, 0);
  expect(map.userUpdate(u32(2), u32(5), 0n)).toBe(0);
  expect(map.userUpdate(u32(4), u32(5), 0n)).toBe(-ERRNO.E2BIG);
  expect([0, 1, 2, 4].map((index) => programs.programAt(index))).toEqual([-1, 0, 5, -1]);
  expect([...map.entries()].map(({ key }) => fromU32(key))).toEqual([1, 2]);
  expect(map.userDelete(u32(2))).toBe(0);
  expect(map.userDelete(u32(2))).toBe(-ERRNO.ENOENT);
  map.clear();
  expect(programs.programAt(1)).toBe(-1);
});

test('a type without a runtime is refused by name', () => {
  expect(checkMap(mapSpec('arena'))).toContain('arena');
  expect(checkMap(mapSpec(99))).toContain('99');
});
