import { CaptureError } from '../base/errors.ts';
import type { ByteOrder, CaptureInterface, Decoder, Delivery, RecordLayout } from './frame.ts';
import { describeInterface } from './pcapng-interface.ts';
import type { Ticks } from './ticks.ts';

/** draft-ietf-opsawg-pcapng, section "Standardized Block Type Codes". All others are skipped by their length. */
export const BLOCK = {
  SECTION_HEADER: 0x0a0d0d0a,
  INTERFACE_DESCRIPTION: 1,
  /** Obsolete. */
  PACKET: 2,
  SIMPLE_PACKET: 3,
  ENHANCED_PACKET: 6,
} as const;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Block type, total length, and the total length again; enough to see the byte-order magic of a section header. */
const SMALLEST_BLOCK = 12;

/** Length of the fixed part of a block with header and trailer. */
const FIXED_LENGTH: Readonly<Record<number, number>> = {
  [BLOCK.SECTION_HEADER]: 28,
  [BLOCK.INTERFACE_DESCRIPTION]: 20,
  [BLOCK.PACKET]: 32,
  [BLOCK.SIMPLE_PACKET]: 16,
  [BLOCK.ENHANCED_PACKET]: 32,
};

const LARGEST_FIXED_LENGTH = 32;
/** Length of an enhanced packet block without data and options. */
export const SMALLEST_PACKET_BLOCK = 32;

/** Captured bytes of an enhanced packet block and of the obsolete packet block begin here, from the block's start. */
export const PACKET_DATA = 28;
const SIMPLE_PACKET_DATA = 12;

export function createPcapngDecoder(delivery: Delivery): Decoder {
  const { frame, onFrame, bounds, taker } = delivery;
  const interfaces: CaptureInterface[] = [];
  const ticks: Ticks[] = [];
  const layout: RecordLayout = { format: 'pcapng', littleEndian: true, interfaces, sectionStart: 0 };
  let byteOrder: ByteOrder | 'mixed' | undefined;
  let section = -1;
  let wanted = SMALLEST_BLOCK;

  const refuse = (message: string, code: string, offset: number, help?: string) =>
    new CaptureError(message, {
      code,
      offset,
      packet: delivery.packets,
      ...(help === undefined ? {} : { help }),
    });

  /** A section's byte order holds from its header on, the header's own length included. */
  const enterByteOrder = (view: DataView, at: number, base: number) => {
    if (view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC) layout.littleEndian = true;
    else if (view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC) layout.littleEndian = false;
    else throw refuse('the section header has no byte-order magic', 'bad-byte-order-magic', base + at + 8);
  };

  const checkLength = (type: number, length: number, offset: number) => {
    const least = FIXED_LENGTH[type] ?? SMALLEST_BLOCK;
    if (length < least || length % 4 !== 0) {
      const message = `block of type 0x${type.toString(16)} claims a length of ${length} bytes`;
      throw refuse(message, 'bad-block-length', offset, `It must be at least ${least} and a multiple of 4`);
    }
    if (length > bounds.maxBlock) {
      const message = `block of type 0x${type.toString(16)} claims ${length} bytes, above the bound maxBlock of ${bounds.maxBlock}`;
      throw refuse(message, 'block-too-long', offset, 'If the block is truly that long, raise the option maxBlock');
    }
  };

  const enterSection = (view: DataView, at: number, base: number) => {
    const major = view.getUint16(at + 12, layout.littleEndian);
    const minor = view.getUint16(at + 14, layout.littleEndian);
    // "Readers MUST treat a Minor Version of 2 as equivalent to a Minor Version of 0".
    if (major !== 1 || (minor !== 0 && minor !== 2)) {
      throw refuse(`pcapng version ${major}.${minor}`, 'unsupported-version', base + at + 12, 'Version 1.0 is read');
    }
    const order = layout.littleEndian ? 'little-endian' : 'big-endian';
    byteOrder = byteOrder === undefined || byteOrder === order ? order : 'mixed';
    section++;
    layout.sectionStart = interfaces.length;
  };

  const addInterface = (bytes: Uint8Array, at: number, length: number, base: number) => {
    if (interfaces.length >= bounds.maxInterfaces) {
      const message = `more interfaces than the bound maxInterfaces of ${bounds.maxInterfaces}`;
      throw refuse(message, 'too-many-interfaces', base + at, 'Raise the option maxInterfaces');
    }
    const body = bytes.subarray(at + 8, at + length - 4);
    const described = describeInterface(body, layout.littleEndian, section, (message, offset) =>
      refuse(message, 'bad-option', base + at + 8 + offset),
    );
    interfaces.push(described.interface);
    ticks.push(described.ticks);
  };

  const checkInterface = (id: number, offset: number) => {
    const known = interfaces.length - layout.sectionStart;
    if (id < known) return;
    const message = `a packet names interface ${id}, and the section describes ${known} so far`;
    throw refuse(message, 'unknown-interface', offset);
  };

  const deliver = (bytes: Uint8Array, start: number, captured: number, original: number, interfaceId: number) => {
    const from = interfaces[interfaceId]!;
    frame.index = delivery.packets++;
    frame.bytes = bytes;
    frame.start = start;
    frame.end = start + captured;
    frame.originalLength = Math.max(original, captured);
    frame.linkType = from.linkType;
    frame.fcsLength = from.fcsLength;
    frame.interfaceId = interfaceId;
    if (onFrame(frame) === 'stop') delivery.stopped = true;
  };

  const checkCaptured = (captured: number, room: number, offset: number) => {
    if (captured > room) {
      const message = `a packet claims ${captured} captured bytes and its block has room for ${room}`;
      throw refuse(message, 'bad-captured-length', offset);
    }
    if (captured > bounds.maxFrame) {
      const message = `a packet claims ${captured} bytes, above the bound maxFrame of ${bounds.maxFrame}`;
      const help = 'If the packet is truly that long, raise the option maxFrame';
      throw refuse(message, 'record-too-long', offset, help);
    }
  };

  /** Enhanced and obsolete packet blocks differ only in the width of the interface's number. */
  const readPacket = (
    bytes: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    base: number,
    interfaceId: number,
  ) => {
    checkInterface(interfaceId, base + at);
    const captured = view.getUint32(at + 20, layout.littleEndian);
    checkCaptured(captured, length - PACKET_DATA - 4, base + at);
    const id = layout.sectionStart + interfaceId;
    ticks[id]!(view.getUint32(at + 12, layout.littleEndian), view.getUint32(at + 16, layout.littleEndian), frame);
    deliver(bytes, at + PACKET_DATA, captured, view.getUint32(at + 24, layout.littleEndian), id);
  };

  /** Belongs to the section's first interface and has no time: it keeps that of the packet before. */
  const readSimplePacket = (bytes: Uint8Array, view: DataView, at: number, length: number, base: number) => {
    checkInterface(0, base + at);
    const original = view.getUint32(at + 8, layout.littleEndian);
    const snapLength = interfaces[layout.sectionStart]!.snapLength;
    const captured = snapLength !== 0 && snapLength < original ? snapLength : original;
    checkCaptured(captured, length - SIMPLE_PACKET_DATA - 4, base + at);
    deliver(bytes, at + SIMPLE_PACKET_DATA, captured, original, layout.sectionStart);
  };

  return {
    format: 'pcapng',
    interfaces,
    get byteOrder() {
      return byteOrder;
    },
    get sections() {
      return section + 1;
    },
    get wanted() {
      return wanted;
    },
    decode(bytes, view, at, end, base) {
      for (;;) {
        if (taker !== undefined) {
          at = taker.take(bytes, at, end, layout, delivery);
          if (delivery.stopped) return at;
        }
        if (end - at < SMALLEST_BLOCK) break;
        const type = view.getUint32(at, layout.littleEndian);
        if (type === BLOCK.SECTION_HEADER) enterByteOrder(view, at, base);
        const length = view.getUint32(at + 4, layout.littleEndian);
        // A length that suits every type needs no look at the type's own.
        if (length < LARGEST_FIXED_LENGTH || (length & 3) !== 0 || length > bounds.maxBlock) {
          checkLength(type, length, base + at);
        }
        if (end - at < length) {
          wanted = length;
          return at;
        }
        const repeated = view.getUint32(at + length - 4, layout.littleEndian);
        if (repeated !== length) {
          const message = `block of type 0x${type.toString(16)} has length ${length} at its start and ${repeated} at its end`;
          throw refuse(message, 'block-length-mismatch', base + at);
        }
        if (type === BLOCK.ENHANCED_PACKET) {
          readPacket(bytes, view, at, length, base, view.getUint32(at + 8, layout.littleEndian));
        } else if (type === BLOCK.SIMPLE_PACKET) {
          readSimplePacket(bytes, view, at, length, base);
        } else if (type === BLOCK.PACKET) {
          readPacket(bytes, view, at, length, base, view.getUint16(at + 8, layout.littleEndian));
        } else if (type === BLOCK.INTERFACE_DESCRIPTION) {
          addInterface(bytes, at, length, base);
        } else if (type === BLOCK.SECTION_HEADER) {
          enterSection(view, at, base);
        }
        at += length;
        if (delivery.stopped) return at;
      }
      wanted = SMALLEST_BLOCK;
      return at;
    },
  };
}
