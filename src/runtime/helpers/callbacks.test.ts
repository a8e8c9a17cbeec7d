import { expect, it } from 'vitest';
import { mapSpec } from '../maps/test-host.ts';
import { answer, ask } from './test-host.ts';

/** Linux wants a callback described in BTF, and assembly has none: these run unverified. */
const options = { verify: false };

/** bpf_loop over a callback that adds its index to a sum and stops at `stop`; gives rounds × 1000 + sum. */
const loop = (rounds: number, stop: number, flags = 0) => `
  *(u64 *)(r10 - 8) = 0
  r1 = ${rounds}
  r2 = subprog[each] ll
  r3 = r10
  r3 += -8
  r4 = ${flags}
  call bpf_loop
  r1 = *(u64 *)(r10 - 8)
  r0 *= 1000
  r0 += r1
  exit
each:
  r3 = *(u64 *)(r2 + 0)
  r3 += r1
  *(u64 *)(r2 + 0) = r3
  r0 = 0
  if r1 != ${stop} goto +1
  r0 = 1
  exit`;

it('bpf_loop counts the rounds that it went', () => {
  expect(answer({ text: loop(0, 99), options })).toBe(0);
  expect(answer({ text: loop(5, 99), options })).toBe(5010);
  expect(answer({ text: loop(5, 2), options })).toBe(3003);
});

it('bpf_loop refuses flags and more than 8 Mi rounds', () => {
  expect(answer({ text: loop(5, 99, 1), options })).toBe(-22_000);
  expect(answer({ text: loop(8 * 1024 * 1024 + 1, 99), options })).toBe(-7000);
  expect(answer({ text: loop(-1, 99), options })).toBe(-7000);
});

it('bpf_loop keeps r6 … r9 of its caller, and callbacks may loop themselves', () => {
  const text = `
    r6 = 1
    r7 = 2
    r1 = 3
    r2 = subprog[outer] ll
    r3 = 0
    r4 = 0
    call bpf_loop
    r6 += r7
    r0 += r6
    exit
  outer:
    r6 = 70
    r7 = 70
    r1 = 3
    r2 = subprog[inner] ll
    r3 = 0
    r4 = 0
    call bpf_loop
    r0 = 0
    exit
  inner:
    r6 = 50
    r0 = 0
    exit`;
  expect(answer({ text, options })).toBe(6);
});

it('bpf_for_each_map_elem hands over map, key, value and context, and stops when told', () => {
  const text = (stop: number, flags = 0) => `
    *(u64 *)(r10 - 8) = 0
    r1 = map[m] ll
    r2 = subprog[each] ll
    r3 = r10
    r3 += -8
    r4 = ${flags}
    call bpf_for_each_map_elem
    r1 = *(u64 *)(r10 - 8)
    r0 *= 1000
    r0 += r1
    exit
  each:
    r1 = *(u32 *)(r2 + 0)
    r2 = *(u32 *)(r3 + 0)
    r2 += 1
    *(u32 *)(r3 + 0) = r2
    r3 = *(u64 *)(r4 + 0)
    r3 += r1
    *(u64 *)(r4 + 0) = r3
    r0 = 0
    if r1 != ${stop} goto +1
    r0 = 1
    exit`;
  const maps = [mapSpec('array')];
  const { result, instance } = ask({ options, maps, text: text(2) });
  expect(result.retval).toBe(3003);
  expect([...instance.maps[0]!.entries()].map(({ value }) => (value as Uint8Array)[0])).toEqual([1, 1, 1, 0]);
  expect(answer({ options, maps, text: text(99) })).toBe(4006);
  expect(answer({ options, maps, text: text(99, 1) })).toBe(-22_000);
});
