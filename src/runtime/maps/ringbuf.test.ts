import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PerfEventArray, RingBuffer } from '../../abi/map.ts';
import { asCreated, checkMap } from './index.ts';
import { mapSpec, oneMap, u32 } from './test-host.ts';

const AVAIL_DATA = 0n;
const PROD_POS = 3n;
const spec = mapSpec('ringbuf', { keySize: 0, valueSize: 0, maxEntries: 4096 });

function ring() {
  const { host, map } = oneMap(spec);
  return { host, ring: map as RingBuffer };
}

test('records come out in order of reservation, once all before them are submitted', () => {
  const { host, ring: map } = ring();
  const [first, second, third] = [map.reserve(4), map.reserve(5), map.reserve(4)];
  host.memory.u8.fill(2, second, second + 5);
  host.memory.u8.fill(3, third, third + 4);
  map.submit(second);
  map.submit(third);
  expect(map.drain()).toEqual([]);
  map.discard(first);
  expect(map.drain()).toEqual([new Uint8Array(5).fill(2), new Uint8Array(4).fill(3)]);
  expect(map.query(AVAIL_DATA)).toBe(0n);
});

// As Linux 6.18 answered.
test.each([
  [Array<number>(300).fill(8), 45, 4080n],
  [[4080], 0, 4088n],
  [[4081], 1, 0n],
  [[4072, 0, 0], 1, 4088n],
  [[1, 7, 9, 100, 3000, 1000, 500, 0], 1, 3696n],
])('a ring that nobody drains is full one byte early: %j', (sizes, refused, position) => {
  const { ring: map } = ring();
  const records = sizes.map((size) => map.reserve(size));
  expect(records.filter((record) => record === 0)).toHaveLength(refused);
  expect(map.query(PROD_POS)).toBe(position);
});

test('every record is delivered whole, also where it runs over the end', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2000), { maxLength: 60 }), (sizes) => {
      const { host, ring: map } = ring();
      for (const [index, size] of sizes.entries()) {
        const record = map.reserve(size);
        expect(host.memory.regionOf(record, size)?.writable).toBe(true);
        host.memory.u8.fill(index, record, record + size);
        map.submit(record);
        expect(map.drain()).toEqual([new Uint8Array(size).fill(index)]);
      }
    }),
  );
});

test('its size is pages, a power of two of them; libbpf rounds up', () => {
  expect(checkMap({ ...spec, maxEntries: 12288 })).toContain('power of two');
  expect(asCreated({ ...spec, maxEntries: 5000 }, 2).maxEntries).toBe(8192);
});

test('a perf event array is open for the CPUs there are', () => {
  const events = asCreated(mapSpec('perf_event_array', { maxEntries: 0 }), 3);
  const array = oneMap({ ...events, maxEntries: 4 }, 3).map as PerfEventArray;
  expect(events.maxEntries).toBe(3);
  expect([0, 2, 3, 4].map((cpu) => array.isOpen(cpu))).toEqual([true, true, false, false]);
  expect(array.userUpdate(u32(3), u32(0), 0n)).toBe(0);
  expect(array.userDelete(u32(0))).toBe(0);
  expect([0, 3].map((cpu) => array.isOpen(cpu))).toEqual([false, true]);
  array.clear();
  expect([0, 3].map((cpu) => array.isOpen(cpu))).toEqual([true, false]);
});
