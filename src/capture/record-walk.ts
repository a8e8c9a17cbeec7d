import { DEFAULT_BOUNDS } from './frame.ts';
import { PCAP_HEADER_LENGTH, PCAP_MAGIC_MICROSECONDS, PCAP_MAGIC_NANOSECONDS, PCAP_RECORD_LENGTH } from './pcap.ts';
import { BLOCK, BYTE_ORDER_MAGIC } from './pcapng.ts';

/** How to find the records of a capture without reading what they hold. */
export interface RecordWalk {
  /** Bytes of headers in front of the first packet's record: what a reader must see before any of them. */
  readonly preamble: number;
  /** Bytes of a record that `step` must see. */
  readonly header: number;
  /**
   * Steps over records from `at` on until one begins at `to` or behind it, or has its header beyond `end`; gives where
   * that one begins. −1 where a record cannot be stepped over: it is damaged, or changes how later ones are to be read.
   */
  step(view: DataView, at: number, to: number, end: number): number;
  /** Packets stepped over so far. */
  packets: number;
  /**
   * Where, from `from` on, a packet's record seems to begin: the first place from which several records in a row look like
   * records of this capture, or all up to its end. It depends on the bytes behind `from` alone, and may be wrong. −1 where more
   * than what lies before `end` must be seen; `end` where that is the capture's (`isWhole`) and there is none.
   */
  guess(view: DataView, from: number, end: number, isWhole: boolean): number;
}

/** Type and length of a pcapng block; behind its body the length comes again. */
const BLOCK_HEADER = 8;
const SHORTEST_BLOCK = 12;

/** For a capture that begins with these bytes; undefined where its records cannot be found from them. */
export function recordWalk(head: Uint8Array): RecordWalk | undefined {
  if (head.length < PCAP_HEADER_LENGTH) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (view.getUint32(0, false) === BLOCK.SECTION_HEADER) return pcapngWalk(view);
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic === PCAP_MAGIC_MICROSECONDS || magic === PCAP_MAGIC_NANOSECONDS) return pcapWalk(view, littleEndian);
  }
  return undefined;
}

/** Records in a row that are enough; a pcapng block tells its length twice, so that fewer do. */
const ROW = { pcap: 8, pcapng: 3 } as const;
/** Packets of a capture are thought to lie within a year of the first. */
const SPAN_SECONDS = 366 * 86_400;

/** `lengthAt`: of the record that seems to begin there; 0 where none does, −1 where its header is not to be seen. */
function guessed(lengthAt: (at: number) => number, row: number, from: number, end: number, isWhole: boolean): number {
  const beginsAt = (first: number): boolean | 'more' => {
    let at = first;
    for (let records = 0; records < row; records++) {
      if (at === end && isWhole) break;
      const length = lengthAt(at);
      if (length === 0) return false;
      if (length < 0 || at + length > end) return isWhole ? false : 'more';
      at += length;
    }
    return true;
  };
  for (let at = from; at < end; at++) {
    const begins = beginsAt(at);
    if (begins === 'more') return -1;
    if (begins) return at;
  }
  return isWhole ? end : -1;
}

/** draft-ietf-opsawg-pcap, section "Packet Record". */
function pcapWalk(head: DataView, littleEndian: boolean): RecordWalk {
  const fractions = head.getUint32(0, littleEndian) === PCAP_MAGIC_NANOSECONDS ? 1e9 : 1e6;
  const hasPacket = head.byteLength >= PCAP_HEADER_LENGTH + PCAP_RECORD_LENGTH;
  const begin = hasPacket ? head.getUint32(PCAP_HEADER_LENGTH, littleEndian) : 0;
  const walk: RecordWalk = { preamble: PCAP_HEADER_LENGTH, header: PCAP_RECORD_LENGTH, step, packets: 0, guess };
  return walk;

  function step(view: DataView, at: number, to: number, end: number): number {
    let packets = 0;
    for (; at < to && at + PCAP_RECORD_LENGTH <= end; packets++) {
      const captured = view.getUint32(at + 8, littleEndian);
      if (captured > DEFAULT_BOUNDS.maxFrame) return -1;
      at += PCAP_RECORD_LENGTH + captured;
    }
    walk.packets += packets;
    return at;
  }

  function guess(view: DataView, from: number, end: number, isWhole: boolean): number {
    const lengthAt = (at: number) => {
      if (at + PCAP_RECORD_LENGTH > end) return -1;
      const captured = view.getUint32(at + 8, littleEndian);
      if (captured === 0 || captured > DEFAULT_BOUNDS.maxFrame || captured > view.getUint32(at + 12, littleEndian))
        return 0;
      if (view.getUint32(at + 4, littleEndian) >= fractions) return 0;
      return Math.abs(view.getUint32(at, littleEndian) - begin) > SPAN_SECONDS ? 0 : PCAP_RECORD_LENGTH + captured;
    };
    return guessed(lengthAt, ROW.pcap, from, end, isWhole);
  }
}

/** draft-ietf-opsawg-pcapng, section "General Block Structure". */
function pcapngWalk(head: DataView): RecordWalk | undefined {
  const littleEndian = head.getUint32(8, true) === BYTE_ORDER_MAGIC;
  const preamble = firstPacket(head, littleEndian);
  if (preamble === undefined) return undefined;
  const walk: RecordWalk = { preamble, header: BLOCK_HEADER, step, packets: 0, guess };
  return walk;

  function step(view: DataView, at: number, to: number, end: number): number {
    let packets = 0;
    while (at < to && at + BLOCK_HEADER <= end) {
      const type = view.getUint32(at, littleEndian);
      const length = view.getUint32(at + 4, littleEndian);
      if (!isBlockLength(length) || type === BLOCK.SECTION_HEADER || type === BLOCK.INTERFACE_DESCRIPTION) return -1;
      if (isPacket(type)) packets++;
      at += length;
    }
    walk.packets += packets;
    return at;
  }

  function guess(view: DataView, from: number, end: number, isWhole: boolean): number {
    const lengthAt = (at: number) => {
      if (at + BLOCK_HEADER > end) return -1;
      const length = view.getUint32(at + 4, littleEndian);
      if (!isBlockLength(length) || !isPacket(view.getUint32(at, littleEndian))) return 0;
      if (at + length > end) return length;
      return view.getUint32(at + length - 4, littleEndian) === length ? length : 0;
    };
    return guessed(lengthAt, ROW.pcapng, from, end, isWhole);
  }
}

function firstPacket(head: DataView, littleEndian: boolean): number | undefined {
  for (let at = 0; at + BLOCK_HEADER <= head.byteLength; ) {
    if (isPacket(head.getUint32(at, littleEndian))) return at;
    const length = head.getUint32(at + 4, littleEndian);
    if (!isBlockLength(length)) return undefined;
    at += length;
  }
  return undefined;
}

function isPacket(type: number): boolean {
  return type === BLOCK.ENHANCED_PACKET || type === BLOCK.SIMPLE_PACKET || type === BLOCK.PACKET;
}

function isBlockLength(length: number): boolean {
  return length >= SHORTEST_BLOCK && length <= DEFAULT_BOUNDS.maxBlock && length % 4 === 0;
}
