import type { CaptureError } from '../base/errors.ts';
import { type ByteOrder, type Frame, frameTime } from './frame.ts';
import { createLinkLayer } from './link-layer.ts';
import { linkTypeName } from './link-types.ts';
import { etherTypeName, ipProtocolName, protocolOf } from './protocols.ts';
import type { CaptureReader } from './reader.ts';

export interface CaptureSummary {
  /** null where the capture's first bytes do not say. */
  readonly format: 'pcap' | 'pcapng' | null;
  readonly byteOrder: ByteOrder | 'mixed' | null;
  /** Unit of the timestamps as a power (`10^-6`), `mixed` where interfaces differ, null without interfaces. */
  readonly resolution: string | null;
  readonly interfaces: number;
  readonly packets: number;
  readonly capturedBytes: number;
  /** Bytes on the wire. */
  readonly originalBytes: number;
  /** Earliest and latest capture time, in nanoseconds since the epoch; null without packets. */
  readonly firstTime: string | null;
  readonly lastTime: string | null;
  /** Packets by LINKTYPE_ name. */
  readonly linkTypes: Readonly<Record<string, number>>;
  /** Packets by the type behind their VLAN tags: a name or `0x88b5`; `802.3` for a length; `none` for too short. */
  readonly etherTypes: Readonly<Record<string, number>>;
  /** IPv4 and IPv6 packets by their protocol, behind extension headers: a name or the number. */
  readonly ipProtocols: Readonly<Record<string, number>>;
  /** Packets by length on the wire, in ranges from `from` up to the next one's `from`. */
  readonly sizes: readonly { readonly from: number; readonly packets: number }[];
  /** The fault that ended the reading; all above counts what came before it. */
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly offset: number;
    readonly packet: number;
  } | null;
}

/** The ranges of etherStatsPkts (RFC 2819), and two for jumbo frames and offloaded packets. */
export const SIZE_RANGES: readonly number[] = [0, 64, 65, 128, 256, 512, 1024, 1519, 9217];

/** Index among `SIZE_RANGES` of a length. */
export function sizeRange(length: number): number {
  let range = 1;
  while (range < SIZE_RANGES.length && length >= SIZE_RANGES[range]!) range++;
  return range - 1;
}

/** Counts whatever it is given; bounded by the numbers of types there are. */
export class SummaryBuilder {
  readonly #linkLayer = createLinkLayer();
  readonly #linkTypes = new Map<number, number>();
  readonly #protocols = new Map<number, number>();
  readonly #sizes = new Float64Array(SIZE_RANGES.length);
  #packets = 0;
  #capturedBytes = 0;
  #originalBytes = 0;
  #first = { seconds: Number.POSITIVE_INFINITY, nanoseconds: 0 };
  #last = { seconds: Number.NEGATIVE_INFINITY, nanoseconds: 0 };

  add(frame: Frame): void {
    this.#packets++;
    this.#capturedBytes += frame.end - frame.start;
    this.#originalBytes += frame.originalLength;
    if (isBefore(frame, this.#first)) copyTime(frame, this.#first);
    if (isBefore(this.#last, frame)) copyTime(frame, this.#last);
    add(this.#linkTypes, frame.linkType);
    this.#sizes[sizeRange(frame.originalLength)]!++;
    const ethernet = this.#linkLayer.toEthernet(frame);
    if (ethernet !== undefined) add(this.#protocols, protocolOf(ethernet));
  }

  finish(reader: CaptureReader, error?: CaptureError): CaptureSummary {
    const resolutions = new Set(reader.interfaces.map(({ resolution }) => resolution));
    return {
      format: reader.format ?? null,
      byteOrder: reader.byteOrder ?? null,
      resolution: resolutions.size > 1 ? 'mixed' : ([...resolutions][0] ?? null),
      interfaces: reader.interfaces.length,
      packets: this.#packets,
      capturedBytes: this.#capturedBytes,
      originalBytes: this.#originalBytes,
      firstTime: this.#packets === 0 ? null : String(frameTime(this.#first)),
      lastTime: this.#packets === 0 ? null : String(frameTime(this.#last)),
      linkTypes: named(this.#linkTypes, linkTypeName),
      etherTypes: named(this.#protocols, etherTypeName),
      ipProtocols: named(
        [...this.#protocols].filter(([protocol]) => ipProtocolName(protocol) !== undefined),
        (protocol) => ipProtocolName(protocol)!,
      ),
      sizes: SIZE_RANGES.map((from, i) => ({ from, packets: this.#sizes[i]! })),
      error:
        error === undefined
          ? null
          : {
              code: error.detail.code,
              message: error.message,
              offset: error.detail.offset,
              packet: error.detail.packet,
            },
    };
  }
}

type Time = Pick<Frame, 'seconds' | 'nanoseconds'>;

function isBefore(a: Time, b: Time): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.nanoseconds < b.nanoseconds);
}

function copyTime(from: Time, to: Time): void {
  to.seconds = from.seconds;
  to.nanoseconds = from.nanoseconds;
}

function add(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** By name, the most frequent first; numbers of the same name (LINKTYPE_RAW has three) are summed. */
function named(
  counts: Iterable<readonly [number, number]>,
  nameOf: (number: number) => string,
): Record<string, number> {
  const sums = new Map<string, number>();
  for (const [number, count] of counts) {
    const name = nameOf(number);
    sums.set(name, (sums.get(name) ?? 0) + count);
  }
  return Object.fromEntries([...sums].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}
