import type { FileHandle } from 'node:fs/promises';
import { LineSplitter } from '../../base/lines.ts';
import type { PacketRecord } from '../tally.ts';

/** A record of a packet, its line, and the offset in the file behind it. */
export interface StoredRecord {
  readonly record: PacketRecord;
  readonly line: string;
  readonly next: number;
}

const CHUNK = 256 * 1024;
const NEWLINE = 10;

/**
 * Reads the file of records, one JSON line a packet by rising index, from an offset at which a line begins. A line that
 * is not whole, as of a replay that was ended, is none.
 */
export class RecordFile {
  readonly #file: FileHandle;
  readonly #buffer = new Uint8Array(CHUNK);
  #lines = new LineSplitter();
  #readAt: number;
  #lineAt: number;
  #ended = false;

  constructor(file: FileHandle, offset: number) {
    this.#file = file;
    this.#readAt = this.#lineAt = offset;
  }

  /** The records of the next piece of the file, some hundreds; undefined at its end. */
  async next(): Promise<StoredRecord[] | undefined> {
    for (;;) {
      if (this.#ended) return undefined;
      const { bytesRead } = await this.#file.read(this.#buffer, 0, CHUNK, this.#readAt);
      this.#readAt += bytesRead;
      this.#ended = bytesRead === 0;
      const records: StoredRecord[] = [];
      for (const line of this.#lines.push(this.#buffer.subarray(0, bytesRead))) {
        this.#lineAt += Buffer.byteLength(line) + 1;
        records.push({ record: JSON.parse(line) as PacketRecord, line, next: this.#lineAt });
      }
      if (records.length > 0) return records;
    }
  }
}

/** Offset of the line of the first packet whose index is not below this one, or of one not far before it. */
export async function seekRecord(file: FileHandle, index: number): Promise<number> {
  const buffer = new Uint8Array(CHUNK);
  let low = 0;
  let high = (await file.stat()).size;
  while (high - low > CHUNK) {
    const middle = low + Math.floor((high - low) / 2);
    const { bytesRead } = await file.read(buffer, 0, CHUNK, middle);
    const piece = buffer.subarray(0, bytesRead);
    const begin = piece.indexOf(NEWLINE) + 1;
    const end = piece.indexOf(NEWLINE, begin);
    if (begin === 0 || end < 0) {
      high = middle;
      continue;
    }
    const record = JSON.parse(Buffer.from(piece.subarray(begin, end)).toString()) as PacketRecord;
    if (record.index < index) low = middle + begin;
    else high = middle;
  }
  return low;
}
