import type { Machine } from '../../abi/machine.ts';
import { ETH_P_8021AD, ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6, ETHERNET_HEADER } from '../../base/ethernet.ts';
import { add16 } from './ones-complement.ts';
import { IPV4_HEADER, IPV6_HEADER, protocolOf } from './skb-packet.ts';

/** The two low bits of the traffic class (RFC 3168, section 5). */
const NOT_ECT = 0;
const CE = 3;
const CHECKSUM = 10;
const TAG = 4;
/** VLAN_MAX_DEPTH */
const MOST_TAGS = 8;

/** Marks an ECN-capable packet; 1 where it then is, or was already, marked. */
export function congestionExperienced(machine: Machine): number {
  switch (behindTags(machine)) {
    case ETH_P_IP:
      return inIpv4(machine);
    case ETH_P_IPV6:
      return inIpv6(machine);
    default:
      return 0;
  }
}

/** What is behind tags counts, although Linux then takes what is at the network header for it. */
function behindTags(machine: Machine): number {
  const { packet, memory } = machine;
  let protocol = protocolOf(machine);
  const { macLength } = packet.skb;
  // Where Linux has measured it, it begins with the EtherType itself.
  let at = packet.data + (macLength === 0 ? ETHERNET_HEADER : macLength - TAG);
  for (let tags = 0; protocol === ETH_P_8021Q || protocol === ETH_P_8021AD; tags++, at += TAG) {
    if (tags === MOST_TAGS || at + TAG > packet.end) return 0;
    protocol = memory.view.getUint16(at + 2);
  }
  return protocol;
}

function inIpv4({ packet, memory: { view } }: Machine): number {
  const header = packet.skb.networkHeader;
  if (header + IPV4_HEADER > packet.end) return 0;
  const old = view.getUint16(header);
  if ((old & CE) === NOT_ECT) return 0;
  const marked = old | CE;
  if (marked === old) return 1;
  const sum = view.getUint16(header + CHECKSUM);
  view.setUint16(header, marked);
  // RFC 1624, section 4: the sum takes away what the field gained.
  view.setUint16(header + CHECKSUM, add16(sum, ~(marked - old) & 0xffff));
  return 1;
}

function inIpv6({ packet, memory: { view } }: Machine): number {
  const header = packet.skb.networkHeader;
  if (header + IPV6_HEADER > packet.end) return 0;
  // The traffic class begins 4 bits into the header.
  const old = view.getUint16(header);
  if (((old >> 4) & CE) === NOT_ECT) return 0;
  view.setUint16(header, old | (CE << 4));
  return 1;
}
