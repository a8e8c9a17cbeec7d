/**
 * One captured packet. A reader fills the same object for every packet: it and the bytes it points at are valid only
 * during the callback.
 */
export interface Frame {
  /** 0-based among the packets of the capture. */
  index: number;
  /** The captured bytes lie in bytes[start, end). */
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Length on the wire; never less than the captured length. */
  originalLength: number;
  /** LINKTYPE_* (draft-ietf-opsawg-pcaplinktype). */
  linkType: number;
  /** Bytes of frame check sequence at the end of the packet as it was on the wire. */
  fcsLength: number;
  /** pcapng: index of the interface, counted over all sections; pcap: 0. */
  interfaceId: number;
  /** Capture time since the epoch: whole seconds, and 0 … 999,999,999 nanoseconds. */
  seconds: number;
  nanoseconds: number;
}

/** What it returns matters only where it is 'stop': then the rest of the capture is ignored. */
export type FrameHandler = (frame: Frame) => unknown;

/** Capture time in nanoseconds since the epoch. */
export function frameTime(frame: Pick<Frame, 'seconds' | 'nanoseconds'>): bigint {
  return BigInt(frame.seconds) * 1_000_000_000n + BigInt(frame.nanoseconds);
}

export function emptyFrame(): Frame {
  return {
    index: -1,
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    originalLength: 0,
    linkType: 0,
    fcsLength: 0,
    interfaceId: 0,
    seconds: 0,
    nanoseconds: 0,
  };
}

export interface CaptureInterface {
  /** 0-based number of the pcapng section that describes it; pcap: 0. */
  readonly section: number;
  readonly linkType: number;
  /** Most bytes captured of a packet; 0 is no limit. */
  readonly snapLength: number;
  readonly fcsLength: number;
  /** Unit of its timestamps, as a power: `10^-6`, `2^-10`. */
  readonly resolution: string;
  /** Seconds added to each of its timestamps. */
  readonly timeOffset: number;
  readonly name: string | undefined;
  readonly description: string | undefined;
}

/** Bounds of what a capture may claim; each is there so that a hostile capture cannot exhaust memory. */
export interface CaptureOptions {
  /** Most captured bytes of a packet. 262,144 unless told, libpcap's MAXIMUM_SNAPLEN. */
  readonly maxFrame?: number;
  /** Longest pcapng block in bytes. 16 MiB unless told. */
  readonly maxBlock?: number;
  /** Most interfaces in a pcapng capture. 65,536 unless told. */
  readonly maxInterfaces?: number;
}

export const DEFAULT_BOUNDS: Required<CaptureOptions> = {
  maxFrame: 256 * 1024,
  maxBlock: 16 * 1024 * 1024,
  maxInterfaces: 65_536,
};

export type ByteOrder = 'little-endian' | 'big-endian';

/** How the records lie that a decoder reads: what the headers of the capture have said so far. */
export interface RecordLayout {
  readonly format: 'pcap' | 'pcapng';
  littleEndian: boolean;
  /** Of all sections; a pcap capture has one. */
  readonly interfaces: readonly CaptureInterface[];
  /** Index of the section's first interface among all. */
  sectionStart: number;
}

/** Takes packets in place of the decoder and the handler, as many as it likes. */
export interface RecordTaker {
  /**
   * Takes whole records of bytes[at, end), the first of which begins at `at`, and returns where the first one begins
   * that it did not take. Keeps `delivery` as the decoder would: `packets`, `stopped`, and the frame's time.
   */
  take(bytes: Uint8Array, at: number, end: number, layout: RecordLayout, delivery: Delivery): number;
}

/** What the decoders of both formats share: the frame they fill, to whom it goes, and the bounds. */
export interface Delivery {
  readonly frame: Frame;
  readonly onFrame: FrameHandler;
  readonly bounds: Required<CaptureOptions>;
  readonly taker: RecordTaker | undefined;
  /** Packets delivered so far. */
  packets: number;
  /** The handler answered 'stop'. */
  stopped: boolean;
}

/** Reads one format; the reader gives it the bytes and keeps those of an incomplete record for the next call. */
export interface Decoder {
  readonly format: 'pcap' | 'pcapng';
  readonly byteOrder: ByteOrder | 'mixed' | undefined;
  readonly interfaces: readonly CaptureInterface[];
  /** Begun so far; a classic capture is one. */
  readonly sections: number;
  /**
   * Delivers every whole record of bytes[at, end) and returns where the first incomplete one begins.
   * `base` is the offset of bytes[0] in the capture, for errors.
   */
  decode(bytes: Uint8Array, view: DataView, at: number, end: number, base: number): number;
  /** Bytes, counted from the beginning of the incomplete record, that `decode` must have to get further. */
  readonly wanted: number;
}
