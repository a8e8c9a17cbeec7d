import { offsetIn, SK_BUFF } from '../../abi/context.ts';
import type { Machine } from '../../abi/machine.ts';
import { ETH_P_8021AD, ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6 } from '../../base/ethernet.ts';
import { IPV4_HEADER, IPV6_HEADER, protocolOf } from './skb-packet.ts';

/** Headers that one packet may have in a row. */
const MOST_HEADERS = 15;
/** Tags that take part. */
const MOST_TAGS = 2;
const VLAN_ID = 0x0fff;

/** Assigned Internet protocol numbers (IANA). */
const IP = { HOP: 0, IPIP: 4, TCP: 6, UDP: 17, DCCP: 33, IPV6: 41, ROUTING: 43, FRAGMENT: 44, GRE: 47, ESP: 50, AH: 51, DESTINATION: 60, SCTP: 132, UDPLITE: 136 } as const; // biome-ignore format: a list
/** Where, behind their header's start, four bytes tell two flows apart: ports, or the index of a security association. */
const FLOW_WORD: Readonly<Record<number, number>> = { [IP.TCP]: 0, [IP.UDP]: 0, [IP.DCCP]: 0, [IP.SCTP]: 0, [IP.UDPLITE]: 0, [IP.ESP]: 0, [IP.AH]: 4 }; // biome-ignore format: a list

const GRE_CHECKSUM = 0x8000;
const GRE_KEY = 0x2000;
const GRE_SEQUENCE = 0x1000;
const GRE_VERSION = 0x0007;

const VLAN_PRESENT = offsetIn(SK_BUFF, 'vlan_present');
const VLAN_TCI = offsetIn(SK_BUFF, 'vlan_tci');

/** What a flow is told by. */
interface Flow {
  etherType: number;
  protocol: number;
  readonly tags: [number, number];
  tagCount: number;
  greKey: number;
  label: number;
  ports: number;
  /** Address of the source address, with the destination behind it; 0 for none. */
  addresses: number;
  addressBytes: number;
}

const flow: Flow = {
  etherType: 0,
  protocol: 0,
  tags: [0, 0],
  tagCount: 0,
  greKey: 0,
  label: 0,
  ports: 0,
  addresses: 0,
  addressBytes: 0,
};

/**
 * A hash of the packet's flow, the same for both of its directions, never 0. Which packets belong to one flow is as
 * Linux has it; the number is this project's own, because Linux keys its hash with a secret of each boot.
 */
export function flowHash(machine: Machine): number {
  Object.assign(flow, { protocol: 0, tagCount: 0, greKey: 0, label: 0, ports: 0, addresses: 0, addressBytes: 0 });
  flow.tags.fill(0);
  const { memory, context, packet } = machine;
  if (memory.view.getUint32(context + VLAN_PRESENT, true) !== 0)
    addTag(memory.view.getUint16(context + VLAN_TCI, true));
  dissect(machine, protocolOf(machine), packet.skb.networkHeader);
  return digest(machine.memory.view);
}

function dissect({ packet: { end }, memory: { view } }: Machine, etherType: number, start: number): void {
  let at = start;
  let kind = etherType;
  for (let headers = 0; headers < MOST_HEADERS; headers++) {
    flow.etherType = kind;
    if (kind === ETH_P_8021Q || kind === ETH_P_8021AD) {
      if (at + 4 > end) return;
      addTag(view.getUint16(at));
      kind = view.getUint16(at + 2);
      at += 4;
      continue;
    }
    const payload = kind === ETH_P_IP ? ipv4(view, at, end) : kind === ETH_P_IPV6 ? ipv6(view, at, end) : 0;
    if (payload === 0) return;
    at = payload;
    const { protocol } = flow;
    if (protocol === IP.IPIP) kind = ETH_P_IP;
    else if (protocol === IP.IPV6) kind = ETH_P_IPV6;
    else if (protocol === IP.GRE) {
      const inner = gre(view, at, end);
      if (inner === 0) return;
      at = inner;
      kind = view.getUint16(payload + 2);
    } else {
      const offset = FLOW_WORD[protocol];
      if (offset !== undefined && at + offset + 4 <= end) flow.ports = view.getUint32(at + offset);
      return;
    }
  }
}

function addTag(tci: number): void {
  if (flow.tagCount < MOST_TAGS) flow.tags[flow.tagCount++] = tci & VLAN_ID;
}

/** Gives where the payload begins, 0 where nothing more can be told. */
function ipv4(view: DataView, at: number, end: number): number {
  if (at + IPV4_HEADER > end) return 0;
  const bytes = (view.getUint8(at) & 0x0f) * 4;
  if (bytes < IPV4_HEADER) return 0;
  flow.protocol = view.getUint8(at + 9);
  flow.addresses = at + 12;
  flow.addressBytes = 4;
  const isFragment = (view.getUint16(at + 6) & 0x3fff) !== 0;
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
  for (let headers = 0; headers < MOST_HEADERS; headers++) {
    const { protocol } = flow;
    if (protocol !== IP.HOP && protocol !== IP.ROUTING && protocol !== IP.DESTINATION && protocol !== IP.FRAGMENT)
      break;
    if (at + 8 > end) return 0;
    flow.protocol = view.getUint8(at);
    if (protocol === IP.FRAGMENT) return 0;
    at += (view.getUint8(at + 1) + 1) * 8;
  }
  return at;
}

/** Where the payload of a GRE header (RFC 2784, RFC 2890) begins, 0 where it cannot be told. */
function gre(view: DataView, at: number, end: number): number {
  if (at + 4 > end) return 0;
  const flags = view.getUint16(at);
  if ((flags & GRE_VERSION) !== 0) return 0;
  let next = at + 4;
  if ((flags & GRE_CHECKSUM) !== 0) next += 4;
  if ((flags & GRE_KEY) !== 0) {
    if (next + 4 > end) return 0;
    flow.greKey = view.getUint32(next);
    next += 4;
  }
  if ((flags & GRE_SEQUENCE) !== 0) next += 4;
  return next;
}

function digest(view: DataView): number {
  const { addresses, addressBytes, ports } = flow;
  const swapped = isSwapped(view);
  let hash = mix(KEY, (flow.etherType << 8) | flow.protocol);
  hash = mix(hash, flow.tags[0] | (flow.tags[1] << 12) | (flow.tagCount << 24));
  hash = mix(hash, flow.greKey);
  hash = mix(hash, flow.label);
  hash = mix(hash, swapped ? (ports >>> 16) | (ports << 16) : ports);
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

/** Both directions of a flow are brought into one order: the lesser end first. */
function isSwapped(view: DataView): boolean {
  const { addresses, addressBytes, ports } = flow;
  for (let i = 0; i < addressBytes; i++) {
    const difference = view.getUint8(addresses + addressBytes + i) - view.getUint8(addresses + i);
    if (difference !== 0) return difference < 0;
  }
  return (ports & 0xffff) < ports >>> 16;
}

const KEY = 0x62706672;

/** A round of MurmurHash3 (Austin Appleby, public domain). */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}
