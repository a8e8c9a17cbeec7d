import { decodeUtf8, type Reader } from '../../base/bytes.ts';
import { LoadError } from '../../base/errors.ts';

/** A longer string is cut: the kernel takes names of up to 511 bytes, and only a source line can be longer. */
const LONGEST = 4096;

/**
 * The strings of a BTF section by their offset, each decoded once. Offsets may point into the middle of a string, so
 * that a hostile file could make much text out of few bytes: the text handed out is bounded by the section's size.
 */
export class BtfStrings {
  readonly #bytes: Uint8Array;
  readonly #decoded = new Map<number, string>();
  #allowance: number;

  /** `reader` holds `size` bytes of strings at `offset`; the last byte is NUL. */
  constructor(reader: Reader, offset: number, size: number) {
    this.#bytes = reader.slice(offset, size);
    this.#allowance = 4 * size + (1 << 20);
  }

  has(offset: number): boolean {
    return offset < this.#bytes.length;
  }

  /** The string at `offset`, for which `has` holds. Throws `LoadError` when the strings overlap beyond reason. */
  at(offset: number): string {
    if (offset === 0) return '';
    const known = this.#decoded.get(offset);
    if (known !== undefined) return known;
    const window = this.#bytes.subarray(offset, offset + LONGEST);
    const length = window.indexOf(0);
    const bytes = length < 0 ? window : window.subarray(0, length);
    this.#allowance -= bytes.length;
    if (this.#allowance < 0) {
      throw new LoadError('names overlap one another so much that they would fill the memory', {
        code: 'btf-strings-overlap',
        stage: 'btf',
        section: '.BTF',
        help: 'Compile the object again',
      });
    }
    const text = decodeUtf8(bytes);
    this.#decoded.set(offset, text);
    return text;
  }
}
