import type { Family } from '../../abi/interfaces.ts';
import { leading, type Prefix } from './address.ts';

/** What stands under prefixes of one family, in the order in which it was put in. */
export class PrefixTable<T> {
  readonly #family: Family;
  readonly #byLength = new Map<number, Map<bigint, T[]>>();
  /** Falling. */
  #lengths: number[] = [];

  constructor(family: Family) {
    this.#family = family;
  }

  add({ value, length }: Pick<Prefix, 'value' | 'length'>, item: T): void {
    const known = this.#byLength.getOrInsertComputed(length, () => {
      this.#lengths = [...this.#lengths, length].sort((a, b) => b - a);
      return new Map();
    });
    known.getOrInsertComputed(leading(value, this.#family, length), () => []).push(item);
  }

  /** Lists of what stands under the prefixes that cover the address, the longest first. */
  *covering(value: bigint): Generator<readonly T[]> {
    for (const length of this.#lengths) {
      const found = this.#byLength.get(length)!.get(leading(value, this.#family, length));
      if (found !== undefined) yield found;
    }
  }
}
