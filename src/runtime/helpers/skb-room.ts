import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import { ETH_P_IP, ETH_P_IPV6 } from '../../base/ethernet.ts';
import { TC, TC_LWT_XMIT } from './program-types.ts';
import {
  clearHash,
  IPV4_HEADER,
  IPV6_HEADER,
  insert,
  LARGEST_PACKET,
  length,
  macLength,
  measureMac,
  networkOffset,
  protocolOf,
  remove,
  reserve,
  setProtocol,
} from './skb-packet.ts';

const INT_MAX = 0x7fff_ffff;

const changeHead = defineHelper({
  name: 'skb_change_head',
  id: 43,
  prototype: { args: ['ctx', 'u32', 'u64'], returns: 'integer', programTypes: TC_LWT_XMIT, changesPacket: true },
  run(machine, _context, size, flags) {
    if (flags !== 0n || size > INT_MAX || length(machine) + size > LARGEST_PACKET) return -ERRNO.EINVAL;
    if (!reserve(machine, size, 0)) return -ERRNO.ENOMEM;
    insert(machine, 0, size);
    machine.packet.skb.macHeader = machine.packet.data;
    measureMac(machine);
    machine.packetChanged();
    return 0;
  },
});

const changeTail = defineHelper({
  name: 'skb_change_tail',
  id: 38,
  prototype: { args: ['ctx', 'u32', 'u64'], returns: 'integer', programTypes: TC_LWT_XMIT, changesPacket: true },
  run(machine, _context, size, flags) {
    if (flags !== 0n || size > LARGEST_PACKET || size < shortest(machine)) return -ERRNO.EINVAL;
    const growth = size - length(machine);
    // Linux keeps count of where the inner headers of an encapsulated packet are, and leaves its end alone.
    if (machine.packet.skb.encapsulation) return -ERRNO.ENOTSUPP;
    if (growth > 0 && !reserve(machine, 0, growth)) return -ERRNO.ENOMEM;
    const { packet, memory } = machine;
    const end = packet.data + size;
    if (growth > 0) memory.u8.fill(0, packet.end, end);
    packet.end = end;
    packet.linearEnd = end;
    machine.packetChanged();
    return 0;
  },
});

/** The headers that the packet is known to have must remain. */
function shortest(machine: Machine): number {
  const { packet } = machine;
  const transport = packet.skb.transportHeader === 0 ? 0 : packet.skb.transportHeader - packet.data;
  return transport > 0 ? transport : Math.max(networkOffset(machine), 0);
}

const changeProto = defineHelper({
  name: 'skb_change_proto',
  id: 31,
  prototype: { args: ['ctx', 'u32', 'u64'], returns: 'integer', programTypes: TC, changesPacket: true },
  run(machine, _context, wireProtocol, flags) {
    if (flags !== 0n) return -ERRNO.EINVAL;
    const from = protocolOf(machine);
    // The argument is in network byte order, of which 16 bits count.
    const to = ((wireProtocol & 0xff) << 8) | ((wireProtocol >>> 8) & 0xff);
    const pair = [from, to].join();
    if (pair !== FOUR_TO_SIX && pair !== SIX_TO_FOUR) return -ERRNO.ENOTSUPP;
    const difference = IPV6_HEADER - IPV4_HEADER;
    const done =
      pair === FOUR_TO_SIX
        ? openNetwork(machine, macLength(machine), difference)
        : closeNetwork(machine, macLength(machine), difference);
    if (!done) return -ERRNO.ENOMEM;
    setProtocol(machine, to);
    clearHash(machine);
    machine.packetChanged();
    return 0;
  },
});

const FOUR_TO_SIX = [ETH_P_IP, ETH_P_IPV6].join();
const SIX_TO_FOUR = [ETH_P_IPV6, ETH_P_IP].join();

/** Opens room behind `offset`; the headers in front of it move along. */
export function openNetwork(machine: Machine, offset: number, size: number): boolean {
  if (!reserve(machine, size, 0)) return false;
  insert(machine, offset, size);
  shiftHeaders(machine, -size);
  return true;
}

export function closeNetwork(machine: Machine, offset: number, size: number): boolean {
  if (offset + size > length(machine)) return false;
  remove(machine, offset, size);
  shiftHeaders(machine, size);
  return true;
}

function shiftHeaders({ packet: { skb } }: Machine, by: number): void {
  if (skb.transportHeader === skb.networkHeader) skb.transportHeader += by;
  skb.macHeader += by;
  skb.networkHeader += by;
}

export const skbRoomHelpers: readonly Helper[] = [changeHead, changeTail, changeProto];
