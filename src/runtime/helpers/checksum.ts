import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Memory } from '../../abi/memory.ts';
import { LWT, XDP_TC } from './program-types.ts';

/** The difference that replacing `from` by `to` makes to a checksum (RFC 1624), folded to 16 bits. */
const csumDiff = defineHelper({
  name: 'csum_diff',
  id: 28,
  prototype: {
    args: ['mem?', 'size0', 'mem?', 'size0', 'u32'],
    returns: 'integer',
    programTypes: [...XDP_TC, ...LWT],
  },
  run({ memory }, from, fromSize, to, toSize, seed) {
    if (((fromSize | toSize) & 3) !== 0) return -ERRNO.EINVAL;
    if (fromSize === 0) return fold16(sum32(memory, to, toSize, seed));
    const removed = sum32(memory, from, fromSize, 0);
    return fold16(add32(toSize === 0 ? seed : sum32(memory, to, toSize, seed), ~removed >>> 0));
  },
});

/** Ones' complement sum of words, in the byte order of the machine (RFC 1071, section 2). */
function sum32({ view }: Memory, start: number, size: number, seed: number): number {
  // Below 2^53 for any size that a program can have: the carries are folded in once, at the end.
  let sum = seed;
  for (let at = start; at < start + size; at += 4) sum += view.getUint32(at, true);
  while (sum > 0xffff_ffff) sum = (sum % 0x1_0000_0000) + Math.floor(sum / 0x1_0000_0000);
  return sum;
}

function add32(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff_ffff ? sum - 0x1_0000_0000 + 1 : sum;
}

function fold16(sum: number): number {
  const folded = (sum & 0xffff) + (sum >>> 16);
  return (folded & 0xffff) + (folded >>> 16);
}

export const checksumHelpers: readonly Helper[] = [csumDiff];
