import { type Expression, equalBytes, type Routine, type Variable } from '../../../wasm/expression.ts';
import { type HashTableAreas, RECORD } from '../hash-areas.ts';
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

  /** Address of a record, up to a number that belongs to `#before`. */
  #record(link: Expression): Expression {
    return link.mul(this.#areas.recordStride);
  }

  /** Slots are counted from 0, links from 1. */
  #before(offset: number): number {
    return this.#areas.records - this.#areas.recordStride + offset;
  }

  /** The link of the slot that has the key, or 0. */
  find(routine: Routine, key: Expression, hash: Expression): Variable {
    const { buckets, heads } = this.#areas;
    const bucket = hash.and(buckets - 1);
    const link = routine.let(bucket.shl(2).load(heads));
    routine.while(link, (leave) => {
      const record = routine.let(this.#record(link));
      routine.if(record.load(this.#before(RECORD.hash)).eq(hash), () => {
        routine.if(equalBytes(key, record, this.#keySize, this.#before(RECORD.key)), leave);
      });
      routine.set(link, record.load(this.#before(RECORD.next)));
    });
    return link;
  }

  /** Gives a slot its key and makes it the first of its bucket. */
  link(routine: Routine, link: Expression, key: Expression, hash: Expression): void {
    const record = routine.let(this.#record(link));
    routine.copy(record, key, this.#keySize, { to: this.#before(RECORD.key), from: 0 });
    const head = routine.let(this.#head(hash));
    routine.store(record, hash, this.#before(RECORD.hash));
    routine.store(record, head.load(), this.#before(RECORD.next));
    routine.store(head, link);
  }

  /** Takes a slot that is in a bucket out of it. Its own link stays, for a walk that stands on it. */
  unlink(routine: Routine, link: Expression): void {
    const record = routine.let(this.#record(link));
    const word = routine.let(this.#head(record.load(this.#before(RECORD.hash))));
    routine.while(word.load().ne(link), () => {
      routine.set(word, this.#record(word.load()).add(this.#before(RECORD.next)));
    });
    routine.store(word, record.load(this.#before(RECORD.next)));
  }
}
