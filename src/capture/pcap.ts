import { CaptureError } from '../base/errors.ts';
import type { CaptureInterface, Decoder, Delivery } from './frame.ts';

/** draft-ietf-opsawg-pcap, section "File Header". */
export const PCAP_HEADER_LENGTH = 24;
/** Section "Packet Record". */
export const PCAP_RECORD_LENGTH = 16;
export const PCAP_MAGIC_MICROSECONDS = 0xa1b2c3d4;
export const PCAP_MAGIC_NANOSECONDS = 0xa1b23c4d;

/** LinkType field: the low 16 bits; bit 5 (P) says that bits 0–3 hold the FCS length in 16-bit words. */
const FCS_PRESENT = 0x0400_0000;
const RESERVED_BITS = 0x0bff_0000;

export function createPcapDecoder(delivery: Delivery, magic: number, littleEndian: boolean): Decoder {
  const { frame, onFrame, bounds, taker } = delivery;
  const nanosecondMagic = magic === PCAP_MAGIC_NANOSECONDS;
  const unitsPerSecond = nanosecondMagic ? 1e9 : 1e6;
  const nanosecondsPerUnit = nanosecondMagic ? 1 : 1000;
  const interfaces: CaptureInterface[] = [];
  const layout = { format: 'pcap', littleEndian, interfaces, sectionStart: 0 } as const;
  let wanted = PCAP_HEADER_LENGTH;

  const refuse = (message: string, code: string, offset: number, help: string) =>
    new CaptureError(message, { code, offset, packet: delivery.packets, help });

  const readHeader = (view: DataView, at: number, base: number) => {
    const major = view.getUint16(at + 4, littleEndian);
    const minor = view.getUint16(at + 6, littleEndian);
    if (major !== 2 || minor !== 4) {
      const help = 'Version 2.4 is read; convert it with `editcap`';
      throw refuse(`pcap version ${major}.${minor}`, 'unsupported-version', base + at + 4, help);
    }
    const field = view.getUint32(at + 20, littleEndian);
    if ((field & RESERVED_BITS) !== 0) {
      const help = 'The draft wants bits 4 and 6 to 15 of this field zero';
      throw refuse(`link type field 0x${field.toString(16)}`, 'bad-link-type', base + at + 20, help);
    }
    const fcsLength = (field & FCS_PRESENT) === 0 ? 0 : (field >>> 28) * 2;
    interfaces.push({
      section: 0,
      linkType: field & 0xffff,
      snapLength: view.getUint32(at + 16, littleEndian),
      fcsLength,
      resolution: nanosecondMagic ? '10^-9' : '10^-6',
      timeOffset: 0,
      name: undefined,
      description: undefined,
    });
    frame.linkType = field & 0xffff;
    frame.fcsLength = fcsLength;
    frame.interfaceId = 0;
    wanted = PCAP_RECORD_LENGTH;
  };

  return {
    format: 'pcap',
    byteOrder: littleEndian ? 'little-endian' : 'big-endian',
    sections: 1,
    interfaces,
    get wanted() {
      return wanted;
    },
    decode(bytes, view, at, end, base) {
      if (interfaces.length === 0) {
        if (end - at < PCAP_HEADER_LENGTH) return at;
        readHeader(view, at, base);
        at += PCAP_HEADER_LENGTH;
      }
      for (;;) {
        if (taker !== undefined) {
          at = taker.take(bytes, at, end, layout, delivery);
          if (delivery.stopped) return at;
        }
        if (end - at < PCAP_RECORD_LENGTH) break;
        const captured = view.getUint32(at + 8, littleEndian);
        if (captured > bounds.maxFrame) {
          throw refuse(
            `a record claims ${captured} bytes, above the bound maxFrame of ${bounds.maxFrame}`,
            'record-too-long',
            base + at,
            'If the packet is truly that long, raise the option maxFrame',
          );
        }
        const start = at + PCAP_RECORD_LENGTH;
        if (end - start < captured) {
          wanted = PCAP_RECORD_LENGTH + captured;
          return at;
        }
        let seconds = view.getUint32(at, littleEndian);
        let fraction = view.getUint32(at + 4, littleEndian);
        if (fraction >= unitsPerSecond) {
          seconds = Math.min(seconds + Math.floor(fraction / unitsPerSecond), 0xffff_ffff);
          fraction %= unitsPerSecond;
        }
        const original = view.getUint32(at + 12, littleEndian);
        at = start + captured;
        frame.index = delivery.packets++;
        frame.bytes = bytes;
        frame.start = start;
        frame.end = at;
        frame.originalLength = Math.max(original, captured);
        frame.seconds = seconds;
        frame.nanoseconds = fraction * nanosecondsPerUnit;
        if (onFrame(frame) === 'stop') {
          delivery.stopped = true;
          return at;
        }
      }
      wanted = PCAP_RECORD_LENGTH;
      return at;
    },
  };
}
