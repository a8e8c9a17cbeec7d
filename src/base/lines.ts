import { concatBytes, decodeUtf8 } from './bytes.ts';

const NEWLINE = 10;

/** Lines of UTF-8 text that comes in pieces. What follows the last newline waits for the next piece. */
export class LineSplitter {
  /** Bytes up to the end of the last line that was given. */
  consumed = 0;
  #carry: Uint8Array = new Uint8Array(0);

  /** The lines that the piece completes, without their newlines. The piece is not kept. */
  push(piece: Uint8Array): string[] {
    const end = piece.lastIndexOf(NEWLINE);
    if (end < 0) {
      this.#carry = concatBytes([this.#carry, piece]);
      return [];
    }
    const whole = concatBytes([this.#carry, piece.subarray(0, end)]);
    this.consumed += whole.length + 1;
    this.#carry = piece.slice(end + 1);
    return decodeUtf8(whole).split('\n');
  }
}
