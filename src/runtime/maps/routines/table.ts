import { type Expression, equalBytes, i32, type Routine, type Variable } from '../../../wasm/expression.ts';
import type { HashTableAreas } from '../hash-table.ts';
import { strideOf } from '../layout.ts';
import { writeJhash } from './jhash.ts';

export type HashOf = (routine: Routine, key: Expression) => Expression;

/** HashTable (../hash-table.ts) as code. Slots go by their links: slot + 1, or 0 for none. */
export class TableCode {
  readonly #areas: HashTableAreas & { readonly buckets: number };
  readonly #keySize: number;
  readonly #hash: HashOf;

  constructor(areas: HashTableAreas & { readonly buckets: number }, keySize: number, hash?: HashOf) {
    this.#areas = areas;
    this.#keySize = keySize;
    this.#hash = hash ?? ((routine, key) => writeJhash(routine, key, keySize));
  }

  hash(routine: Routine, key: Expression): Variable {
    return routine.let(this.#hash(routine, key));
  }

  #head(hash: Expression): Expression {
    return hash
      .and(this.#areas.buckets - 1)
      .shl(2)
      .add(this.#areas.heads);
  }

  #hashAt = (link: Expression): Expression => link.shl(2).load(this.#areas.hashes - 4);
  #nextAt = (link: Expression): Expression => link.shl(2).load(this.#areas.next - 4);

  /** The link of the slot that has the key, or 0. */
  find(routine: Routine, key: Expression, hash: Expression): Variable {
    const { buckets, heads, keys } = this.#areas;
    const stride = strideOf(this.#keySize);
    const link = routine.let(
      hash
        .and(buckets - 1)
        .shl(2)
        .load(heads),
    );
    routine.while(link, (leave) => {
      routine.if(this.#hashAt(link).eq(hash), () => {
        const own = routine.let(link.mul(stride));
        routine.if(equalBytes(key, own, this.#keySize, keys - stride), leave);
      });
      routine.set(link, this.#nextAt(link));
    });
    return link;
  }

  /** Gives a slot its key and makes it the first of its bucket. */
  link(routine: Routine, link: Expression, key: Expression, hash: Expression): void {
    const { keys, hashes, next } = this.#areas;
    const stride = strideOf(this.#keySize);
    const own = routine.let(link.mul(stride).add(keys - stride));
    routine.copy(own, key, this.#keySize);
    const head = routine.let(this.#head(hash));
    routine.store(link.shl(2), hash, hashes - 4);
    routine.store(link.shl(2), head.load(), next - 4);
    routine.store(head, link);
  }

  /** Takes a slot that is in a bucket out of it. Its own link stays, for a walk that stands on it. */
  unlink(routine: Routine, link: Expression): void {
    const word = routine.let(this.#head(this.#hashAt(link)));
    routine.while(word.load().ne(link), () =>
      routine.set(
        word,
        word
          .load()
          .shl(2)
          .add(i32(this.#areas.next - 4)),
      ),
    );
    routine.store(word, this.#nextAt(link));
  }
}
