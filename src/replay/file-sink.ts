import { closeSync, openSync, writeSync } from 'node:fs';
import { encodeUtf8 } from '../base/bytes.ts';

const STDOUT = 1;
const FLUSH_AT = 256 * 1024;

/** A file that is written in large pieces, blocking. `-` is standard output. */
export class FileSink {
  readonly #fd: number;
  #lines: string[] = [];
  #pending = 0;

  constructor(path: string) {
    this.#fd = path === '-' ? STDOUT : openSync(path, 'w');
  }

  /** Kept until there is a large piece. */
  line(text: string): void {
    this.#lines.push(text);
    this.#pending += text.length + 1;
    if (this.#pending >= FLUSH_AT) this.flush();
  }

  /** Written at once. */
  write(bytes: Uint8Array): void {
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
