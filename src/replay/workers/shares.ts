import { readSync } from 'node:fs';
import type { RecordWalk } from '../../capture/record-walk.ts';

/** Bytes of a capture that a worker takes at a time; a share ends with the record that reaches beyond. */
const SHARE_BYTES = 512 * 1024;
/** Read beyond in the first go, so that the last record is whole more often than not. */
const BEYOND = 4096;

const PAGE = 4096;

/** Words of the memory that workers share, and numbers of 64 bits; behind both, a word for each seat. */
const WORD = { claimed: 0, spoiled: 1 } as const;
const NUMBER = { size: 1, shareBytes: 2 } as const;
const SEATS = 6;
const SEAT = { free: 0, taken: 1, closed: 2 } as const;

/** What all workers of a replay see of one another. */
export class Table {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.#numbers = new Float64Array(memory, 0, SEATS / 2);
  }

  /** For a capture of `size` bytes. */
  static lay(size: number, seats: number, shareBytes = SHARE_BYTES): Table {
    const table = new Table(new SharedArrayBuffer(4 * (SEATS + seats)));
    table.#numbers[NUMBER.size] = size;
    table.#numbers[NUMBER.shareBytes] = shareBytes;
    return table;
  }

  /** False for who comes when all is dealt. */
  sit(seat: number): boolean {
    return Atomics.compareExchange(this.#words, SEATS + seat, SEAT.free, SEAT.taken) === SEAT.free;
  }

  /** Whether nobody sits there, nor will. */
  close(seat: number): boolean {
    return Atomics.compareExchange(this.#words, SEATS + seat, SEAT.free, SEAT.closed) === SEAT.free;
  }

  /** Bytes of the capture, as they were when it was laid. */
  get size(): number {
    return this.#numbers[NUMBER.size]!;
  }

  get shareBytes(): number {
    return this.#numbers[NUMBER.shareBytes]!;
  }

  /** Number of a share that nobody else has. */
  claim(): number {
    return Atomics.add(this.#words, WORD.claimed, 1);
  }

  /** Whether a share did not end where a record does: the capture is then for one reader alone. */
  get isSpoiled(): boolean {
    return Atomics.load(this.#words, WORD.spoiled) !== 0;
  }

  spoil(): void {
    Atomics.store(this.#words, WORD.spoiled, 1);
  }
}

/** Records of a capture. */
export interface Share {
  readonly bytes: Uint8Array;
  readonly number: number;
}

export interface SharesSource {
  /** Descriptor of the capture. */
  readonly file: number;
  readonly walk: RecordWalk;
  readonly table: Table;
  /** Where shares are put: each is valid until the next. */
  readonly buffer: Uint8Array<ArrayBuffer>;
}

/**
 * Deals a capture file out to workers. Where a share begins is guessed from the bytes there; the worker of the share
 * before guesses the same, and ends there. The first begins where a record does; so if every share, read from its
 * beginning, turns out to end where a record does, all of them began so. Who meets one that does not spoils the table.
 */
export class Shares {
  readonly #source: SharesSource;
  readonly #view: DataView;

  constructor(source: SharesSource) {
    // Where a share lies in a page differs from where it lies in a page of the file by as much as in a replay of one.
    const buffer = source.buffer.subarray(source.walk.preamble % PAGE);
    this.#source = { ...source, buffer };
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  }

  /** Undefined where there is none any more, or the capture is spoiled. */
  next(): Share | undefined {
    const { walk, buffer, table } = this.#source;
    const { size, shareBytes } = table;
    const number = table.claim();
    const start = walk.preamble + number * shareBytes;
    if (start >= size || table.isSpoiled) return undefined;
    let filled = this.#read(0, start, shareBytes + BEYOND);
    const boundary = (from: number): number => {
      for (;;) {
        const at = walk.guess(this.#view, from, filled, start + filled >= size);
        if (at >= 0) return at;
        const more = this.#read(filled, start + filled, filled);
        if (more === 0) return -1;
        filled += more;
      }
    };
    const first = number === 0 ? 0 : boundary(0);
    const end = first < 0 ? -1 : start + shareBytes >= size ? size - start : boundary(shareBytes);
    // No records in sight, or the file was cut while it was read.
    if (end < 0 || end > filled) {
      table.spoil();
      return undefined;
    }
    return { bytes: buffer.subarray(first, end), number };
  }

  /** Reads up to `length` bytes; gives how many there were. */
  #read(at: number, offset: number, length: number): number {
    const { file, buffer, table } = this.#source;
    const end = Math.min(at + length, buffer.length, at + table.size - offset);
    let filled = at;
    while (filled < end) {
      const size = readSync(file, buffer, filled, end - filled, offset + filled - at);
      if (size === 0) break;
      filled += size;
    }
    return filled - at;
  }
}
