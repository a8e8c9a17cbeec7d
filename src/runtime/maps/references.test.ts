import { describe, expect, test } from 'vitest';
import { ERRNO } from '../../abi/errno.ts';
import type { RedirectMap } from '../../abi/map.ts';
import type { MapSpec } from '../../object/spec.ts';
import { checkMap } from './index.ts';
import { fromU32, mapSpec, oneMap, TestHost, u32 } from './test-host.ts';

describe('a map of maps', () => {
  const inner = mapSpec('array', { name: 'inner', maxEntries: 4 });
  const outer = (type: 'array_of_maps' | 'hash_of_maps') => mapSpec(type, { name: 'outer', inner });

  test.each(['array_of_maps', 'hash_of_maps'] as const)('%s gives programs the handle of the inner map', (type) => {
    const host = new TestHost([outer(type), inner]);
    const [map, one] = host.maps as [RedirectMap, RedirectMap];
    expect(map.lookup(host.key(1))).toBe(0);
    expect(map.userUpdate(u32(1), u32(one.handle), 0n)).toBe(0);
    expect(map.lookup(host.key(1))).toBe(one.handle);
    expect([...map.entries()].map(({ key, value }) => [fromU32(key), fromU32(value as Uint8Array)])).toEqual([
      [1, one.handle],
    ]);
    expect(map.userDelete(u32(1))).toBe(0);
    expect(map.userDelete(u32(1))).toBe(-ERRNO.ENOENT);
  });

  test.each<[string, Partial<MapSpec>, number]>([
    ['the same', {}, 0],
    ['another length', { maxEntries: 5 }, -ERRNO.EINVAL],
    ['another value', { valueSize: 8 }, -ERRNO.EINVAL],
    ['other flags', { flags: 1 << 7 }, -ERRNO.EINVAL],
  ])('takes maps like its template: %s', (_, fields, expected) => {
    const host = new TestHost([outer('array_of_maps'), { ...inner, ...fields }]);
    const [map, one] = host.maps as [RedirectMap, RedirectMap];
    expect(map.userUpdate(u32(0), u32(one.handle), 0n)).toBe(expected);
    expect(map.userUpdate(u32(0), u32(12345), 0n)).toBe(-ERRNO.EINVAL);
  });

  test('needs an inner map, which is no map of maps', () => {
    expect(checkMap(mapSpec('hash_of_maps'))).toContain('inner');
    expect(checkMap(mapSpec('array_of_maps', { inner: outer('hash_of_maps') }))).toContain('inner');
  });
});

describe('maps that redirect', () => {
  const device = (ifindex: number) => Uint8Array.of(ifindex, 0, 0, 0, 0, 0, 0, 0);

  test('a device map gives programs struct bpf_devmap_val, to read only', () => {
    const { host, map } = oneMap(mapSpec('devmap', { valueSize: 8 }));
    expect(map.userUpdate(u32(1), device(7), 0n)).toBe(0);
    const value = map.lookup(host.key(1));
    expect(host.u32At(value)).toBe(7);
    expect(host.memory.regionOf(value, 8)?.writable).toBe(false);
    expect(map.lookup(host.key(0))).toBe(0);
    expect((map as RedirectMap).targetAt(1)).toBe(7);
    expect((map as RedirectMap).targetAt(4)).toBe(-1);
    expect(map.userUpdate(u32(1), device(0), 0n)).toBe(0);
    expect((map as RedirectMap).targetAt(1)).toBe(-1);
  });

  test('a device hash takes any key and lists its interfaces for a broadcast', () => {
    const { map } = oneMap(mapSpec('devmap_hash', { maxEntries: 2 }));
    expect(map.userUpdate(u32(0xffff_fff0), u32(5), 0n)).toBe(0);
    expect(map.userUpdate(u32(3), u32(6), 0n)).toBe(0);
    expect(map.userUpdate(u32(4), u32(6), 0n)).toBe(-ERRNO.E2BIG);
    expect((map as RedirectMap).targetAt(0xffff_fff0)).toBe(5);
    expect((map as RedirectMap).targets()).toEqual([5, 6]);
  });

  test('a CPU map knows the CPUs there are', () => {
    const { map } = oneMap(mapSpec('cpumap'), 2);
    expect(map.userUpdate(u32(1), u32(192), 0n)).toBe(0);
    expect(map.userUpdate(u32(2), u32(192), 0n)).toBe(-ERRNO.ENODEV);
    expect((map as RedirectMap).targets()).toEqual([1]);
  });

  test('a socket map says where a socket is', () => {
    const { host, map } = oneMap(mapSpec('xskmap'));
    expect(map.userUpdate(u32(2), u32(99), 0n)).toBe(0);
    expect(host.u32At(map.lookup(host.key(2)))).toBe(2);
    expect(map.lookup(host.key(1))).toBe(0);
    expect((map as RedirectMap).targetAt(2)).toBe(2);
  });
});
