import type { Frame } from './frame.ts';
import { createOutput } from './output.ts';
import { PCAP_HEADER_LENGTH, PCAP_MAGIC_MICROSECONDS, PCAP_MAGIC_NANOSECONDS, PCAP_RECORD_LENGTH } from './pcap.ts';

/** What a writer reads of a frame. */
export type WritableFrame = Pick<Frame, 'bytes' | 'start' | 'end' | 'originalLength' | 'seconds' | 'nanoseconds'>;

export interface PcapWriterOptions {
  /** LINKTYPE_*; Ethernet unless told. */
  readonly linkType?: number;
  /** Nanoseconds unless told. */
  readonly resolution?: 'us' | 'ns';
  readonly littleEndian?: boolean;
  readonly snapLength?: number;
}

export interface PcapWriter {
  write(frame: WritableFrame): void;
  /** Hands the rest to the sink; the capture is then whole. */
  end(): void;
}

/**
 * Writes a classic capture (draft-ietf-opsawg-pcap) in large pieces, each of which ends with a whole record and
 * belongs to the sink.
 */
export function createPcapWriter(sink: (bytes: Uint8Array) => void, options: PcapWriterOptions = {}): PcapWriter {
  const { linkType = 1, resolution = 'ns', littleEndian = true, snapLength = 262_144 } = options;
  const output = createOutput(sink);
  const nanosecondsPerUnit = resolution === 'ns' ? 1 : 1000;

  const header = output.reserve(PCAP_HEADER_LENGTH);
  output.view.setUint32(header, resolution === 'ns' ? PCAP_MAGIC_NANOSECONDS : PCAP_MAGIC_MICROSECONDS, littleEndian);
  output.view.setUint16(header + 4, 2, littleEndian);
  output.view.setUint16(header + 6, 4, littleEndian);
  output.view.setUint32(header + 16, snapLength, littleEndian);
  output.view.setUint32(header + 20, linkType, littleEndian);

  return {
    write(frame) {
      const captured = frame.end - frame.start;
      const at = output.reserve(PCAP_RECORD_LENGTH + captured);
      const view = output.view;
      view.setUint32(at, frame.seconds, littleEndian);
      view.setUint32(at + 4, Math.floor(frame.nanoseconds / nanosecondsPerUnit), littleEndian);
      view.setUint32(at + 8, captured, littleEndian);
      view.setUint32(at + 12, frame.originalLength, littleEndian);
      copyBytes(frame, output.bytes, at + PCAP_RECORD_LENGTH);
    },
    end: () => output.flush(),
  };
}

/** Short packets are copied byte by byte: making a view for `set` costs more. */
export function copyBytes(from: Pick<Frame, 'bytes' | 'start' | 'end'>, to: Uint8Array, at: number): void {
  const { bytes, start, end } = from;
  if (end - start > 256) {
    to.set(bytes.subarray(start, end), at);
    return;
  }
  for (let i = start; i < end; i++) to[at++] = bytes[i]!;
}
