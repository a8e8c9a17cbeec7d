import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Memory } from '../../abi/memory.ts';
import { fold16, subtract32 } from './ones-complement.ts';
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
    if (fromSize === 0) return fold16(sum32(memory, to, toSize, seed));
    const removed = sum32(memory, from, fromSize, 0);
    return fold16(subtract32(toSize === 0 ? seed : sum32(memory, to, toSize, seed), removed));
  },
});

/** Ones' complement sum of words, in the byte order of the machine (RFC 1071, section 2); zeroes fill the last one. */
function sum32({ u8, view }: Memory, start: number, size: number, seed: number): number {
  const rest = size & 3;
  const end = start + size - rest;
  // Below 2^53 for any size that a program can have: the carries are folded in once, at the end.
  let sum = seed;
  for (let at = start; at < end; at += 4) sum += view.getUint32(at, true);
  for (let i = 0; i < rest; i++) sum += u8[end + i]! * 2 ** (8 * i);
  while (sum > 0xffff_ffff) sum = (sum % 0x1_0000_0000) + Math.floor(sum / 0x1_0000_0000);
  return sum;
}

export const checksumHelpers: readonly Helper[] = [csumDiff];
