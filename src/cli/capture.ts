import { closeSync, createReadStream, openSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { CompressionError, compressionOfFile, OptionError, plainBytes, pushFrom, type Replay } from '../index.ts';

/** How a capture is read: a file wherever one wants in it, all else from its beginning on. */
type CaptureKind = 'file' | 'compressed' | 'stream';

/** Why no others help to read what is no file. */
export const WHY_ONE_READS: Readonly<Record<Exclude<CaptureKind, 'file'>, string>> = {
  compressed: 'a compressed capture is read by one',
  stream: 'a stream is read by one',
};

const STANDARD_INPUT = '-';
const CHUNK = 1024 * 1024;

/** Throws an `OptionError` where it can be no capture, or the file system's error. */
export function captureKind(capture: string): CaptureKind {
  if (capture === STANDARD_INPUT) return 'stream';
  const status = statSync(capture);
  if (status.isDirectory()) throw new OptionError('bad-option', `${capture} is a folder, not a capture`);
  if (!status.isFile()) return 'stream';
  return compressionOfFile(capture) === undefined ? 'file' : 'compressed';
}

/** Reading ends at the end of the capture, at its first fault, or at Ctrl-C: the tally so far is printed then. */
export async function readCapture(capture: string, replay: Replay): Promise<void> {
  const interrupt = new AbortController();
  const stop = () => {
    replay.stop();
    interrupt.abort();
  };
  process.once('SIGINT', stop);
  try {
    if (captureKind(capture) === 'file') await readFile(capture, replay, interrupt.signal);
    else await readStream(capture, replay, interrupt.signal);
  } finally {
    process.removeListener('SIGINT', stop);
  }
}

/** Ctrl-C is heard between two pieces. */
async function readFile(capture: string, replay: Replay, signal: AbortSignal): Promise<void> {
  const file = openSync(capture, 'r');
  try {
    while (!signal.aborted && pushFrom(file, replay) > 0) await setImmediate();
  } finally {
    closeSync(file);
  }
}

async function readStream(capture: string, replay: Replay, signal: AbortSignal): Promise<void> {
  const stream: Readable =
    capture === STANDARD_INPUT ? process.stdin : createReadStream(capture, { highWaterMark: CHUNK });
  signal.addEventListener('abort', () => stream.destroy());
  try {
    for await (const chunk of plainBytes(stream)) if (!replay.push(chunk) || signal.aborted) break;
  } catch (error) {
    // Destroyed on request: what came before counts.
    if (signal.aborted) return;
    if (!(error instanceof CompressionError)) throw error;
    replay.end(error.message);
  }
}
