import { describe, expect, it } from 'vitest';
import { mapSpec } from '../maps/test-host.ts';
import { answer, ask, frameOf } from './test-host.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const events = mapSpec('perf_event_array', { name: 'events' });
const ring = mapSpec('ringbuf', { name: 'ring', keySize: 0, valueSize: 0, maxEntries: 4096 });

const output = (flags: string, size: number) => `
  *(u64 *)(r10 - 8) = 5
  r2 = map[events] ll
  r3 = ${flags} ll
  r4 = r10
  r4 += -8
  r5 = ${size}
  call bpf_perf_event_output
  exit`;

describe('bpf_perf_event_output', () => {
  const packet = hex(frameOf(98).subarray(0, 5));
  it.each([
    ['0xffffffff', 8, '050000000000000000000000'],
    ['0', 4, '05000000'],
    ['0', 5, '050000000000000000000000'],
    ['0x00000005ffffffff', 4, `05000000${packet}000000`],
    ['0x00000005ffffffff', 0, `${packet}00000000000000`],
  ])('flags %s and %d bytes make a record that is padded as Linux pads it', (flags, size, record) => {
    const { result, instance } = ask({ maps: [events], text: output(flags, size) });
    expect(result.retval).toBe(0);
    expect(instance.events).toMatchObject([{ map: 'events', cpu: 0 }]);
    expect(hex(instance.events[0]!.bytes)).toBe(record);
  });

  it.each([
    ['a slot without an event', '3', -2],
    ['a slot beyond the map', '4', -7],
    ["another CPU's slot", '1', -95],
    ['more bytes than the packet has', '0x0000006300000000', -14],
    ['unknown flags', '0x0010000000000000', -22],
  ])('refuses %s', (_, flags, errno) => {
    const question = { maps: [events], text: output(flags, 8), options: { cpus: 2 } };
    expect(answer(question)).toBe(errno);
    expect(ask(question).instance.events).toEqual([]);
  });
});

describe('ring buffers', () => {
  const reserve = (end: string, flags = 0) => `
    r1 = map[ring] ll
    r2 = 8
    r3 = ${flags}
    call bpf_ringbuf_reserve
    if r0 == 0 goto full
    *(u64 *)(r0 + 0) = 7
    r1 = r0
    r2 = 0
    call bpf_ringbuf_${end}
    r0 = 0
    exit
    full: r0 = 1
    exit`;

  it('deliver what is submitted and not what is discarded', () => {
    const submitted = ask({ maps: [ring], text: reserve('submit') });
    expect(submitted.instance.events.map(({ bytes }) => hex(bytes))).toEqual(['0700000000000000']);
    expect(ask({ maps: [ring], text: reserve('discard') }).instance.events).toEqual([]);
  });

  it('reserve nothing when flags are given', () => {
    expect(answer({ maps: [ring], text: reserve('submit', 1) })).toBe(1);
  });

  it.each([
    [0, 0],
    [1, 0],
    [2, 0],
    [4, -22],
  ])('bpf_ringbuf_output with flags %d gives %d', (flags, expected) => {
    const text = `
      *(u64 *)(r10 - 8) = 9
      r1 = map[ring] ll
      r2 = r10
      r2 += -8
      r3 = 8
      r4 = ${flags}
      call bpf_ringbuf_output
      exit`;
    const { result, instance } = ask({ maps: [ring], text });
    expect(result.retval | 0).toBe(expected);
    expect(instance.events.map(({ bytes }) => hex(bytes))).toEqual(expected === 0 ? ['0900000000000000'] : []);
  });
});
