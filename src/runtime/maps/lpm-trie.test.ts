import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ERRNO } from '../../abi/errno.ts';
import type { BpfMap } from '../../abi/map.ts';
import { BPF_F_NO_PREALLOC } from './flags.ts';
import { checkMap } from './index.ts';
import { fromU32, mapSpec, oneMap, u32 } from './test-host.ts';

const spec = mapSpec('lpm_trie', { keySize: 8, maxEntries: 16, flags: BPF_F_NO_PREALLOC });

/** `10.0.0.0/8` as struct bpf_lpm_trie_key. */
function cidr(text: string): Uint8Array {
  const [address, length] = text.split('/') as [string, string];
  return Uint8Array.of(Number(length), 0, 0, 0, ...address.split('.').map(Number));
}

function shown(key: Uint8Array): string {
  return `${key.subarray(4).join('.')}/${key[0]}`;
}

function listed(map: BpfMap): (readonly [string, number])[] {
  return [...map.entries()].map(({ key, value }) => [shown(key), fromU32(value as Uint8Array)] as const);
}

test('the longest prefix that contains the address is found', () => {
  const { host, map } = oneMap(spec);
  for (const [prefix, value] of [
    ['0.0.0.0/0', 1],
    ['10.0.0.0/8', 2],
    ['10.1.0.0/16', 3],
    ['10.1.2.3/32', 4],
  ] as const) {
    expect(map.update(host.key(cidr(prefix)), host.value(value), 0n)).toBe(0);
  }
  const found = (address: string) => host.u32At(map.lookup(host.key(cidr(address))));
  expect(['10.1.2.3/32', '10.1.2.4/32', '10.200.0.1/32', '11.0.0.1/32', '10.1.0.0/12'].map(found)).toEqual([
    4, 3, 2, 1, 2,
  ]);
  expect(map.delete(host.key(cidr('10.1.0.0/16')))).toBe(0);
  expect(found('10.1.2.4/32')).toBe(2);
  expect(map.delete(host.key(cidr('10.1.0.0/16')))).toBe(-ERRNO.ENOENT);
});

test('lists longer prefixes before those that contain them', () => {
  const { map } = oneMap(spec);
  for (const prefix of ['0.0.0.0/0', '10.0.0.0/8', '192.168.0.0/16', '10.1.0.0/16', '10.2.0.0/16']) {
    map.userUpdate(cidr(prefix), u32(1), 0n);
  }
  expect(listed(map).map(([prefix]) => prefix)).toEqual([
    '10.1.0.0/16',
    '10.2.0.0/16',
    '10.0.0.0/8',
    '192.168.0.0/16',
    '0.0.0.0/0',
  ]);
});

test('a prefix longer than the data is no key', () => {
  const { host, map } = oneMap(spec);
  expect(map.update(host.key(cidr('1.2.3.4/33')), host.value(1), 0n)).toBe(-ERRNO.EINVAL);
  expect(map.delete(host.key(cidr('1.2.3.4/33')))).toBe(-ERRNO.EINVAL);
  expect(map.lookup(host.key(cidr('1.2.3.4/33')))).toBe(0);
});

test('without BPF_F_NO_PREALLOC it cannot be made', () => {
  expect(checkMap({ ...spec, flags: 0 })).toContain('BPF_F_NO_PREALLOC');
  expect(checkMap({ ...spec, keySize: 4 })).toContain('key_size');
});

test('equals a list of prefixes, whatever is done', () => {
  const prefix = fc.tuple(
    fc.nat(3),
    fc.constantFrom(0, 1, 64, 128, 255),
    fc.constantFrom(0, 1, 2, 8, 9, 10, 24, 31, 32),
  );
  const operation = fc.record({
    what: fc.constantFrom('update', 'update', 'delete', 'lookup'),
    prefix: prefix.map(([a, b, length]) => `${a * 64}.${b}.0.${a}/${length}`),
    value: fc.nat(),
    flags: fc.constantFrom(0n, 0n, 1n, 2n),
  });
  /** The bits that count, which name an entry. */
  const name = (key: Uint8Array) =>
    [...key.subarray(4)]
      .map((byte) => byte.toString(2).padStart(8, '0'))
      .join('')
      .slice(0, key[0]!);
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const { host, map } = oneMap(spec);
      const model = new Map<string, number>();
      for (const { what, prefix, value, flags } of operations) {
        const key = cidr(prefix);
        const id = name(key);
        if (what === 'update') {
          let expected = 0;
          if (model.has(id) && flags === 1n) expected = -ERRNO.EEXIST;
          else if (!model.has(id) && flags === 2n) expected = -ERRNO.ENOENT;
          else if (!model.has(id) && model.size === spec.maxEntries) expected = -ERRNO.ENOSPC;
          else model.set(id, value);
          expect(map.update(host.key(key), host.value(value), flags)).toBe(expected);
        } else if (what === 'delete') {
          expect(map.delete(host.key(key))).toBe(model.delete(id) ? 0 : -ERRNO.ENOENT);
        } else {
          const match = [...model.keys()]
            .filter((entry) => id.startsWith(entry))
            .sort((a, b) => b.length - a.length)[0];
          const address = map.lookup(host.key(key));
          expect(address === 0 ? undefined : host.u32At(address)).toBe(
            match === undefined ? undefined : model.get(match),
          );
        }
      }
      const entries = [...map.entries()].map(({ key, value }) => [name(key), fromU32(value as Uint8Array)]);
      expect(new Map(entries as [string, number][])).toEqual(model);
    }),
  );
});
