import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import { ETH_P_IP, ETH_P_IPV6, ETHERNET_HEADER } from '../../base/ethernet.ts';
import { TC } from './program-types.ts';
import { distrust } from './skb-checksum.ts';
import {
  IPV4_HEADER,
  IPV6_HEADER,
  LARGEST_PACKET,
  length,
  macLength,
  networkOffset,
  protocolOf,
  setProtocol,
} from './skb-packet.ts';
import { closeNetwork, openNetwork } from './skb-room.ts';

/** BPF_F_ADJ_ROOM_* of linux/bpf.h, without the prefix. */
const FIXED_GSO = 0x01;
const ENCAP_L3_IPV4 = 0x02;
const ENCAP_L3_IPV6 = 0x04;
const ENCAP_L4_GRE = 0x08;
const ENCAP_L4_UDP = 0x10;
const NO_CSUM_RESET = 0x20;
const ENCAP_L2_ETH = 0x40;
const DECAP_L3_IPV4 = 0x80;
const DECAP_L3_IPV6 = 0x100;
const ENCAP_L3 = ENCAP_L3_IPV4 | ENCAP_L3_IPV6;
const ENCAP_L4 = ENCAP_L4_GRE | ENCAP_L4_UDP;
const DECAP_L3 = DECAP_L3_IPV4 | DECAP_L3_IPV6;
/** BPF_F_ADJ_ROOM_ENCAP_L2(n): length of the inner L2 header, in the top 8 of 64 bits. */
const INNER_L2_SHIFT = 56n;
const ENCAP = ENCAP_L3 | ENCAP_L4 | ENCAP_L2_ETH;
const GROW = ENCAP | FIXED_GSO | NO_CSUM_RESET;
const SHRINK = DECAP_L3 | FIXED_GSO | NO_CSUM_RESET;

const BPF_ADJ_ROOM_NET = 0;
const BPF_ADJ_ROOM_MAC = 1;
const MOST = 0xfff;

const adjustRoom = defineHelper({
  name: 'skb_adjust_room',
  id: 50,
  prototype: {
    args: ['ctx', 's32', 'u32', 'u64'],
    returns: 'integer',
    programTypes: TC,
    changesPacket: true,
  },
  run(machine, _context, difference, mode, wideFlags) {
    const innerL2 = Number(wideFlags >> INNER_L2_SHIFT);
    const low = wideFlags & ((1n << INNER_L2_SHIFT) - 1n);
    if (low > BigInt(GROW | SHRINK)) return -ERRNO.EINVAL;
    const flags = Number(low);
    const size = Math.abs(difference);
    if (size > MOST) return -ERRNO.EFAULT;
    const protocol = protocolOf(machine);
    const ipHeader = protocol === ETH_P_IP ? IPV4_HEADER : protocol === ETH_P_IPV6 ? IPV6_HEADER : 0;
    if (ipHeader === 0) return -ERRNO.ENOTSUPP;
    if (mode !== BPF_ADJ_ROOM_NET && mode !== BPF_ADJ_ROOM_MAC) return -ERRNO.ENOTSUPP;
    const offset = macLength(machine) + (mode === BPF_ADJ_ROOM_NET ? ipHeader : 0);
    const error =
      difference < 0
        ? shrink(machine, offset, size, flags, innerL2, ipHeader)
        : grow(machine, offset, size, flags, innerL2);
    if (error !== 0) return error;
    if ((flags & NO_CSUM_RESET) === 0) distrust(machine.packet.skb);
    machine.packetChanged();
    return 0;
  },
});

function shrink(
  machine: Machine,
  offset: number,
  size: number,
  flags: number,
  innerL2: number,
  ipHeader: number,
): number {
  // biome-ignore format: one line
  const inner = flags & DECAP_L3;
  if (inner === DECAP_L3) return -ERRNO.EINVAL;
  const least = inner === DECAP_L3_IPV4 ? IPV4_HEADER : inner === DECAP_L3_IPV6 ? IPV6_HEADER : ipHeader;
  if (length(machine) - networkOffset(machine) - size < least) return -ERRNO.ENOTSUPP;
  if ((flags & ~SHRINK) !== 0 || innerL2 !== 0) return -ERRNO.EINVAL;
  if (!closeNetwork(machine, offset, size)) return -ERRNO.ENOMEM;
  if (inner !== 0) setProtocol(machine, inner === DECAP_L3_IPV4 ? ETH_P_IP : ETH_P_IPV6);
  return 0;
}

function grow(machine: Machine, offset: number, size: number, flags: number, innerL2: number): number {
  if (length(machine) + size > LARGEST_PACKET) return -ERRNO.ENOTSUPP;
  if ((flags & ~GROW) !== 0) return -ERRNO.EINVAL;
  const { skb } = machine.packet;
  const encapsulates = (flags & ENCAP_L3) !== 0;
  if (encapsulates) {
    if ((flags & ENCAP_L3) === ENCAP_L3 || (flags & ENCAP_L4) === ENCAP_L4) return -ERRNO.EINVAL;
    if ((flags & ENCAP_L2_ETH) !== 0 && innerL2 < ETHERNET_HEADER) return -ERRNO.EINVAL;
    if (skb.encapsulation) return -ERRNO.EALREADY;
    if (innerL2 > size) return -ERRNO.EINVAL;
  }
  const before = macLength(machine);
  if (!openNetwork(machine, offset, size)) return -ERRNO.ENOMEM;
  if (!encapsulates) return 0;
  skb.encapsulation = true;
  skb.networkHeader = machine.packet.data + before;
  if ((flags & ENCAP_L4) !== 0) {
    skb.transportHeader = skb.networkHeader + ((flags & ENCAP_L3_IPV6) !== 0 ? IPV6_HEADER : IPV4_HEADER);
  }
  if ((flags & ENCAP_L3) !== 0) setProtocol(machine, (flags & ENCAP_L3_IPV6) !== 0 ? ETH_P_IPV6 : ETH_P_IP);
  return 0;
}

export const skbAdjustRoomHelpers: readonly Helper[] = [adjustRoom];
