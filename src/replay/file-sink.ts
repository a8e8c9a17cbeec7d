import { closeSync, openSync, writeSync } from 'node:fs';
import { encodeUtf8 } from '../base/bytes.ts';
import { OptionError } from '../base/errors.ts';

const STDOUT = 1;
const FLUSH_AT = 256 * 1024;

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
  #lines: string[] = [];
  #pending = 0;

  constructor(path: string, limit?: RecordingLimit) {
    this.#limit = limit;
    this.#fd = path === '-' ? STDOUT : openSync(path, 'w');
  }

  /** Kept until there is a large piece. */
  line(text: string): void {
    this.#lines.push(text);
    this.#pending += text.length + 1;
    if (this.#pending >= FLUSH_AT) this.flush();
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
    if (this.#lines.length === 0) return;
    this.#lines.push('');
    const text = this.#lines.join('\n');
    this.#lines = [];
    this.#pending = 0;
    this.write(encodeUtf8(text));
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
