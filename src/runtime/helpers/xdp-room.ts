import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import type { Packet } from '../../abi/packet.ts';
import { XDP } from './program-types.ts';

/** Bytes of headroom that Linux keeps for `struct xdp_frame`. */
const RESERVED = 40;
const ETHERNET_HEADER = 14;
/** Bytes of a fragment's page. */
const FRAGMENT = 4096;

const adjustHead = defineHelper({
  name: 'xdp_adjust_head',
  id: 44,
  prototype: { args: ['ctx', 's32'], returns: 'integer', programTypes: XDP, changesPacket: true },
  run(machine, _context, delta) {
    const { packet, memory } = machine;
    const data = packet.data + delta;
    const metadata = packet.data - packet.meta;
    if (data < packet.head + RESERVED + metadata || data > packet.linearEnd - ETHERNET_HEADER) return -ERRNO.EINVAL;
    if (metadata > 0) memory.u8.copyWithin(data - metadata, packet.meta, packet.data);
    packet.meta = data - metadata;
    packet.data = data;
    machine.packetChanged();
    return 0;
  },
});

const adjustMeta = defineHelper({
  name: 'xdp_adjust_meta',
  id: 54,
  prototype: { args: ['ctx', 's32'], returns: 'integer', programTypes: XDP, changesPacket: true },
  run(machine, _context, delta) {
    const { packet } = machine;
    const meta = packet.meta + delta;
    if (meta < packet.head + RESERVED || meta > packet.data) return -ERRNO.EINVAL;
    if ((packet.data - meta) % 4 !== 0) return -ERRNO.EACCES;
    packet.meta = meta;
    machine.packetChanged();
    return 0;
  },
});

const adjustTail = defineHelper({
  name: 'xdp_adjust_tail',
  id: 65,
  prototype: { args: ['ctx', 's32'], returns: 'integer', programTypes: XDP, changesPacket: true },
  run(machine, _context, delta) {
    const { packet, memory } = machine;
    const end = packet.end + delta;
    if (end > tailLimit(packet) || end < packet.data + ETHERNET_HEADER) return -ERRNO.EINVAL;
    moveTail(machine, end);
    if (delta > 0) memory.u8.fill(0, end - delta, end);
    return 0;
  },
});

/** How far the packet's end may go: to the end of the last fragment's page, or of the only page. */
function tailLimit({ linearEnd, end, limit }: Packet): number {
  return linearEnd === end ? limit : linearEnd + Math.ceil((end - linearEnd) / FRAGMENT) * FRAGMENT;
}

function moveTail(machine: Machine, end: number): void {
  const { packet } = machine;
  // Fragments go as they empty; what remains below them is the linear part.
  packet.linearEnd = packet.linearEnd === packet.end ? end : Math.min(packet.linearEnd, end);
  packet.end = end;
  machine.packetChanged();
}

export const xdpRoomHelpers: readonly Helper[] = [adjustHead, adjustMeta, adjustTail];
