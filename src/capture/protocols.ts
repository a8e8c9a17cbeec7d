import type { Frame } from './frame.ts';

/** IANA's EtherTypes and protocol numbers as people call them. */
const ETHER_TYPES: Readonly<Record<number, string>> = {
  2048: 'IPv4',
  2054: 'ARP',
  34525: 'IPv6',
  34825: 'slow protocols',
  34887: 'MPLS',
  34888: 'MPLS multicast',
  34915: 'PPPoE discovery',
  34916: 'PPPoE session',
  34958: 'EAPOL',
  35020: 'LLDP',
  35063: 'PTP',
};
const IP_PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPIP',
  6: 'TCP',
  17: 'UDP',
  41: 'IPv6',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  59: 'no next header',
  89: 'OSPF',
  103: 'PIM',
  112: 'VRRP',
  132: 'SCTP',
};
export const ETHERTYPE = { IPV4: 0x0800, IPV6: 0x86dd } as const;
export const VLAN_TYPES: readonly number[] = [0x8100, 0x88a8, 0x9100];
/** Smaller values of the type field are lengths (IEEE 802.3, clause 3.2.6). */
export const SMALLEST_ETHERTYPE = 0x600;
/** IPv6 extension headers with a next header and a length in 8-byte units (RFC 8200, section 4); 44 is the fragment. */
export const EXTENSION_HEADERS: readonly number[] = [0, 43, 44, 60, 135];
export const FRAGMENT_HEADER = 44;
export const IPV4_HEADER = 20;
export const IPV6_HEADER = 40;

/**
 * What a frame carries, as one number: the EtherType behind its VLAN tags, or one of these: no type, a length in its
 * place, IPv4 and IPv6 whose header was captured, by the protocol behind extension headers.
 */
export const PROTOCOL = { NONE: 0x1_0000, LENGTH: 0x1_0001, IPV4: 0x1_0002, IPV6: 0x1_0102, END: 0x1_0202 } as const;

/** Of an Ethernet frame; below `PROTOCOL.END`. */
export function protocolOf({ bytes, start, end }: Pick<Frame, 'bytes' | 'start' | 'end'>): number {
  let at = start + 12;
  let type = at + 2 <= end ? (bytes[at]! << 8) | bytes[at + 1]! : PROTOCOL.NONE;
  at += 2;
  while (VLAN_TYPES.includes(type)) {
    type = at + 4 <= end ? (bytes[at + 2]! << 8) | bytes[at + 3]! : PROTOCOL.NONE;
    at += 4;
  }
  if (type < SMALLEST_ETHERTYPE) return PROTOCOL.LENGTH;
  if (type === ETHERTYPE.IPV4 && at + IPV4_HEADER <= end) return PROTOCOL.IPV4 + bytes[at + 9]!;
  if (type === ETHERTYPE.IPV6 && at + IPV6_HEADER <= end) return PROTOCOL.IPV6 + lastNextHeader(bytes, at, end);
  return type;
}

/** The protocol behind the extension headers as far as they were captured. */
function lastNextHeader(bytes: Uint8Array, ip: number, end: number): number {
  let protocol = bytes[ip + 6]!;
  let at = ip + IPV6_HEADER;
  while (EXTENSION_HEADERS.includes(protocol) && at + 8 <= end) {
    const length = protocol === FRAGMENT_HEADER ? 8 : 8 + 8 * bytes[at + 1]!;
    protocol = bytes[at]!;
    at += length;
  }
  return protocol;
}

/** `IPv4`, `ARP`; a type without a name as `0x88b5`, a length as `802.3`, none as `none`. */
export function etherTypeName(protocol: number): string {
  if (protocol === PROTOCOL.NONE) return 'none';
  if (protocol === PROTOCOL.LENGTH) return '802.3';
  const type = protocol >= PROTOCOL.IPV6 ? ETHERTYPE.IPV6 : protocol >= PROTOCOL.IPV4 ? ETHERTYPE.IPV4 : protocol;
  return ETHER_TYPES[type] ?? `0x${type.toString(16).padStart(4, '0')}`;
}

/** `TCP`, or the number; undefined where there is no IP header. */
export function ipProtocolName(protocol: number): string | undefined {
  if (protocol < PROTOCOL.IPV4) return undefined;
  const number = (protocol - PROTOCOL.IPV4) & 0xff;
  return IP_PROTOCOLS[number] ?? String(number);
}

/** `IPv4 TCP`, `IPv6 ICMPv6`, `ARP`; `IPv4` where its header was cut off. */
export function protocolName(protocol: number): string {
  const inner = ipProtocolName(protocol);
  return inner === undefined ? etherTypeName(protocol) : `${etherTypeName(protocol)} ${inner}`;
}
