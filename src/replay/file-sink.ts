import { closeSync, openSync, writeSync } from 'node:fs';
import { encodeUtf8 } from '../base/bytes.ts';
import { OptionError } from '../base/errors.ts';

const STDOUT = 1;
const BUFFER = 256 * 1024;
/** Written as they are, and not copied first. */
const LARGE = 64 * 1024;
/** Of a UTF-16 unit in UTF-8. */
const MOST_BYTES = 3;
const LINE_FEED = 10;
const encoder = new TextEncoder();

/** Bytes that a file may take, and the option that allows more. */
export interface RecordingLimit {
  readonly bytes: number;
  readonly option: string;
}

/** A file that is written in large pieces, blocking. `-` is standard output. */
export class FileSink {
  readonly #fd: number;
  readonly #limit: RecordingLimit | undefined;
  #written = 0;
  readonly #buffer = new Uint8Array(BUFFER);
  #used = 0;

  constructor(path: string, limit?: RecordingLimit) {
    this.#limit = limit;
    this.#fd = path === '-' ? STDOUT : openSync(path, 'w');
  }

  /** Kept until there is a large piece. */
  line(text: string): void {
    const most = MOST_BYTES * text.length + 1;
    if (most > BUFFER) {
      this.append(encodeUtf8(`${text}\n`));
      return;
    }
    if (this.#used + most > BUFFER) this.flush();
    this.#used += encoder.encodeInto(text, this.#buffer.subarray(this.#used)).written;
    this.#buffer[this.#used++] = LINE_FEED;
  }

  /** Behind the lines so far; kept until there is a large piece. */
  append(bytes: Uint8Array): void {
    if (this.#used + bytes.length > BUFFER) this.flush();
    if (bytes.length >= LARGE) {
      this.flush();
      this.write(bytes);
    } else {
      this.#buffer.set(bytes, this.#used);
      this.#used += bytes.length;
    }
  }

  /** Written at once. Throws `OptionError` (`recording-too-long`) where the file would grow beyond its limit. */
  write(bytes: Uint8Array): void {
    this.#written += bytes.length;
    if (this.#limit !== undefined && this.#written > this.#limit.bytes) {
      const { bytes: most, option } = this.#limit;
      throw new OptionError(
        'recording-too-long',
        `what is recorded of the packets takes more than the ${most} bytes allowed; ${option} raises it, and fewer ` +
          'packets take less',
      );
    }
    for (let at = 0; at < bytes.length; ) at += this.#writeSome(bytes.subarray(at));
  }

  flush(): void {
    const used = this.#used;
    this.#used = 0;
    if (used > 0) this.write(this.#buffer.subarray(0, used));
  }

  close(): void {
    this.flush();
    if (this.#fd !== STDOUT) closeSync(this.#fd);
  }

  #writeSome(bytes: Uint8Array): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      // A pipe whose reader is slow: standard output is then not ready, and waiting is right.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      return 0;
    }
  }
}
