import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { PerfEventArray } from '../../abi/map.ts';
import { SKB, XDP } from './program-types.ts';

/** Flags of linux/bpf.h: the slot in the low half, bytes of the packet to append in 20 bits of the high one. */
const BPF_F_CURRENT_CPU = 0xffff_ffff;
const BPF_F_CTXLEN_MASK = 0xf_ffff;

/**
 * The record is what a consumer of the perf buffer gets: the data, then bytes of the packet, then zeroes until the
 * record with its 4-byte size is a multiple of 8 (struct perf_raw_record).
 */
const perfEventOutput = defineHelper({
  name: 'perf_event_output',
  id: 25,
  prototype: {
    args: ['ctx', 'map', 'u64', 'mem', 'size0'],
    returns: 'integer',
    programTypes: [...XDP, ...SKB],
    gplOnly: true,
  },
  run(machine, _context, map, flags, data, size) {
    const { packet, memory } = machine;
    const fromPacket = Number(flags >> 32n);
    if (fromPacket > BPF_F_CTXLEN_MASK) return -ERRNO.EINVAL;
    if (fromPacket > packet.end - packet.data) return -ERRNO.EFAULT;
    const asked = Number(flags & 0xffff_ffffn);
    const slot = asked === BPF_F_CURRENT_CPU ? machine.cpu : asked;
    if (slot >= map.spec.maxEntries) return -ERRNO.E2BIG;
    if (!(map as PerfEventArray).isOpen(slot)) return -ERRNO.ENOENT;
    // An event is bound to its CPU.
    if (slot !== machine.cpu) return -ERRNO.EOPNOTSUPP;
    const record = new Uint8Array(Math.ceil((size + fromPacket + 4) / 8) * 8 - 4);
    record.set(memory.u8.subarray(data, data + size));
    record.set(memory.u8.subarray(packet.data, packet.data + fromPacket), size);
    machine.event(map, record);
    return 0;
  },
});

export const perfHelpers: readonly Helper[] = [perfEventOutput];
