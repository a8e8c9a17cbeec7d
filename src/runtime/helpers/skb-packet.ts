import { offsetIn, SK_BUFF } from '../../abi/context.ts';
import type { Machine } from '../../abi/machine.ts';
import { alignUp } from '../../base/bytes.ts';

/** Longest packet that a helper makes: a page less 320 bytes four times over, as Linux allocates (SKB_MAX_ALLOC). */
export const LARGEST_PACKET = 16064;
export const IPV4_HEADER = 20;
export const IPV6_HEADER = 40;

const PROTOCOL = offsetIn(SK_BUFF, 'protocol');
const HASH = offsetIn(SK_BUFF, 'hash');

/** `__sk_buff.protocol` as a number; the context holds it in network byte order. */
export function protocolOf({ memory, context }: Machine): number {
  return memory.view.getUint16(context + PROTOCOL);
}

export function setProtocol({ memory, context }: Machine, etherType: number): void {
  memory.view.setUint16(context + PROTOCOL, etherType);
}

/** Linux's network header: where IP begins, or would. */
export function networkOffset({ packet }: Machine): number {
  return packet.skb.networkHeader - packet.data;
}

/** From the Ethernet header to the network header. */
export function macLength({ packet }: Machine): number {
  return packet.skb.networkHeader - packet.skb.macHeader;
}

/** Linux keeps that length, and reads it long after. */
export function measureMac(machine: Machine): void {
  machine.packet.skb.macLength = macLength(machine);
}

export function length({ packet }: Machine): number {
  return packet.end - packet.data;
}

export function clearHash({ packet, memory, context }: Machine): void {
  packet.skb.hashIsValid = false;
  memory.view.setUint32(context + HASH, 0, true);
}

/** Linux allocates headroom in steps of this (NET_SKB_PAD). */
const HEADROOM_STEP = 64;

/**
 * Makes sure that the packet can grow by `front` bytes at its head and `back` at its end. False where the buffer is
 * too small for that, which takes a packet far beyond `LARGEST_PACKET`.
 */
export function reserve({ packet, memory }: Machine, front: number, back: number): boolean {
  const { skb } = packet;
  // A type that starts behind the Ethernet header keeps that header in front.
  const first = Math.min(skb.macHeader, packet.data);
  const missing = front - (packet.data - skb.head);
  if (missing > 0) {
    // A header that is nowhere has position -1 in 16 bits. Linux moves it along to the new buffer, where it is
    // somewhere: one byte before the old buffer's start.
    if (skb.transportHeader === 0) skb.transportHeader = skb.head - 1;
    skb.head -= alignUp(missing, HEADROOM_STEP);
  }
  if (first - front >= packet.head && packet.end + back <= packet.limit) return true;
  const spare = packet.limit - packet.head - (packet.end - first) - front - back;
  if (spare < 0) return false;
  // A program that cuts one end and grows the other walks through the buffer; back to its middle.
  const by = packet.head + front + (spare >> 1) - first;
  memory.u8.copyWithin(first + by, first, packet.end);
  packet.data += by;
  packet.meta += by;
  packet.end += by;
  packet.linearEnd += by;
  skb.head += by;
  skb.macHeader += by;
  skb.networkHeader += by;
  if (skb.transportHeader !== 0) skb.transportHeader += by;
  return true;
}

/** Opens `size` bytes of zeroes behind the first `offset` bytes, which move forward. Needs `reserve`. */
export function insert({ packet, memory }: Machine, offset: number, size: number): void {
  const from = packet.data;
  packet.data -= size;
  packet.meta = packet.data;
  memory.u8.copyWithin(packet.data, from, from + offset);
  memory.u8.fill(0, packet.data + offset, from + offset);
}

/** Takes `size` bytes away behind the first `offset` bytes, which move back. */
export function remove({ packet, memory }: Machine, offset: number, size: number): void {
  memory.u8.copyWithin(packet.data + size, packet.data, packet.data + offset);
  packet.data += size;
  packet.meta = packet.data;
}
