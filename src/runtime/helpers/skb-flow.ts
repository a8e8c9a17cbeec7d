import { offsetIn, SK_BUFF } from '../../abi/context.ts';
import type { Machine } from '../../abi/machine.ts';
import { ETH_P_8021AD, ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6, ETHERNET_HEADER } from '../../base/ethernet.ts';
import { IPV4_HEADER, IPV6_HEADER } from './skb-packet.ts';

/** Headers that one packet may have in a row. */
const MOST_HEADERS = 15;

const ETH_P_TEB = 0x6558;
const ETH_P_PPP_SES = 0x8864;
const ETH_P_GRE_V1_PPP = 0x880b;
/** What PPP calls IPv4 and IPv6 (IANA, PPP DLL protocol numbers). */
const FROM_PPP: Readonly<Record<number, number>> = { 33: ETH_P_IP, 87: ETH_P_IPV6 };
const PPPOE_HEADER = 6;
const PPP_PROTOCOL = 2;

/** Assigned Internet protocol numbers (IANA). */
const IP = { HOP: 0, IPIP: 4, TCP: 6, UDP: 17, DCCP: 33, IPV6: 41, ROUTING: 43, FRAGMENT: 44, GRE: 47, ESP: 50, AH: 51, DESTINATION: 60, SCTP: 132, UDPLITE: 136 } as const; // biome-ignore format: a list
/** Where, behind their header's start, four bytes tell two flows apart: ports, or the index of a security association. */
const FLOW_WORD: Readonly<Record<number, number>> = { [IP.TCP]: 0, [IP.UDP]: 0, [IP.DCCP]: 0, [IP.SCTP]: 0, [IP.UDPLITE]: 0, [IP.ESP]: 0, [IP.AH]: 4 }; // biome-ignore format: a list
const EXTENSIONS: ReadonlySet<number> = new Set([IP.HOP, IP.ROUTING, IP.DESTINATION]);

/** RFC 2784 and 2890; version 1 is that of RFC 2637. */
const GRE = { CHECKSUM: 0x8000, ROUTING: 0x4000, KEY: 0x2000, SEQUENCE: 0x1000, ACKNOWLEDGE: 0x0080, VERSION: 0x0007 } as const; // biome-ignore format: a list
const FRAGMENT_BITS = 0x3fff;

const VLAN_PRESENT = offsetIn(SK_BUFF, 'vlan_present');
const VLAN_TCI = offsetIn(SK_BUFF, 'vlan_tci');
const VLAN_PROTO = offsetIn(SK_BUFF, 'vlan_proto');

/** What a flow is told by, of the innermost headers. */
const flow = {
  etherType: 0,
  protocol: 0,
  /** The outermost tag: its type and all of its TCI; what comes behind it. */
  tag: 0,
  behindTag: 0,
  greKey: 0,
  label: 0,
  ports: 0,
  /** Where the source address is, with the destination behind it; bytes of each. */
  addresses: 0,
  addressBytes: 0,
};

/**
 * A hash of the packet's flow, the same for both of its directions, never 0. Which packets belong to one flow is as
 * Linux has it; the number is this project's own, because Linux keys its hash with a secret of each boot.
 */
export function flowHash({ memory: { view }, context, packet }: Machine, etherType: number): number {
  Object.assign(flow, {
    protocol: 0,
    tag: 0,
    behindTag: 0,
    greKey: 0,
    label: 0,
    ports: 0,
    addresses: 0,
    addressBytes: 0,
  });
  if (view.getUint32(context + VLAN_PRESENT, true) !== 0) {
    flow.tag = (view.getUint16(context + VLAN_PROTO) << 16) | view.getUint16(context + VLAN_TCI, true);
    flow.behindTag = etherType;
  }
  const { end, skb } = packet;
  flow.etherType = etherType;
  for (let at = skb.networkHeader, headers = 0; at !== 0 && headers < MOST_HEADERS; headers++) at = step(view, at, end);
  return digest(view);
}

/** Reads the header at `at`; gives where the next begins, of type `flow.etherType`, or 0 at the end. */
function step(view: DataView, at: number, end: number): number {
  switch (flow.etherType) {
    case ETH_P_8021Q:
    case ETH_P_8021AD: {
      if (at + 4 > end) return 0;
      const tag = (flow.etherType << 16) | view.getUint16(at);
      flow.etherType = view.getUint16(at + 2);
      if (flow.tag === 0) {
        flow.tag = tag;
        flow.behindTag = flow.etherType;
      }
      return at + 4;
    }
    case ETH_P_TEB:
      if (at + ETHERNET_HEADER > end) return 0;
      flow.etherType = view.getUint16(at + 12);
      return at + ETHERNET_HEADER;
    case ETH_P_PPP_SES:
      return ppp(view, at + PPPOE_HEADER, end);
    case ETH_P_IP:
      return payload(view, ipv4(view, at, end), end);
    case ETH_P_IPV6:
      return payload(view, ipv6(view, at, end), end);
    default:
      return 0;
  }
}

function ppp(view: DataView, at: number, end: number): number {
  if (at + PPP_PROTOCOL > end) return 0;
  const etherType = FROM_PPP[view.getUint16(at)];
  if (etherType === undefined) return 0;
  flow.etherType = etherType;
  return at + PPP_PROTOCOL;
}

/** What IP carries at `at`, which is 0 where that cannot be told. */
function payload(view: DataView, at: number, end: number): number {
  if (at === 0) return 0;
  switch (flow.protocol) {
    case IP.IPIP:
      flow.etherType = ETH_P_IP;
      return at;
    case IP.IPV6:
      flow.etherType = ETH_P_IPV6;
      return at;
    case IP.GRE:
      return gre(view, at, end);
    default: {
      const offset = FLOW_WORD[flow.protocol];
      if (offset !== undefined && at + offset + 4 <= end) flow.ports = view.getUint32(at + offset);
      return 0;
    }
  }
}

function ipv4(view: DataView, at: number, end: number): number {
  if (at + IPV4_HEADER > end) return 0;
  const bytes = (view.getUint8(at) & 0x0f) * 4;
  if (bytes < IPV4_HEADER) return 0;
  flow.protocol = view.getUint8(at + 9);
  flow.addresses = at + 12;
  flow.addressBytes = 4;
  const isFragment = (view.getUint16(at + 6) & FRAGMENT_BITS) !== 0;
  return isFragment ? 0 : at + bytes;
}

function ipv6(view: DataView, start: number, end: number): number {
  if (start + IPV6_HEADER > end) return 0;
  flow.addresses = start + 8;
  flow.addressBytes = 16;
  flow.label = view.getUint32(start) & 0xf_ffff;
  flow.protocol = view.getUint8(start + 6);
  // The sender has told its flows apart itself (RFC 6437).
  if (flow.label !== 0) return 0;
  let at = start + IPV6_HEADER;
  for (let headers = 0; headers < MOST_HEADERS && EXTENSIONS.has(flow.protocol); headers++) {
    if (at + 8 > end) return 0;
    flow.protocol = view.getUint8(at);
    at += (view.getUint8(at + 1) + 1) * 8;
  }
  if (flow.protocol !== IP.FRAGMENT) return at;
  if (at + 8 <= end) flow.protocol = view.getUint8(at);
  return 0;
}

function gre(view: DataView, at: number, end: number): number {
  if (at + 4 > end) return 0;
  const flags = view.getUint16(at);
  const version = flags & GRE.VERSION;
  const etherType = view.getUint16(at + 2);
  if ((flags & GRE.ROUTING) !== 0 || version > 1 || (version === 1 && etherType !== ETH_P_GRE_V1_PPP)) return 0;
  let next = at + 4;
  if ((flags & GRE.CHECKSUM) !== 0) next += 4;
  if ((flags & GRE.KEY) !== 0) {
    if (next + 4 > end) return 0;
    // In version 1 the length of the payload takes the upper half.
    flow.greKey = version === 1 ? view.getUint16(next + 2) : view.getUint32(next);
    next += 4;
  }
  if ((flags & GRE.SEQUENCE) !== 0) next += 4;
  if (version === 0) {
    flow.etherType = etherType;
    return next;
  }
  if ((flags & GRE.ACKNOWLEDGE) !== 0) next += 4;
  // Address and control of PPP.
  return ppp(view, next + 2, end);
}

function digest(view: DataView): number {
  const { addresses, addressBytes, ports } = flow;
  let hash = mix(KEY, (flow.etherType << 8) | flow.protocol);
  hash = mix(hash, flow.tag);
  hash = mix(hash, flow.behindTag);
  hash = mix(hash, flow.greKey);
  hash = mix(hash, flow.label);
  // Both directions are brought into one order, lesser first; ports apart from addresses.
  const [source, destination] = [ports >>> 16, ports & 0xffff];
  hash = mix(hash, source < destination ? (source << 16) | destination : (destination << 16) | source);
  const swapped = isSwapped(view);
  for (let i = 0; i < 2 * addressBytes; i += 4) {
    const at = swapped ? (i + addressBytes) % (2 * addressBytes) : i;
    hash = mix(hash, view.getUint32(addresses + at));
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0 || 1;
}

function isSwapped(view: DataView): boolean {
  const { addresses, addressBytes } = flow;
  for (let i = 0; i < addressBytes; i++) {
    const difference = view.getUint8(addresses + addressBytes + i) - view.getUint8(addresses + i);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

const KEY = 0x62706672;

/** A round of MurmurHash3 (Austin Appleby, public domain). */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}
