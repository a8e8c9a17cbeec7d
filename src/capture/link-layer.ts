import type { Frame } from './frame.ts';
import { emptyFrame } from './frame.ts';
import { LINKTYPE, linkTypeName } from './link-types.ts';
import { ETHERTYPE, SMALLEST_ETHERTYPE } from './protocols.ts';

const ETHERNET_HEADER = 14;

/** What a link layer's header says; filled by a `HeaderReader`. */
interface Header {
  /** Where the network layer begins. */
  payload: number;
  etherType: number;
  /** Offset of the sender's 6-byte address, or −1. */
  source: number;
}

/** Returns the reason for which the frame cannot be given an Ethernet header, or undefined after filling `header`. */
type HeaderReader = (frame: Frame, header: Header) => string | undefined;

const TOO_SHORT = 'too short for its link layer';
const NOT_IP = 'neither IPv4 nor IPv6';

/** ARPHRD_* (linux/if_arp.h) whose cooked protocol field is no Ethernet protocol number. */
const OTHER_NUMBERING: ReadonlySet<number> = new Set([
  770, // ARPHRD_FRAD: Frame Relay
  801, // ARPHRD_IEEE80211
  802, // ARPHRD_IEEE80211_PRISM
  803, // ARPHRD_IEEE80211_RADIOTAP
  824, // ARPHRD_NETLINK
]);

/** ETH_P_802_3 and ETH_P_802_2 (linux/if_ether.h): the payload is that of an IEEE 802.3 frame, its type a length. */
const COOKED_802: ReadonlySet<number> = new Set([0x0001, 0x0004]);
const LONGEST_802_3_PAYLOAD = 1500;

const u16 = (bytes: Uint8Array, at: number) => (bytes[at]! << 8) | bytes[at + 1]!;

/** Linux cooked v1 and v2 hold the same fields at different places (LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2). */
function cooked(at: {
  readonly hardware: number;
  readonly addressLength: readonly [offset: number, size: 1 | 2];
  readonly address: number;
  readonly protocol: number;
  readonly size: number;
}): HeaderReader {
  return ({ bytes, start, end, originalLength }, header) => {
    if (end - start < at.size) return TOO_SHORT;
    const hardware = u16(bytes, start + at.hardware);
    if (OTHER_NUMBERING.has(hardware)) return `ARPHRD type ${hardware}`;
    const [lengthAt, lengthSize] = at.addressLength;
    const addressLength = lengthSize === 2 ? u16(bytes, start + lengthAt) : bytes[start + lengthAt]!;
    header.payload = start + at.size;
    header.source = addressLength === 6 ? start + at.address : -1;
    header.etherType = u16(bytes, start + at.protocol);
    if (header.etherType >= SMALLEST_ETHERTYPE) return undefined;
    const length = originalLength - at.size;
    if (!COOKED_802.has(header.etherType) || length > LONGEST_802_3_PAYLOAD) {
      return `protocol 0x${header.etherType.toString(16).padStart(4, '0')}`;
    }
    header.etherType = length;
    return undefined;
  };
}

/** For a link layer without a sender's address: the payload begins at `payload`. */
function describe(header: Header, payload: number, etherType: number): undefined {
  header.payload = payload;
  header.etherType = etherType;
  header.source = -1;
}

const fixed =
  (etherType: number): HeaderReader =>
  (frame, header) =>
    describe(header, frame.start, etherType);

function ip({ bytes, start, end }: Frame, header: Header): string | undefined {
  if (start === end) return TOO_SHORT;
  const version = bytes[start]! >>> 4;
  if (version !== 4 && version !== 6) return NOT_IP;
  return describe(header, start, version === 4 ? ETHERTYPE.IPV4 : ETHERTYPE.IPV6);
}

/** AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24, 28 or 30 on the BSDs and macOS. */
const FAMILIES: Readonly<Record<number, number>> = {
  2: ETHERTYPE.IPV4,
  10: ETHERTYPE.IPV6,
  24: ETHERTYPE.IPV6,
  28: ETHERTYPE.IPV6,
  30: ETHERTYPE.IPV6,
};

/** LINKTYPE_NULL's family is in the byte order of the capturing machine, LINKTYPE_LOOP's in network byte order. */
function addressFamily({ bytes, start, end }: Frame, header: Header): string | undefined {
  if (end - start < 4) return TOO_SHORT;
  const family = u16(bytes, start) === 0 ? u16(bytes, start + 2) : bytes[start]! | (bytes[start + 1]! << 8);
  const etherType = FAMILIES[family];
  if (etherType === undefined) return NOT_IP;
  return describe(header, start + 4, etherType);
}

const READERS: ReadonlyMap<number, HeaderReader> = new Map([
  [LINKTYPE.LINUX_SLL, cooked({ hardware: 2, addressLength: [4, 2], address: 6, protocol: 14, size: 16 })],
  [LINKTYPE.LINUX_SLL2, cooked({ hardware: 8, addressLength: [11, 1], address: 12, protocol: 0, size: 20 })],
  [LINKTYPE.RAW, ip],
  [LINKTYPE.RAW_BSD, ip],
  [LINKTYPE.RAW_OPENBSD, ip],
  [LINKTYPE.IPV4, fixed(ETHERTYPE.IPV4)],
  [LINKTYPE.IPV6, fixed(ETHERTYPE.IPV6)],
  [LINKTYPE.NULL, addressFamily],
  [LINKTYPE.LOOP, addressFamily],
]);

export interface LinkLayer {
  /**
   * The frame as an Ethernet frame: an Ethernet frame itself, untouched; a cooked or raw IP frame with an Ethernet
   * header in place of its own (type from the protocol, the sender's address as source where there is one, zeros
   * else), in a buffer that the next call overwrites; undefined for one that is skipped. A frame check sequence is
   * left out.
   */
  toEthernet(frame: Frame): Frame | undefined;
  /** Frames given an Ethernet header, by the name of their link type. */
  readonly given: ReadonlyMap<string, number>;
  /** Frames skipped, by the name of their link type, followed by `: reason` where the link type as such is known. */
  readonly skipped: ReadonlyMap<string, number>;
}

export function createLinkLayer(): LinkLayer {
  const given = new Map<string, number>();
  const skipped = new Map<string, number>();
  const header: Header = { payload: 0, etherType: 0, source: -1 };
  const rewritten = emptyFrame();
  let buffer = new Uint8Array(2048);

  const count = (counts: Map<string, number>, name: string) => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };

  /** Bytes of the captured packet that belong to a frame check sequence; none where the capture cut the packet. */
  const capturedFcs = (frame: Frame) => {
    const cutOff = frame.originalLength - (frame.end - frame.start);
    return Math.max(0, Math.min(frame.fcsLength - cutOff, frame.end - frame.start));
  };

  const withoutFcs = (frame: Frame): Frame => {
    Object.assign(rewritten, frame);
    rewritten.end = frame.end - capturedFcs(frame);
    rewritten.originalLength = Math.max(frame.originalLength - frame.fcsLength, rewritten.end - rewritten.start);
    rewritten.fcsLength = 0;
    return rewritten;
  };

  const giveHeader = (frame: Frame): Frame | undefined => {
    const name = linkTypeName(frame.linkType);
    const read = READERS.get(frame.linkType);
    const reason = read === undefined ? undefined : read(frame, header);
    if (read === undefined || reason !== undefined) {
      count(skipped, reason === undefined ? name : `${name}: ${reason}`);
      return undefined;
    }
    const { bytes, start, end, originalLength } = frame;
    const size = ETHERNET_HEADER + end - header.payload;
    if (size > buffer.length) buffer = new Uint8Array(size);
    buffer.fill(0, 0, ETHERNET_HEADER);
    if (header.source >= 0) for (let i = 0; i < 6; i++) buffer[6 + i] = bytes[header.source + i]!;
    buffer[12] = header.etherType >>> 8;
    buffer[13] = header.etherType;
    buffer.set(bytes.subarray(header.payload, end), ETHERNET_HEADER);
    Object.assign(rewritten, frame);
    rewritten.bytes = buffer;
    rewritten.start = 0;
    rewritten.end = size;
    rewritten.originalLength = originalLength - (header.payload - start) + ETHERNET_HEADER;
    rewritten.linkType = LINKTYPE.ETHERNET;
    count(given, name);
    return rewritten;
  };

  return {
    given,
    skipped,
    toEthernet(frame) {
      if (frame.fcsLength !== 0) frame = withoutFcs(frame);
      return frame.linkType === LINKTYPE.ETHERNET ? frame : giveHeader(frame);
    },
  };
}
