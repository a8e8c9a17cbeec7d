import { describe, expect, it } from 'vitest';
import { HELPER_NAMES, helperId, helperName } from '../../abi/helper-names.ts';
import { helpers } from './index.ts';
import { skbHelpers } from './skb.ts';
import { ask, frameOf, instanceOf } from './test-host.ts';
import { verifyOnlyHelpers } from './verify-only.ts';

describe('the table of helpers', () => {
  it.each([...helpers.values()])('$name has the id and the name of linux/bpf.h', ({ id, name }) => {
    expect(helperName(id)).toBe(name);
  });

  it('has one definition of each', () => {
    for (const helper of [...skbHelpers, ...verifyOnlyHelpers]) expect(helpers.get(helper.id)).toBe(helper);
  });

  it('names every id once', () => {
    expect(new Set(HELPER_NAMES).size).toBe(HELPER_NAMES.length);
    expect([helperId('map_lookup_elem'), helperId('cgrp_storage_delete'), helperName(0)]).toEqual([1, 211, undefined]);
  });
});

const SHOW = `
  *(u64 *)(r10 - 8) = r0
  r1 = r6
  r2 = 14
  r3 = r10
  r3 += -8
  r4 = 8
  call bpf_xdp_store_bytes
  exit`;

/** The 64-bit values that a helper without arguments gives, one run after the other. */
function values(name: string, times: readonly number[], options = {}): bigint[] {
  const instance = instanceOf({ text: `r6 = r1\n call bpf_${name} ${SHOW}`, options });
  const bytes = frameOf(98);
  return times.map((nanoseconds) => {
    const input = { bytes, start: 0, end: 98, originalLength: 98, seconds: 1_600_000_000, nanoseconds };
    const { outStart } = instance.runPacket(input);
    return instance.memory.view.getBigUint64(outStart + 14, true);
  });
}

describe('time and chance', () => {
  it.each(['ktime_get_ns', 'ktime_get_boot_ns', 'ktime_get_coarse_ns'])("%s follows the packets' time", (name) => {
    const [first, second] = values(name, [100, 5_000_100]);
    expect(second! - first!).toBe(5_000_000n);
  });

  it('bpf_ktime_get_tai_ns is 37 s ahead of the capture time', () => {
    expect(values('ktime_get_tai_ns', [5])).toEqual([1_600_000_037_000_000_005n]);
  });

  it('bpf_jiffies64 counts 250 a second', () => {
    const [first, second] = values('jiffies64', [0, 999_999_999]);
    expect(second! - first!).toBe(249n);
  });

  it('bpf_get_prandom_u32 repeats with the seed', () => {
    const draw = (seed: number) => values('get_prandom_u32', [0, 0, 0], { seed });
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
    expect(new Set(draw(3)).size).toBe(3);
    for (const value of draw(3)) expect(value).toBeLessThan(2n ** 32n);
  });

  it('bpf_get_smp_processor_id is the virtual CPU', () => {
    const instance = instanceOf({ text: 'call bpf_get_smp_processor_id\n exit', options: { cpus: 4 } });
    instance.cpu = 3;
    const input = { bytes: frameOf(98), start: 0, end: 98, originalLength: 98, seconds: 0, nanoseconds: 0 };
    expect(instance.runPacket(input).retval).toBe(3);
  });
});

it('a program may change the length of its packet and go on with the new edges', () => {
  const { out } = ask({
    text: `
      r6 = r1
      r2 = -4
      call bpf_xdp_adjust_head
      r1 = r6
      r2 = -80
      call bpf_xdp_adjust_tail
      r1 = *(u32 *)(r6 + 0)
      r2 = *(u32 *)(r6 + 4)
      r3 = r1
      r3 += 22
      if r3 > r2 goto +1
      *(u32 *)(r1 + 0) = -1
      r0 = 2
      exit`,
  });
  expect(Buffer.from(out).toString('hex')).toBe(`ffffffff${Buffer.from(frameOf(98).subarray(0, 18)).toString('hex')}`);
});
