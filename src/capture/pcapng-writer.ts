import { encodeUtf8 } from '../base/bytes.ts';
import type { Frame } from './frame.ts';
import { createOutput, type Output } from './output.ts';
import { copyBytes, type WritableFrame } from './pcap-writer.ts';
import { BLOCK, BYTE_ORDER_MAGIC } from './pcapng.ts';

/** First byte of the option epb_verdict (draft-ietf-opsawg-pcapng, "Enhanced Packet Block Options"). */
export const VERDICT_TYPE = { LINUX_EBPF_TC: 1, LINUX_EBPF_XDP: 2 } as const;

export interface PacketVerdict {
  readonly type: (typeof VERDICT_TYPE)[keyof typeof VERDICT_TYPE];
  /** TC_ACT_* (may be negative) or XDP_*. */
  readonly value: number;
}

interface WrittenPacket extends WritableFrame {
  /** As returned by `addInterface`. */
  readonly interfaceId: Frame['interfaceId'];
}

interface InterfaceToWrite {
  /** LINKTYPE_*; Ethernet unless told. */
  readonly linkType?: number;
  readonly name?: string;
  readonly description?: string;
  /** 0, no limit, unless told. */
  readonly snapLength?: number;
}

export interface PcapngWriter {
  /** Describes an interface and returns its number, counted from 0. */
  addInterface(description?: InterfaceToWrite): number;
  /** The verdict is left out where there is none; a comment longer than 65,535 bytes is cut. */
  write(packet: WrittenPacket, verdict?: PacketVerdict, comment?: string): void;
  /** Whole blocks, made by others, behind what was written. */
  append(blocks: Uint8Array): void;
  /** Hands the rest to the sink; the capture is then whole. */
  end(): void;
}

const LONGEST_OPTION = 0xffff;
const END_OF_OPTIONS = 4;
const VERDICT_LENGTH = 9;

const padded = (length: number) => (length + 3) & ~3;
const optionLength = (length: number) => 4 + padded(length);

/**
 * Writes one little-endian section with nanosecond timestamps, in large pieces, each of which ends with a whole block
 * and belongs to the sink.
 */
export function createPcapngWriter(
  sink: (bytes: Uint8Array) => void,
  { application = 'bpfreplay' }: { readonly application?: string } = {},
): PcapngWriter {
  const output = createOutput(sink);
  let interfaces = 0;

  const block = (type: number, length: number): number => {
    const at = output.reserve(length);
    output.view.setUint32(at, type, true);
    output.view.setUint32(at + 4, length, true);
    output.view.setUint32(at + length - 4, length, true);
    return at + 8;
  };

  const name = encodeUtf8(application);
  const section = block(BLOCK.SECTION_HEADER, 28 + optionLength(name.length) + END_OF_OPTIONS);
  output.view.setUint32(section, BYTE_ORDER_MAGIC, true);
  output.view.setUint16(section + 4, 1, true);
  output.view.setBigInt64(section + 8, -1n, true); // length of the section: not known
  putOption(output, section + 16, 4, name); // shb_userappl

  return {
    addInterface({ linkType = 1, name, description, snapLength = 0 } = {}) {
      const options: [code: number, value: Uint8Array][] = [[9, Uint8Array.of(9)]]; // if_tsresol: nanoseconds
      if (name !== undefined) options.push([2, cut(encodeUtf8(name))]);
      if (description !== undefined) options.push([3, cut(encodeUtf8(description))]);
      const size = options.reduce((sum, [, value]) => sum + optionLength(value.length), END_OF_OPTIONS);
      let at = block(BLOCK.INTERFACE_DESCRIPTION, 20 + size);
      output.view.setUint16(at, linkType, true);
      output.view.setUint32(at + 4, snapLength, true);
      at += 8;
      for (const [code, value] of options) at = putOption(output, at, code, value);
      return interfaces++;
    },
    write(packet, verdict, comment) {
      const captured = packet.end - packet.start;
      const text = comment === undefined ? undefined : cut(encodeUtf8(comment));
      let options = 0;
      if (verdict !== undefined) options += optionLength(VERDICT_LENGTH);
      if (text !== undefined) options += optionLength(text.length);
      if (options > 0) options += END_OF_OPTIONS;
      let at = block(BLOCK.ENHANCED_PACKET, 32 + padded(captured) + options);
      const view = output.view;
      view.setUint32(at, packet.interfaceId, true);
      putTime(view, at + 4, packet.seconds, packet.nanoseconds);
      view.setUint32(at + 12, captured, true);
      view.setUint32(at + 16, packet.originalLength, true);
      copyBytes(packet, output.bytes, at + 20);
      at += 20 + padded(captured);
      if (verdict !== undefined) {
        view.setUint16(at, 7, true); // epb_verdict
        view.setUint16(at + 2, VERDICT_LENGTH, true);
        view.setUint8(at + 4, verdict.type);
        view.setInt32(at + 5, verdict.value, true);
        view.setInt32(at + 9, verdict.value < 0 ? -1 : 0, true);
        at += optionLength(VERDICT_LENGTH);
      }
      if (text !== undefined) putOption(output, at, 1, text); // opt_comment
    },
    append(blocks) {
      const at = output.reserve(blocks.length);
      output.bytes.set(blocks, at);
    },
    end: () => output.flush(),
  };
}

/** Returns where the next option begins; the padding is zero as the output is. */
function putOption(output: Output, at: number, code: number, value: Uint8Array): number {
  output.view.setUint16(at, code, true);
  output.view.setUint16(at + 2, value.length, true);
  output.bytes.set(value, at + 4);
  return at + optionLength(value.length);
}

/** Not in the midst of a character. */
function cut(text: Uint8Array): Uint8Array {
  if (text.length <= LONGEST_OPTION) return text;
  let end = LONGEST_OPTION;
  while ((text[end]! & 0xc0) === 0x80) end--;
  return text.subarray(0, end);
}

/**
 * Nanoseconds since the epoch as two words, upper first. They exceed 2^53: the product with 10^9 is taken on 16-bit
 * pieces of the seconds. Times before the epoch, which the format has no room for, become the epoch.
 */
function putTime(view: DataView, at: number, seconds: number, nanoseconds: number): void {
  if (seconds < 0) seconds = nanoseconds = 0;
  const upper = Math.floor(seconds / 0x1_0000) * 1e9; // in units of 2^16 nanoseconds
  const lower = (seconds % 0x1_0000) * 1e9 + nanoseconds + (upper % 0x1_0000) * 0x1_0000;
  view.setUint32(at, Math.floor(upper / 0x1_0000) + Math.floor(lower / 0x1_0000_0000), true);
  view.setUint32(at + 4, lower % 0x1_0000_0000, true);
}
