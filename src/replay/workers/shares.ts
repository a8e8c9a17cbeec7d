import { readSync } from 'node:fs';
import type { RecordWalk } from '../../capture/record-walk.ts';

/** Bytes of a capture that a worker takes at a time; a share ends with the record that reaches beyond. */
const SHARE_BYTES = 512 * 1024;
/** Read beyond in the first go, so that the last record is whole more often than not. */
const BEYOND = 4096;

/** Words of the memory that workers share, and numbers of 64 bits; behind both, a word for each seat. */
const WORD = { claimed: 0, turn: 1, spoiled: 2 } as const;
const NUMBER = { offset: 2, packets: 3, shareBytes: 4 } as const;
const SEATS = 10;
const SEAT = { free: 0, taken: 1, closed: 2 } as const;
/** A turn that is everybody's. */
const OVER = 2 ** 30;

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

  /** At the start of a capture whose first packet's record lies at `offset`. */
  static lay(offset: number, seats: number, shareBytes = SHARE_BYTES): Table {
    const table = new Table(new SharedArrayBuffer(4 * (SEATS + seats)));
    table.#numbers[NUMBER.offset] = offset;
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

  get shareBytes(): number {
    return this.#numbers[NUMBER.shareBytes]!;
  }

  /** Number of a share that nobody else has. */
  claim(): number {
    return Atomics.add(this.#words, WORD.claimed, 1);
  }

  /** Where the share's first record begins, and the packets before it, once that is known. */
  awaitTurn(number: number): { readonly offset: number; readonly packets: number } {
    for (;;) {
      const turn = Atomics.load(this.#words, WORD.turn);
      if (turn >= number) return { offset: this.#numbers[NUMBER.offset]!, packets: this.#numbers[NUMBER.packets]! };
      Atomics.wait(this.#words, WORD.turn, turn);
    }
  }

  passTurn(number: number, offset: number, packets: number): void {
    this.#numbers[NUMBER.offset] = offset;
    this.#numbers[NUMBER.packets] = packets;
    this.#setTurn(number);
  }

  /** Whether a record was met that cannot be stepped over: the capture is then for one reader alone. */
  get isSpoiled(): boolean {
    return Atomics.load(this.#words, WORD.spoiled) !== 0;
  }

  spoil(): void {
    Atomics.store(this.#words, WORD.spoiled, 1);
    this.#setTurn(OVER);
  }

  #setTurn(turn: number): void {
    Atomics.store(this.#words, WORD.turn, turn);
    Atomics.notify(this.#words, WORD.turn);
  }
}

/** Whole records of a capture. */
export interface Share {
  readonly bytes: Uint8Array;
  readonly number: number;
  /** Packets of the capture before it. */
  readonly packetsBefore: number;
}

export interface SharesSource {
  /** Descriptor of the capture, and its size in bytes. */
  readonly file: number;
  readonly size: number;
  readonly walk: RecordWalk;
  readonly table: Table;
  /** Where shares are put: each is valid until the next. */
  readonly buffer: Uint8Array<ArrayBuffer>;
}

/**
 * Deals a capture file out to workers. Where a share ends is known only when its records have been stepped over, for
 * which their lengths are enough: a worker reads a share when it likes, waits for its turn to learn where the first
 * record begins, steps to the end, and passes the turn on; what is in the records it looks at afterwards.
 */
export class Shares {
  readonly #source: SharesSource;
  readonly #view: DataView;

  constructor(source: SharesSource) {
    const { buffer } = source;
    this.#source = source;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  }

  /** Undefined where there is none any more, or the capture is spoiled. */
  next(): Share | undefined {
    const { walk, size, buffer, table } = this.#source;
    const number = table.claim();
    const start = walk.preamble + number * table.shareBytes;
    if (start >= size) return undefined;
    let filled = this.#read(0, start, table.shareBytes + BEYOND);
    const { offset, packets: packetsBefore } = table.awaitTurn(number);
    if (table.isSpoiled) return undefined;
    const end = Math.min(table.shareBytes, size - start);
    const most = Math.min(buffer.length, size - start);
    const first = offset - start;
    let at = first;
    walk.packets = 0;
    for (;;) {
      at = walk.step(this.#view, at, end, filled);
      if (at >= end) break;
      // The next header lies beyond what was read, or the capture ends in it.
      const more = at < 0 || at > most ? 0 : this.#read(filled, start + filled, at + walk.header - filled);
      if (more === 0) break;
      filled += more;
    }
    if (at < end || at > most) {
      table.spoil();
      return undefined;
    }
    table.passTurn(number + 1, start + at, packetsBefore + walk.packets);
    if (at > filled) filled += this.#read(filled, start + filled, at - filled);
    // Cut while it was read.
    if (at > filled) table.spoil();
    return table.isSpoiled ? undefined : { bytes: buffer.subarray(first, Math.max(first, at)), number, packetsBefore };
  }

  /** Reads up to `length` bytes; gives how many there were. */
  #read(at: number, offset: number, length: number): number {
    const { file, buffer } = this.#source;
    const end = Math.min(at + length, buffer.length);
    let filled = at;
    while (filled < end) {
      const size = readSync(file, buffer, filled, end - filled, offset + filled - at);
      if (size === 0) break;
      filled += size;
    }
    return filled - at;
  }
}
