import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ERRNO } from '../../abi/errno.ts';
import type { BpfMap } from '../../abi/map.ts';
import { BPF_F_NO_COMMON_LRU } from './flags.ts';
import { fromU32, mapSpec, oneMap, u32 } from './test-host.ts';

function keys(map: BpfMap): number[] {
  return [...map.entries()].map(({ key }) => fromU32(key)).sort((a, b) => a - b);
}

test('never is full: old entries go', () => {
  const { host, map } = oneMap(mapSpec('lru_hash', { maxEntries: 4 }), 1);
  for (let key = 0; key < 100; key++) expect(map.update(host.key(key), host.value(key), 0n)).toBe(0);
  const left = keys(map);
  expect(left).toContain(99);
  expect(left.every((key) => key >= 96)).toBe(true);
});

test('what a program looks up stays, what only the user looks up goes', () => {
  const survivors = (look: (map: BpfMap, key: number) => unknown) => {
    const { host, map } = oneMap(mapSpec('lru_hash', { maxEntries: 8 }), 1);
    for (let key = 0; key < 40; key++) {
      map.update(host.key(key), host.value(key), 0n);
      look(map, host.key(0));
    }
    return keys(map);
  };
  expect(survivors((map, key) => map.lookup(key))).toContain(0);
  expect(survivors((map) => map.userLookup(u32(0)))).not.toContain(0);
});

test('without a common list a CPU evicts only its own', () => {
  const { host, map } = oneMap(mapSpec('lru_hash', { maxEntries: 8, flags: BPF_F_NO_COMMON_LRU }), 2);
  map.update(host.key(1000), host.value(0), 0n);
  host.current.cpu = 1;
  for (let key = 0; key < 50; key++) map.update(host.key(key), host.value(key), 0n);
  expect(keys(map)).toContain(1000);
});

test.each(['lru_hash', 'lru_percpu_hash'] as const)('%s keeps its invariants, whatever is done', (type) => {
  const operation = fc.record({
    what: fc.constantFrom('update', 'update', 'update', 'lookup', 'delete', 'clear'),
    key: fc.nat(30),
    flags: fc.constantFrom(0n, 0n, 1n, 2n),
    cpu: fc.nat(2),
  });
  const shape = fc.record({
    maxEntries: fc.integer({ min: 1, max: 12 }),
    flags: fc.constantFrom(0, BPF_F_NO_COMMON_LRU),
  });
  fc.assert(
    fc.property(shape, fc.array(operation, { maxLength: 200 }), (shape, operations) => {
      const { host, map } = oneMap(mapSpec(type, shape), 3);
      const slots = shape.flags === 0 ? shape.maxEntries : Math.ceil(shape.maxEntries / 3) * 3;
      for (const { what, key, flags, cpu } of operations) {
        host.current.cpu = cpu;
        if (what === 'update') {
          // Making room may take the very key that is updated: what there was before does not decide.
          const error = map.update(host.key(key), host.value(key), flags);
          const there = map.userLookup(u32(key)) !== undefined;
          expect([0, -ERRNO.EEXIST]).toContain(there ? error : 0);
          expect([-ERRNO.ENOENT, -ERRNO.ENOMEM]).toContain(there ? -ERRNO.ENOENT : error);
        } else if (what === 'lookup') {
          const address = map.lookup(host.key(key));
          if (address !== 0) expect(host.u32At(address) === key || type === 'lru_percpu_hash').toBe(true);
        } else if (what === 'delete') {
          const there = map.userLookup(u32(key)) !== undefined;
          expect(map.delete(host.key(key))).toBe(there ? 0 : -ERRNO.ENOENT);
        } else if (key === 0) {
          map.clear();
          expect(keys(map)).toEqual([]);
        }
        expect(keys(map).length).toBeLessThanOrEqual(slots);
        expect(new Set(keys(map)).size).toBe(keys(map).length);
      }
    }),
  );
});
