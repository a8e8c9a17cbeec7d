import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { OptionError } from '../../base/errors.ts';
import { type Attempt, begins } from './source.ts';

/** Path that means standard input. */
const STANDARD_INPUT = '-';

/** Reads what others write into a named pipe, or standard input, which ends once and for all. */
export function readInput(name: string, path: string): Attempt {
  return path === STANDARD_INPUT ? readStandardInput(name) : readNamedPipe(name, path);
}

/**
 * Each writer's bytes, from when the first opens the pipe until the last has closed it, are one capture. The pipe is
 * held open in between, so that no writer finds it without a reader and ends by SIGPIPE.
 */
function readNamedPipe(name: string, path: string): Attempt {
  return async (sink, opened, signal) => {
    const holder = openPipe(name, path);
    try {
      opened();
      while (!signal.aborted) {
        const pipe = new Socket({ fd: openPipe(name, path), readable: true, writable: false });
        await readToEnd(pipe, () => sink.feed({ from: name, bytes: pipe }), signal);
      }
    } finally {
      closeSync(holder);
    }
  };
}

/** Without waiting for a writer: a thread that waits in `open` could not be called back. */
function openPipe(name: string, path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OptionError('no-input', `input ${name} cannot be opened: ${code}; \`mkfifo\` makes a named pipe`);
  }
  if (fstatSync(fd).isFIFO()) return fd;
  closeSync(fd);
  throw new OptionError('no-input', `input ${name} is not a named pipe; \`mkfifo\` makes one`);
}

function readStandardInput(name: string): Attempt {
  return async (sink, opened, signal) => {
    if (process.stdin.readableEnded || process.stdin.destroyed) {
      throw new OptionError(
        'input-ended',
        `input ${name} was read to its end, or by a stream that was stopped; a daemon that is started anew reads it again`,
      );
    }
    opened();
    await readToEnd(process.stdin, () => sink.feed({ from: name, bytes: process.stdin }), signal);
  };
}

/** A writer cannot be told that its capture is bad: what is left of it is read, and thrown away. */
async function readToEnd(bytes: Readable, feed: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const end = () => bytes.destroy();
  signal.addEventListener('abort', end);
  bytes.on('error', () => {});
  try {
    if ((await begins(bytes)) && !(await feed())) {
      bytes.resume();
      await finished(bytes).catch(() => {});
    }
  } finally {
    signal.removeEventListener('abort', end);
    if (bytes !== process.stdin) bytes.destroy();
  }
}
