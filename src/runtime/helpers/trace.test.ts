import { expect, it } from 'vitest';
import { encodeUtf8 } from '../../base/bytes.ts';
import { mapSpec } from '../maps/test-host.ts';
import { answer, ask } from './test-host.ts';

const EINVAL = -22;

/** A map like .rodata. */
function rodata(text: string) {
  const data = encodeUtf8(`${text}\0`);
  return mapSpec('array', { name: 'text', valueSize: data.length, maxEntries: 1, flags: 0x80, data });
}

it('bpf_trace_printk gives the length and writes a line to the log', () => {
  const text = 'port %d of %s';
  const { result, instance } = ask({
    maps: [rodata(`${text}\0eth0`)],
    text: `
      r1 = map[text][0] + 0 ll
      r2 = ${text.length + 1}
      r3 = 443
      r4 = map[text][0] + ${text.length + 1} ll
      call bpf_trace_printk
      exit`,
  });
  expect(instance.traces).toEqual(['port 443 of eth0']);
  expect(result.retval).toBe('port 443 of eth0'.length);
});

it('bpf_trace_printk cuts a line at 1023 bytes but counts all', () => {
  const { result, instance } = ask({
    maps: [rodata('%2000d')],
    text: 'r1 = map[text][0] + 0 ll\n r2 = 7\n r3 = 1\n call bpf_trace_printk\n exit',
  });
  expect(result.retval).toBe(2000);
  expect(instance.traces).toEqual([' '.repeat(1023)]);
});

it('bpf_trace_printk refuses a fourth directive and a format without NUL', () => {
  const line = (size: number) => `r1 = map[text][0] + 0 ll\n r2 = ${size}\n call bpf_trace_printk\n exit`;
  const maps = [rodata('%d%d%d%d')];
  expect(answer({ maps, text: line(9) })).toBe(EINVAL);
  expect(answer({ maps, text: line(8) })).toBe(EINVAL);
  expect(ask({ maps, text: line(9) }).instance.traces).toEqual([]);
});

it.each([
  [8, 1],
  [12, EINVAL],
  [104, EINVAL],
])('bpf_trace_vprintk takes whole arguments, twelve at most: %d bytes', (size, expected) => {
  const text = `
    *(u64 *)(r10 - 104) = 7
    r1 = map[text][0] + 0 ll
    r2 = 3
    r3 = r10
    r3 += -104
    r4 = ${size}
    call bpf_trace_vprintk
    exit`;
  expect(answer({ maps: [rodata('%d')], text })).toBe(expected);
});

it.each([
  [0, '........'],
  [1, '\0.......'],
  [3, 'he\0.....'],
  [8, 'hello 5\0'],
])('bpf_snprintf into %d bytes cuts, ends in NUL and gives the whole length', (size, expected) => {
  const { result, out } = ask({
    maps: [rodata('hello %d')],
    text: `
      r6 = r1
      r1 = ${encodeWord('........')} ll
      *(u64 *)(r10 - 8) = r1
      *(u64 *)(r10 - 16) = 5
      r1 = r10
      r1 += -8
      r2 = ${size}
      r3 = map[text][0] + 0 ll
      r4 = r10
      r4 += -16
      r5 = 8
      call bpf_snprintf
      r7 = r0
      r1 = r6
      r2 = 14
      r3 = r10
      r3 += -8
      r4 = 8
      call bpf_xdp_store_bytes
      r0 = r7
      exit`,
  });
  expect(result.retval).toBe(8);
  expect(Buffer.from(out.subarray(14, 22)).toString()).toBe(expected);
});

function encodeWord(text: string): string {
  return `0x${new DataView(encodeUtf8(text).buffer).getBigUint64(0, true).toString(16)}`;
}

it.each([
  ['abc', 'abc', 4, 0],
  ['abc', 'abd', 4, -1],
  ['abd', 'abc', 4, 1],
  ['abc', 'abx', 2, 0],
  ['ab', 'abc', 8, -1],
  ['abc', 'ab', 3, 1],
])('bpf_strncmp(%j, %j, %d) is of sign %d', (first, second, size, expected) => {
  const text = `
    r1 = map[text][0] + 0 ll
    r2 = ${size}
    r3 = map[text][0] + 8 ll
    call bpf_strncmp
    exit`;
  expect(Math.sign(answer({ maps: [rodata(`${first.padEnd(8, '\0')}${second}`)], text }))).toBe(expected);
});
