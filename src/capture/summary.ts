import type { CaptureError } from '../base/errors.ts';
import { type ByteOrder, type Frame, frameTime } from './frame.ts';
import { createLinkLayer } from './link-layer.ts';
import { linkTypeName } from './link-types.ts';
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
const SIZE_RANGES = [0, 64, 65, 128, 256, 512, 1024, 1519, 9217];

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
const VLAN_TYPES: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);

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
/** IPv6 extension headers with a next header and a length in 8-byte units (RFC 8200, section 4); 44 is the fragment. */
const EXTENSION_HEADERS: ReadonlySet<number> = new Set([0, 43, 44, 60, 135]);
const FRAGMENT_HEADER = 44;

/** Counts whatever it is given; bounded by the numbers of types there are. */
export class SummaryBuilder {
  readonly #linkLayer = createLinkLayer();
  readonly #linkTypes = new Map<number, number>();
  readonly #etherTypes = new Map<number, number>();
  readonly #ipProtocols = new Float64Array(256);
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
    let range = 1;
    while (range < SIZE_RANGES.length && frame.originalLength >= SIZE_RANGES[range]!) range++;
    this.#sizes[range - 1]!++;
    const ethernet = this.#linkLayer.toEthernet(frame);
    if (ethernet !== undefined) this.#addProtocols(ethernet);
  }

  #addProtocols({ bytes, start, end }: Frame): void {
    let at = start + 12;
    let type = at + 2 <= end ? (bytes[at]! << 8) | bytes[at + 1]! : NO_TYPE;
    at += 2;
    while (VLAN_TYPES.has(type)) {
      type = at + 4 <= end ? (bytes[at + 2]! << 8) | bytes[at + 3]! : NO_TYPE;
      at += 4;
    }
    add(this.#etherTypes, type >= 0 && type < 0x600 ? LENGTH : type);
    if (type === 0x0800 && at + 20 <= end) this.#ipProtocols[bytes[at + 9]!]!++;
    if (type === 0x86dd && at + 40 <= end) this.#ipProtocols[lastNextHeader(bytes, at, end)]!++;
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
      etherTypes: named(this.#etherTypes, etherTypeName),
      ipProtocols: named(
        [...this.#ipProtocols.entries()].filter(([, count]) => count > 0),
        (protocol) => IP_PROTOCOLS[protocol] ?? String(protocol),
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

const NO_TYPE = -1;
const LENGTH = -2;

function etherTypeName(type: number): string {
  if (type === NO_TYPE) return 'none';
  if (type === LENGTH) return '802.3';
  return ETHER_TYPES[type] ?? `0x${type.toString(16).padStart(4, '0')}`;
}

/** The protocol behind the extension headers as far as they were captured. */
function lastNextHeader(bytes: Uint8Array, ip: number, end: number): number {
  let protocol = bytes[ip + 6]!;
  let at = ip + 40;
  while (EXTENSION_HEADERS.has(protocol) && at + 8 <= end) {
    const length = protocol === FRAGMENT_HEADER ? 8 : 8 + 8 * bytes[at + 1]!;
    protocol = bytes[at]!;
    at += length;
  }
  return protocol;
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
