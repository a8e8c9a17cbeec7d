import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import { add16, add32, checksumOf, subtract32 } from './ones-complement.ts';
import { TC_LWT_XMIT } from './program-types.ts';
import { holds } from './skb-bytes.ts';

/** linux/bpf.h */
const BPF_F_HDR_FIELD_MASK = 0xfn;
const BPF_F_PSEUDO_HDR = 0x10n;
const BPF_F_MARK_MANGLED_0 = 0x20n;
const BPF_F_MARK_ENFORCE = 0x40n;
const BPF_F_IPV6 = 0x80n;
const L4_FLAGS = BPF_F_HDR_FIELD_MASK | BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_IPV6;
const BPF_CSUM_LEVEL_QUERY = 0;
const BPF_CSUM_LEVEL_INC = 1;
const BPF_CSUM_LEVEL_DEC = 2;
const BPF_CSUM_LEVEL_RESET = 3;

/** linux/skbuff.h */
const CHECKSUM_NONE = 0;
const CHECKSUM_UNNECESSARY = 1;
const SKB_MAX_CSUM_LEVEL = 3;
/** A UDP checksum of zero means that there is none, so that a sum of zero is sent as this (RFC 768). */
const CSUM_MANGLED_0 = 0xffff;

const MOST_OFFSET = 0xffff;

const l3 = defineHelper({
  name: 'l3_csum_replace',
  id: 10,
  prototype: {
    args: ['ctx', 'u32', 'u64', 'u64', 'u64'],
    returns: 'integer',
    programTypes: TC_LWT_XMIT,
    changesPacket: true,
  },
  run(machine, _context, offset, from, to, flags) {
    if ((flags & ~BPF_F_HDR_FIELD_MASK) !== 0n) return -ERRNO.EINVAL;
    if (!holdsSum(machine, offset)) return -ERRNO.EFAULT;
    const { view } = machine.memory;
    const at = machine.packet.data + offset;
    const replaced = replace(view.getUint16(at, true), from, to, flags, sum16);
    if (replaced === null) return -ERRNO.EINVAL;
    view.setUint16(at, replaced, true);
    return 0;
  },
});

const l4 = defineHelper({
  name: 'l4_csum_replace',
  id: 11,
  prototype: {
    args: ['ctx', 'u32', 'u64', 'u64', 'u64'],
    returns: 'integer',
    programTypes: TC_LWT_XMIT,
    changesPacket: true,
  },
  // Of a partial checksum (CHECKSUM_PARTIAL) only the pseudo header would be changed; no packet here has one.
  run(machine, _context, offset, from, to, flags) {
    if ((flags & ~L4_FLAGS) !== 0n) return -ERRNO.EINVAL;
    if (!holdsSum(machine, offset)) return -ERRNO.EFAULT;
    const { view } = machine.memory;
    const at = machine.packet.data + offset;
    const old = view.getUint16(at, true);
    const mangles = (flags & BPF_F_MARK_MANGLED_0) !== 0n;
    if (mangles && (flags & BPF_F_MARK_ENFORCE) === 0n && old === 0) return 0;
    const replaced = replace(old, from, to, flags, sum32);
    if (replaced === null) return -ERRNO.EINVAL;
    view.setUint16(at, mangles && replaced === 0 ? CSUM_MANGLED_0 : replaced, true);
    return 0;
  },
});

function holdsSum(machine: Machine, offset: number): boolean {
  return offset <= MOST_OFFSET && (offset & 1) === 0 && holds(machine, offset, 2);
}

/** The new checksum by the size in `flags`, or null where that is none. Size 0: `to` is a difference as it stands. */
function replace(old: number, from: bigint, to: bigint, flags: bigint, two: typeof sum32): number | null {
  const next = Number(to & 0xffff_ffffn);
  switch (Number(flags & BPF_F_HDR_FIELD_MASK)) {
    case 0:
      return from === 0n ? checksumOf(add32(next, ~old >>> 0)) : null;
    case 2:
      return two(old, Number(from & 0xffffn), next & 0xffff);
    case 4:
      return sum32(old, Number(from & 0xffff_ffffn), next);
    default:
      return null;
  }
}

/** RFC 1624, section 3, in words of 32 bits. */
function sum32(old: number, from: number, to: number): number {
  return checksumOf(add32(subtract32(~old >>> 0, from), to));
}

/** The same in words of 16 bits. */
function sum16(old: number, from: number, to: number): number {
  return ~add16(add16(~old & 0xffff, ~from & 0xffff), to) & 0xffff;
}

const update = defineHelper({
  name: 'csum_update',
  id: 40,
  prototype: { args: ['ctx', 'u32'], returns: 'integer', programTypes: TC_LWT_XMIT },
  // Updates the sum that a device made of the whole packet (CHECKSUM_COMPLETE); no packet here has one.
  run: () => -ERRNO.ENOTSUPP,
});

const level = defineHelper({
  name: 'csum_level',
  id: 135,
  prototype: { args: ['ctx', 'u64'], returns: 'integer', programTypes: TC_LWT_XMIT },
  run({ packet: { skb } }, _context, operation) {
    const checked = skb.ipSummed === CHECKSUM_UNNECESSARY;
    switch (Number(operation)) {
      case BPF_CSUM_LEVEL_QUERY:
        return checked ? skb.csumLevel : -ERRNO.EACCES;
      case BPF_CSUM_LEVEL_INC:
        if (checked) skb.csumLevel = Math.min(skb.csumLevel + 1, SKB_MAX_CSUM_LEVEL);
        skb.ipSummed = CHECKSUM_UNNECESSARY;
        return 0;
      case BPF_CSUM_LEVEL_DEC:
        if (skb.csumLevel > 0) skb.csumLevel--;
        else skb.ipSummed = CHECKSUM_NONE;
        return 0;
      case BPF_CSUM_LEVEL_RESET:
        distrust(skb);
        return 0;
      default:
        return -ERRNO.EINVAL;
    }
  },
});

/** After the packet changed, what a device said of its checksums holds no more. */
export function distrust(skb: Machine['packet']['skb']): void {
  skb.ipSummed = CHECKSUM_NONE;
  skb.csumLevel = 0;
}

export const skbChecksumHelpers: readonly Helper[] = [l3, l4, update, level];
