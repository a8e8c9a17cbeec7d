import { closeSync, openSync, readSync } from 'node:fs';
import { type RecordWalk, recordWalk } from '../../capture/record-walk.ts';
import { Instance } from '../../engine/instance.ts';
import { type ObjectFile, readObjectFile } from '../object-file.ts';
import { Replay } from '../replay.ts';
import type { ReplayRequest } from '../worker-protocol.ts';
import type { PartTally, SharePackets } from './merge.ts';
import { Shares, Table } from './shares.ts';

/** What a worker is given. */
export interface PartRequest extends ObjectFile, Pick<ReplayRequest, 'capture' | 'options'> {
  readonly table: SharedArrayBuffer;
  readonly seat: number;
}

/** Enough of a capture to hold the headers in front of its first packet. */
const HEAD_BYTES = 64 * 1024;

/** A worker's part, from its request; undefined where all was dealt before it came. Throws as `runReplay` does. */
export function requestedPart({ table: memory, seat, capture, ...request }: PartRequest): PartTally | undefined {
  const instance = new Instance(readObjectFile(request), request.options);
  const table = new Table(memory);
  if (!table.sit(seat)) return undefined;
  const part = new Part(instance, capture, table);
  while (part.take());
  return part.end();
}

/** Shares of a capture through an instance. */
export class Part {
  readonly #replay: Replay;
  readonly #file: number;
  readonly #table: Table;
  readonly #shares: Shares;
  readonly #headers: number;
  readonly #own: SharePackets[] = [];

  constructor(instance: Instance, capture: string, table: Table) {
    this.#replay = new Replay(instance);
    this.#file = openSync(capture, 'r');
    this.#table = table;
    const { walk, head } = headOf(this.#file)!;
    this.#replay.push(head);
    this.#headers = this.#replay.headers;
    this.#shares = new Shares({ file: this.#file, walk, table, buffer: this.#replay.buffer });
  }

  /** Replays the next share; false where there is none. */
  take(): boolean {
    const share = this.#shares.next();
    if (share === undefined) return false;
    const before = this.#replay.frames;
    const goesOn = this.#replay.push(share.bytes);
    const packets = this.#replay.frames - before;
    if (packets > 0) this.#own.push({ share: share.number, packets });
    // A header among the packets changes how others read theirs.
    const isWhole = goesOn && !this.#replay.isInRecord && this.#replay.headers === this.#headers;
    if (!isWhole) this.#table.spoil();
    return isWhole;
  }

  end(): PartTally {
    closeSync(this.#file);
    return { tally: this.#replay.end(), shares: this.#own };
  }
}

/** How to step over the records of a capture, and its headers; undefined where that cannot be. */
export function headOf(file: number): { readonly walk: RecordWalk; readonly head: Uint8Array } | undefined {
  const head = new Uint8Array(HEAD_BYTES);
  const walk = recordWalk(head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0)));
  return walk === undefined ? undefined : { walk, head: head.subarray(0, walk.preamble) };
}
