import { expect, test } from 'vitest';
import { ERRNO } from '../../abi/errno.ts';
import { fromU32, mapSpec, oneMap, u32 } from './test-host.ts';

const none = new Uint8Array(0);

test.each([
  ['queue', [2, 3, 4]],
  ['stack', [4, 3, 2]],
] as const)('a %s that is full refuses, or forgets its oldest for BPF_EXIST', (type, order) => {
  const { host, map } = oneMap(mapSpec(type, { keySize: 0, maxEntries: 3 }));
  for (const value of [1, 2, 3]) expect(map.push!(host.value(value), 0n)).toBe(0);
  expect(map.push!(host.value(4), 0n)).toBe(-ERRNO.E2BIG);
  expect(map.push!(host.value(4), 1n)).toBe(-ERRNO.EINVAL);
  expect(map.push!(host.value(4), 2n)).toBe(0);
  expect([...map.entries()].map(({ value }) => fromU32(value as Uint8Array))).toEqual(order);
  expect(fromU32(map.userLookup(none) as Uint8Array)).toBe(order[0]);
  const popped = order.map(() => {
    const out = host.value(0);
    expect(map.pop!(out)).toBe(0);
    return host.u32At(out);
  });
  expect(popped).toEqual(order);
});

test('an empty queue gives ENOENT and a value of zeros', () => {
  const { host, map } = oneMap(mapSpec('queue', { keySize: 0 }));
  const out = host.value(0xdead);
  expect(map.peek!(out)).toBe(-ERRNO.ENOENT);
  expect(host.u32At(out)).toBe(0);
  map.userUpdate(none, u32(7), 0n);
  expect(map.userDelete(none)).toBe(-ERRNO.EINVAL);
  map.clear();
  expect(map.pop!(out)).toBe(-ERRNO.ENOENT);
});

test('a bloom filter knows what went in', () => {
  const { host, map } = oneMap(mapSpec('bloom_filter', { keySize: 0, maxEntries: 100 }));
  for (let value = 0; value < 100; value++) expect(map.push!(host.value(value), 0n)).toBe(0);
  let wrong = 0;
  for (let value = 0; value < 100; value++) expect(map.peek!(host.value(value))).toBe(0);
  for (let value = 100; value < 1100; value++) if (map.peek!(host.value(value)) === 0) wrong++;
  expect(wrong).toBeLessThan(100);
  expect(map.push!(host.value(1), 1n)).toBe(-ERRNO.EINVAL);
  map.clear();
  expect(map.peek!(host.value(1))).toBe(-ERRNO.ENOENT);
});
