import type { FileHandle } from 'node:fs/promises';
import { recordWalk } from './record-walk.ts';

/** Where a reader may begin in the middle of a capture. */
export interface CaptureMarks {
  /** Bytes of headers at the beginning, which the reader is to see first. */
  readonly preamble: number;
  /** By rising offset: where the record of a packet begins, and the packet's index. The first is packet 0. */
  readonly marks: readonly Mark[];
}

export interface Mark {
  readonly packet: number;
  readonly offset: number;
}

/** Distance between marks, about; and what is read at once. */
const STEP = 1024 * 1024;

/**
 * Marks a capture file from its beginning as far as its records can be stepped over: a capture of several sections, or
 * a damaged one, has none behind that. Throws the file system's error.
 */
export async function markCapture(file: FileHandle, step = STEP): Promise<CaptureMarks> {
  const buffer = new Uint8Array(Math.max(step, STEP));
  const { bytesRead: head } = await file.read(buffer, 0, buffer.length, 0);
  const walk = recordWalk(buffer.subarray(0, head));
  if (walk === undefined) return { preamble: 0, marks: [{ packet: 0, offset: 0 }] };
  const marks: Mark[] = [{ packet: 0, offset: walk.preamble }];
  for (let at = walk.preamble; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead < walk.header) break;
    const view = new DataView(buffer.buffer, 0, bytesRead);
    const next = walk.step(view, 0, Math.min(step, bytesRead), bytesRead);
    if (next <= 0) break;
    at += next;
    marks.push({ packet: walk.packets, offset: at });
  }
  return { preamble: walk.preamble, marks };
}

/** The last mark that is not behind a packet. */
export function markBefore({ marks }: CaptureMarks, packet: number): Mark {
  let low = 0;
  for (let high = marks.length; high - low > 1; ) {
    const middle = (low + high) >> 1;
    if (marks[middle]!.packet <= packet) low = middle;
    else high = middle;
  }
  return marks[low]!;
}
