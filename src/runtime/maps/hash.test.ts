import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ERRNO } from '../../abi/errno.ts';
import { BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG } from './flags.ts';
import { jhash } from './jhash.ts';
import { fromU32, mapSpec, oneMap, u32 } from './test-host.ts';

const ANY = 0n;
const NOEXIST = 1n;
const EXIST = 2n;

/** Keys and values of a map of u32, in its order. */
function listed(map: { entries(): Iterable<{ key: Uint8Array; value: Uint8Array | readonly Uint8Array[] }> }) {
  return [...map.entries()].map(({ key, value }) => [fromU32(key), fromU32(value as Uint8Array)]);
}

test('jhash equals lookup3 where its author gives the answer', () => {
  const { host } = oneMap(mapSpec('hash'));
  const text = new TextEncoder().encode('Four score and seven years ago');
  // driver5() of lookup3.c.
  expect(jhash(host.memory, host.key(text), 0, 0)).toBe(0xdeadbeef);
  expect(jhash(host.memory, host.key(text), text.length, 0)).toBe(0x17770551);
  expect(jhash(host.memory, host.key(text), text.length, 1)).toBe(0xcd628161);
});

describe('a hash map', () => {
  test('takes max_entries entries and refuses the next with E2BIG, but still replaces', () => {
    const { host, map } = oneMap(mapSpec('hash', { maxEntries: 2 }));
    expect(map.update(host.key(1), host.value(10), ANY)).toBe(0);
    expect(map.update(host.key(2), host.value(20), NOEXIST)).toBe(0);
    expect(map.update(host.key(3), host.value(30), ANY)).toBe(-ERRNO.E2BIG);
    expect(map.update(host.key(1), host.value(11), EXIST)).toBe(0);
    expect(host.u32At(map.lookup(host.key(1)))).toBe(11);
    expect(map.delete(host.key(2))).toBe(0);
    expect(map.delete(host.key(2))).toBe(-ERRNO.ENOENT);
    expect(map.update(host.key(3), host.value(30), ANY)).toBe(0);
  });

  test('tells BPF_NOEXIST, BPF_EXIST and bad flags apart', () => {
    const { host, map } = oneMap(mapSpec('hash'));
    expect(map.update(host.key(1), host.value(1), EXIST)).toBe(-ERRNO.ENOENT);
    expect(map.update(host.key(1), host.value(1), ANY)).toBe(0);
    expect(map.update(host.key(1), host.value(1), NOEXIST)).toBe(-ERRNO.EEXIST);
    for (const flags of [3n, 4n, 8n, 1n << 40n]) {
      expect(map.update(host.key(1), host.value(1), flags)).toBe(-ERRNO.EINVAL);
    }
  });

  // What a program that held a pointer to key 1 read through it on Linux 6.18.
  test.each([
    ['hash', 0, 10],
    ['hash', BPF_F_NO_PREALLOC, 22],
    ['percpu_hash', 0, 11],
    ['lru_hash', 0, 22],
  ] as const)('%s, flags %i: keeps the bytes of a replaced value as long as Linux does', (type, flags, reused) => {
    const { host, map } = oneMap(mapSpec(type, { maxEntries: 8, flags }));
    map.update(host.key(1), host.value(10), ANY);
    const held = map.lookup(host.key(1));
    map.update(host.key(1), host.value(11), ANY);
    expect(host.u32At(held)).toBe(type === 'percpu_hash' ? 11 : 10);
    expect(host.u32At(map.lookup(host.key(1)))).toBe(11);
    map.update(host.key(2), host.value(22), ANY);
    expect(host.u32At(held)).toBe(reused);
  });

  test('lets programs reach values and read keys, and nothing between them', () => {
    const { host, map } = oneMap(mapSpec('hash', { valueSize: 5 }));
    map.update(host.key(1), host.value(10), ANY);
    const value = map.lookup(host.key(1));
    expect(host.memory.regionOf(value, 5)?.writable).toBe(true);
    expect(host.memory.regionOf(value, 6)).toBeUndefined();
    expect(host.memory.regionOf(value + 4, 2)).toBeUndefined();
    map.forEach!((key) => {
      expect(host.memory.regionOf(key, 4)?.writable).toBe(false);
      return 0n;
    });
  });

  test('with BPF_F_RDONLY_PROG lets programs only read', () => {
    const { host, map } = oneMap(mapSpec('hash', { flags: BPF_F_RDONLY_PROG }));
    expect(map.userUpdate(u32(1), u32(2), ANY)).toBe(0);
    expect(host.memory.regionOf(map.lookup(host.key(1)), 4)?.writable).toBe(false);
  });

  test('may lose entries while it is walked', () => {
    const { host, map } = oneMap(mapSpec('hash', { maxEntries: 64 }));
    for (let key = 0; key < 64; key++) map.update(host.key(key), host.value(key), ANY);
    expect(map.forEach!((key) => BigInt(map.delete(key)))).toBe(64);
    expect(listed(map)).toEqual([]);
    expect(map.forEach!(() => 1n)).toBe(0);
  });

  test('equals a Map, whatever is done', () => {
    const operation = fc.record({
      what: fc.constantFrom('update', 'update', 'delete', 'userUpdate', 'userDelete', 'clear'),
      key: fc.nat(24),
      value: fc.nat(),
      flags: fc.constantFrom(ANY, NOEXIST, EXIST),
      cpu: fc.nat(1),
    });
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 300 }),
        fc.constantFrom(0, BPF_F_NO_PREALLOC),
        (operations, flags) => {
          const { host, map } = oneMap(mapSpec('hash', { maxEntries: 16, flags }));
          const model = new Map<number, number>();
          for (const { what, key, value, flags, cpu } of operations) {
            host.current.cpu = cpu;
            if (what === 'clear') {
              if (value % 5 === 0) {
                map.clear();
                model.clear();
              }
            } else if (what === 'update' || what === 'userUpdate') {
              let expected = 0;
              if (model.has(key) && flags === NOEXIST) expected = -ERRNO.EEXIST;
              else if (!model.has(key) && flags === EXIST) expected = -ERRNO.ENOENT;
              else if (!model.has(key) && model.size === 16) expected = -ERRNO.E2BIG;
              else model.set(key, value);
              const given =
                what === 'update'
                  ? map.update(host.key(key), host.value(value), flags)
                  : map.userUpdate(u32(key), u32(value), flags);
              expect(given).toBe(expected);
            } else {
              const given = what === 'delete' ? map.delete(host.key(key)) : map.userDelete(u32(key));
              expect(given).toBe(model.delete(key) ? 0 : -ERRNO.ENOENT);
            }
          }
          expect(listed(map).toSorted(([a], [b]) => a! - b!)).toEqual([...model].toSorted(([a], [b]) => a - b));
        },
      ),
    );
  });
});

describe('a per-CPU hash map', () => {
  test('gives each CPU its value; a program that makes an entry zeroes the others', () => {
    const { host, map } = oneMap(mapSpec('percpu_hash', { valueSize: 4 }));
    const values = () => (map.userLookup(u32(1)) as Uint8Array[]).map(fromU32);
    expect(map.userUpdate(u32(1), [u32(7), u32(8)], ANY)).toBe(0);
    expect(map.userUpdate(u32(1), [u32(7)], ANY)).toBe(-ERRNO.EINVAL);
    host.current.cpu = 1;
    expect(host.u32At(map.lookup(host.key(1)))).toBe(8);
    map.update(host.key(1), host.value(9), ANY);
    expect(values()).toEqual([7, 9]);
    expect(host.u32At(map.lookupPerCpu!(host.key(1), 0))).toBe(7);
    expect(map.lookupPerCpu!(host.key(1), 2)).toBe(0);
    map.delete(host.key(1));
    map.update(host.key(1), host.value(5), ANY);
    expect(values()).toEqual([0, 5]);
    map.userUpdate(u32(1), u32(3), ANY);
    expect(values()).toEqual([3, 3]);
  });
});
