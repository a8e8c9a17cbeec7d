import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type RecordWalk, recordWalk } from '../../capture/record-walk.ts';
import { Instance } from '../../engine/instance.ts';
import { type ObjectFile, readObjectFile } from '../object-file.ts';
import { Replay } from '../replay.ts';
import type { ErrorCount } from '../tally.ts';
import type { ReplayRequest } from '../worker-protocol.ts';
import type { PartTally } from './merge.ts';
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
  readonly #shares: Shares;
  readonly #starts: ShareStart[] = [];

  constructor(instance: Instance, capture: string, table: Table) {
    this.#replay = new Replay(instance);
    this.#file = openSync(capture, 'r');
    const { walk, head } = headOf(this.#file)!;
    this.#replay.push(head);
    const { size } = fstatSync(this.#file);
    this.#shares = new Shares({ file: this.#file, size, walk, table, buffer: this.#replay.buffer });
  }

  /** Replays the next share; false where there is none. */
  take(): boolean {
    const share = this.#shares.next();
    if (share === undefined) return false;
    const { bytes, number, packetsBefore } = share;
    const own = this.#replay.frames;
    const goesOn = this.#replay.push(bytes);
    if (this.#replay.frames > own) this.#starts.push({ number, own, packetsBefore });
    return goesOn;
  }

  end(): PartTally {
    closeSync(this.#file);
    const tally = this.#replay.end();
    return {
      tally: { ...tally, errors: placed(tally.errors, this.#starts) },
      firstShare: this.#starts[0]?.number ?? -1,
      lastShare: this.#starts.at(-1)?.number ?? -1,
    };
  }
}

/** How to step over the records of a capture, and its headers; undefined where that cannot be. */
export function headOf(file: number): { readonly walk: RecordWalk; readonly head: Uint8Array } | undefined {
  const head = new Uint8Array(HEAD_BYTES);
  const walk = recordWalk(head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0)));
  return walk === undefined ? undefined : { walk, head: head.subarray(0, walk.preamble) };
}

/** A share's first packet: its index among the worker's, and in the capture. */
interface ShareStart {
  readonly number: number;
  readonly own: number;
  readonly packetsBefore: number;
}

/** Indices of packets as they are in the capture. */
function placed(errors: Readonly<Record<string, ErrorCount>>, starts: readonly ShareStart[]) {
  const place = (index: number) => {
    const start = starts.findLast(({ own }) => own <= index)!;
    return index - start.own + start.packetsBefore;
  };
  return Object.fromEntries(
    Object.entries(errors).map(([code, error]) => [code, { ...error, firstPacket: place(error.firstPacket) }]),
  );
}
