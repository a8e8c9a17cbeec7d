import { closeSync, openSync, readSync } from 'node:fs';
import { CaptureError, invariant } from '../base/errors.ts';
import {
  type ByteOrder,
  type CaptureInterface,
  type CaptureOptions,
  DEFAULT_BOUNDS,
  type Decoder,
  type Delivery,
  emptyFrame,
  type FrameHandler,
  type RecordTaker,
} from './frame.ts';
import { createPcapDecoder, PCAP_MAGIC_MICROSECONDS, PCAP_MAGIC_NANOSECONDS } from './pcap.ts';
import { BLOCK, createPcapngDecoder } from './pcapng.ts';

export interface CaptureReader {
  /**
   * Takes the next bytes of the capture and delivers the packets that they complete. The bytes are not kept.
   * Throws `CaptureError`; packets delivered before are good. After an error every call throws it again.
   */
  push(chunk: Uint8Array): void;
  /**
   * Says that there are no more bytes; throws `CaptureError` (code `truncated`, `empty`) inside a record, and wherever it
   * is (code `unreadable`) where `why` says what keeps the rest from being read.
   */
  end(why?: string): void;
  /** Nobody wants the rest: it is ignored, and so is the beginning of a record that has come. */
  stop(): void;
  /** undefined until the first four bytes are there. */
  readonly format: 'pcap' | 'pcapng' | undefined;
  /** `mixed`: sections of different byte orders. */
  readonly byteOrder: ByteOrder | 'mixed' | undefined;
  readonly interfaces: readonly CaptureInterface[];
  /** Sections begun so far; a classic capture is one. */
  readonly sections: number;
  /** Packets delivered so far. */
  readonly packets: number;
  /** The handler answered 'stop', or `stop` was called: the rest of the capture is ignored. */
  readonly stopped: boolean;
  /** Bytes of an incomplete record that are kept. */
  readonly carried: number;
}

/** Where chunks come to lie, and in front of them a record that was cut by the end of the chunk before. */
export interface Room {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where chunks begin. */
  readonly front: number;
}

/** Other formats that people mistake for a capture, by their first four bytes, with what would help. */
const OTHER_FORMATS: readonly {
  readonly bytes: number;
  readonly mask: number;
  readonly name: string;
  readonly help: string;
}[] = [
  {
    bytes: 0xa1b2cd34,
    mask: 0xffff_ffff,
    name: 'a "modified" pcap capture (Kuznetzov)',
    help: 'Convert it with `editcap -F pcap`',
  },
  {
    bytes: 0x34cdb2a1,
    mask: 0xffff_ffff,
    name: 'a "modified" pcap capture (Kuznetzov)',
    help: 'Convert it with `editcap -F pcap`',
  },
  { bytes: 0x1f8b_0000, mask: 0xffff_0000, name: 'compressed by gzip', help: 'Decompress it first: `gunzip -c FILE`' },
  { bytes: 0x28b5_2ffd, mask: 0xffff_ffff, name: 'compressed by zstd', help: 'Decompress it first: `zstdcat FILE`' },
  { bytes: 0x0422_4d18, mask: 0xffff_ffff, name: 'compressed by lz4', help: 'Decompress it first: `lz4cat FILE`' },
  { bytes: 0xfd37_7a58, mask: 0xffff_ffff, name: 'compressed by xz', help: 'Decompress it first: `xzcat FILE`' },
  { bytes: 0x736e_6f6f, mask: 0xffff_ffff, name: 'a snoop capture', help: 'Convert it with `editcap -F pcapng`' },
  {
    bytes: 0x0a0d_0a00,
    mask: 0xffff_ff00,
    name: 'a pcapng capture damaged by a transfer in text mode',
    help: 'Transfer it again in binary mode',
  },
  {
    bytes: 0x0d0d_0a00,
    mask: 0xffff_ff00,
    name: 'a pcapng capture damaged by a transfer in text mode',
    help: 'Transfer it again in binary mode',
  },
];

function createDecoder(view: DataView, at: number, delivery: Delivery): Decoder {
  const big = view.getUint32(at, false);
  if (big === BLOCK.SECTION_HEADER) return createPcapngDecoder(delivery);
  const little = view.getUint32(at, true);
  for (const magic of [PCAP_MAGIC_MICROSECONDS, PCAP_MAGIC_NANOSECONDS]) {
    if (big === magic || little === magic) return createPcapDecoder(delivery, magic, little === magic);
  }
  const known = OTHER_FORMATS.find(({ bytes, mask }) => (big & mask) >>> 0 === bytes >>> 0);
  const magic = big.toString(16).padStart(8, '0');
  throw new CaptureError(known === undefined ? `unknown format (first bytes ${magic})` : `this is ${known.name}`, {
    code: 'unknown-format',
    offset: 0,
    packet: 0,
    help: known?.help ?? 'pcap and pcapng are read',
  });
}

/**
 * Reads a pcap or pcapng capture as its bytes come, and hands each packet to `onFrame`, which may answer 'stop'.
 * Frames are views of the pushed bytes, or of the reader's own copy of a record that was cut by a chunk's end.
 * `taker` is offered the records of a chunk before each that the reader decodes. Chunks may come to lie in `room`: what is
 * there of a cut record is moved to where chunks begin, so that with the next chunk behind it the record is whole again.
 */
export function createCaptureReader(
  onFrame: FrameHandler,
  options: CaptureOptions = {},
  taker?: RecordTaker,
  room: Room = { bytes: new Uint8Array(0), front: 0 },
): CaptureReader {
  const delivery: Delivery = {
    frame: emptyFrame(),
    onFrame,
    bounds: { ...DEFAULT_BOUNDS, ...options },
    taker,
    packets: 0,
    stopped: false,
  };
  let decoder: Decoder | undefined;
  let failure: unknown;
  /** The bytes of an incomplete record, from its beginning: the last in front of the room's chunks, or the first of `own`. */
  let own = new Uint8Array(0);
  let carried = 0;
  let inRoom = false;
  /** Offset in the capture of the first byte that is not part of a delivered record. */
  let offset = 0;

  const wanted = () => decoder?.wanted ?? 4;

  const decode = (bytes: Uint8Array, at: number, end: number): number => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (decoder === undefined) {
      if (end - at < 4) return at;
      decoder = createDecoder(view, at, delivery);
    }
    const stoppedAt = decoder.decode(bytes, view, at, end, offset - at);
    offset += stoppedAt - at;
    return stoppedAt;
  };

  const kept = () => (inRoom ? room.bytes.subarray(room.front - carried, room.front) : own.subarray(0, carried));

  const keep = (chunk: Uint8Array, at: number, end: number) => {
    const more = chunk.subarray(at, end);
    const size = carried + more.length;
    const before = kept();
    const fits = (inRoom || carried === 0) && wanted() <= room.front;
    if (fits) {
      room.bytes.set(before, room.front - size);
      room.bytes.set(more, room.front - more.length);
    } else {
      const grows = size > own.length;
      if (grows) own = new Uint8Array(Math.max(size, Math.min(own.length * 2, wanted())));
      if (grows || inRoom) own.set(before);
      own.set(more, carried);
    }
    inRoom = fits;
    carried = size;
  };

  /** The chunk together with the bytes in front of it that belong to its first record. */
  const joined = (chunk: Uint8Array): Uint8Array => {
    const { bytes, front } = room;
    if (carried === 0 || !inRoom || chunk.buffer !== bytes.buffer) return chunk;
    const at = chunk.byteOffset - bytes.byteOffset;
    invariant(at >= front, 'a chunk lies on the record that was cut before it');
    if (at > front) return chunk;
    const whole = bytes.subarray(front - carried, front + chunk.length);
    carried = 0;
    return whole;
  };

  const take = (pushed: Uint8Array) => {
    const chunk = joined(pushed);
    let at = 0;
    // Complete the cut record first, with no byte more than it wants: once delivered, nothing of it is left.
    while (carried > 0 && at < chunk.length) {
      const end = Math.min(at + wanted() - carried, chunk.length);
      keep(chunk, at, end);
      at = end;
      if (carried < wanted()) return;
      if (decode(kept(), 0, carried) > 0) carried = 0;
      if (delivery.stopped) return;
    }
    if (at === chunk.length) return;
    at = decode(chunk, at, chunk.length);
    if (!delivery.stopped) keep(chunk, at, chunk.length);
  };

  return {
    push(chunk) {
      if (failure !== undefined) throw failure;
      if (delivery.stopped) return;
      try {
        take(chunk);
      } catch (error) {
        failure = error;
        throw error;
      }
    },
    end(why) {
      if (failure !== undefined) throw failure;
      if (delivery.stopped || (why === undefined && carried === 0 && offset > 0)) return;
      const [code, message] =
        why !== undefined
          ? ['unreadable', why]
          : offset + carried === 0
            ? ['empty', 'there are no bytes']
            : ['truncated', `the capture ends after ${carried} of the ${wanted()} bytes of a record`];
      failure = new CaptureError(message, { code, offset, packet: delivery.packets });
      throw failure;
    },
    stop() {
      delivery.stopped = true;
    },
    get format() {
      return decoder?.format;
    },
    get byteOrder() {
      return decoder?.byteOrder;
    },
    get interfaces() {
      return decoder?.interfaces ?? [];
    },
    get sections() {
      return decoder?.sections ?? 0;
    },
    get carried() {
      return carried;
    },
    get packets() {
      return delivery.packets;
    },
    get stopped() {
      return delivery.stopped;
    },
  };
}

const READ_SIZE = 1024 * 1024;

/**
 * Reads a capture file, blocking; returns the reader after its end. Throws `CaptureError`, or the file system's error.
 */
export function readCaptureFile(path: string, onFrame: FrameHandler, options: CaptureOptions = {}): CaptureReader {
  const reader = createCaptureReader(onFrame, options);
  const buffer = new Uint8Array(READ_SIZE);
  const file = openSync(path, 'r');
  try {
    for (let size: number; !reader.stopped && (size = readSync(file, buffer)) > 0; ) {
      reader.push(size === buffer.length ? buffer : buffer.subarray(0, size));
    }
  } finally {
    closeSync(file);
  }
  reader.end();
  return reader;
}

/**
 * Reads a capture from a stream of chunks; resolves to the reader after its end. Rejects with `CaptureError` or the
 * stream's error. When the handler stops, the stream is closed as `for await` does.
 */
export async function readCaptureStream(
  chunks: AsyncIterable<Uint8Array>,
  onFrame: FrameHandler,
  options: CaptureOptions = {},
): Promise<CaptureReader> {
  const reader = createCaptureReader(onFrame, options);
  for await (const chunk of chunks) {
    reader.push(chunk);
    if (reader.stopped) return reader;
  }
  reader.end();
  return reader;
}
