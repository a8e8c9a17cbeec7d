import { type FileHandle, open } from 'node:fs/promises';
import { CaptureError, OptionError } from '../../base/errors.ts';
import type { Frame } from '../../capture/frame.ts';
import { createLinkLayer } from '../../capture/link-layer.ts';
import { type CaptureMarks, markBefore } from '../../capture/marks.ts';
import { createCaptureReader } from '../../capture/reader.ts';
import { filterTests, type PacketFilter } from './filter.ts';
import { RecordFile, type StoredRecord, seekRecord } from './record-file.ts';

/** Where the packets of a replay are. */
export interface PickSource {
  /** Path of the records, one JSON line a packet. */
  readonly records: string;
  /** Path of the capture, and where to begin in it; asked for only where packets are to be read. */
  readonly capture: string;
  readonly marks: () => Promise<CaptureMarks>;
  /** Of the program. */
  readonly layer: 2 | 3;
}

export interface PickOptions {
  /** Offset in the records, as `Picked.next` gave it; their beginning unless told. */
  readonly from?: number;
  /** Called for each packet that is picked, with its frame, which is valid during the call. */
  readonly onFrame?: (frame: Frame, record: StoredRecord['record']) => void;
}

/** Records that meet a filter, of a piece of the file; `next` is the offset behind the piece. */
export interface Picked {
  readonly records: readonly StoredRecord[];
  readonly next: number;
}

/** Packets of a capture that lie in so many bytes are never more than `FRAMES_AHEAD`, as a record has 16 at least. */
const CAPTURE_CHUNK = 64 * 1024;
const FRAMES_AHEAD = CAPTURE_CHUNK / 16 + 2;
const NEWLINE = 10;

/**
 * Picks packets of a replay, piece by piece and no faster than they are taken. Throws `OptionError` for a filter that
 * is none, or the file system's error.
 */
export async function* pickPackets(
  source: PickSource,
  filter: PacketFilter,
  { from = 0, onFrame }: PickOptions = {},
): AsyncGenerator<Picked> {
  const tests = filterTests(filter, source.layer);
  const file = await open(source.records);
  try {
    if (from > 0) await checkLine(file, from);
    const sought = filter.first === undefined ? 0 : await seekRecord(file, filter.first);
    const records = new RecordFile(file, Math.max(from, sought));
    const last = filter.last ?? Number.POSITIVE_INFINITY;
    if (tests.frame === undefined && onFrame === undefined) {
      for (let piece = await records.next(); piece !== undefined; piece = await records.next()) {
        yield { records: piece.filter(({ record }) => tests.record(record)), next: piece.at(-1)!.next };
        if (piece.at(-1)!.record.index >= last) return;
      }
      return;
    }
    const capture = await open(source.capture);
    try {
      yield* withFrames(records, capture, await source.marks(), last, (frame, record) => {
        if (!tests.record(record) || tests.frame?.(frame, record) === false) return false;
        onFrame?.(frame, record);
        return true;
      });
    } finally {
      await capture.close();
    }
  } finally {
    await file.close();
  }
}

async function checkLine(file: FileHandle, offset: number): Promise<void> {
  const before = new Uint8Array(1);
  const { bytesRead } = await file.read(before, 0, 1, offset - 1);
  if (bytesRead === 1 && before[0] === NEWLINE) return;
  throw new OptionError('bad-offset', `no record begins at ${offset}`);
}

/** Reads the capture beside the records: both are in the order of the capture. */
async function* withFrames(
  records: RecordFile,
  capture: FileHandle,
  marks: CaptureMarks,
  last: number,
  wants: (frame: Frame, record: StoredRecord['record']) => boolean,
): AsyncGenerator<Picked> {
  let ahead = (await records.next()) ?? [];
  if (ahead.length === 0) return;
  const mark = markBefore(marks, ahead[0]!.record.index);
  const links = createLinkLayer();
  let at = 0;
  let picked: StoredRecord[] = [];
  const reader = createCaptureReader((frame) => {
    frame.index += mark.packet;
    const stored = ahead[at];
    // Some packets did not run.
    if (stored === undefined || frame.index < stored.record.index) return;
    at++;
    const ethernet = links.toEthernet(frame);
    if (ethernet !== undefined && wants(ethernet, stored.record)) picked.push(stored);
  });
  const buffer = new Uint8Array(Math.max(CAPTURE_CHUNK, marks.preamble));
  const push = async (offset: number, length: number): Promise<number> => {
    const { bytesRead } = await capture.read(buffer, 0, length, offset);
    if (bytesRead > 0) reader.push(buffer.subarray(0, bytesRead));
    return bytesRead;
  };
  try {
    if (marks.preamble > 0) await push(0, marks.preamble);
    for (let offset = mark.offset; at < ahead.length && ahead[at]!.record.index <= last; offset += CAPTURE_CHUNK) {
      while (ahead.length - at < FRAMES_AHEAD) {
        const more = await records.next();
        if (more === undefined) break;
        ahead = [...ahead.slice(at), ...more];
        at = 0;
      }
      const bytesRead = await push(offset, CAPTURE_CHUNK);
      if (at > 0) yield { records: picked, next: ahead[at - 1]!.next };
      picked = [];
      if (bytesRead === 0) return;
    }
  } catch (error) {
    // The replay met it too: there are no records behind it.
    if (!(error instanceof CaptureError)) throw error;
    if (at > 0) yield { records: picked, next: ahead[at - 1]!.next };
  }
}
