import { type Expression, equalBytes, i32, type Routine, type Variable } from '../../../wasm/expression.ts';
import { letVector, storeVector, Vector } from '../../../wasm/vector.ts';
import { bucketBits, type HashTableAreas, LINE, RECORD } from '../hash-areas.ts';
import { writeJhash } from './jhash.ts';

export type HashOf = (routine: Routine, key: Expression) => Expression;

/** A bit for each slot of a line. */
const SLOTS = 2 ** LINE.slots - 1;
/** Of the first 16 bytes of a line: indices of slots, and what no index is above. */
const INDICES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -1, -1, -1, -1] as const;
/** Where each of them comes from when slots behind it move down: the next is added; from nowhere comes 0. */
const SOURCES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0x7f, 12, 13, 14, 15] as const;

const NOTHING = Vector.splat(i32(0));

/** Of a slot: the line, its bit there or 0 when it is in the chain, and what the line says of its hash. */
interface Place {
  readonly line: Expression;
  readonly mark: Expression;
  readonly tags: Vector;
  readonly tag: Expression;
  readonly hash: Expression;
}

/** HashTable (../hash-table.ts) as code. Slots go by their links: slot + 1, or 0 for none. */
export class TableCode {
  readonly #areas: HashTableAreas;
  readonly #keySize: number;
  readonly #hash: HashOf;

  constructor(areas: HashTableAreas, keySize: number, hash?: HashOf) {
    this.#areas = areas;
    this.#keySize = keySize;
    this.#hash = hash ?? ((routine, key) => writeJhash(routine, key, keySize));
  }

  hash(routine: Routine, key: Expression): Variable {
    return routine.let(this.#hash(routine, key));
  }

  /** Address of the line of a hash's bucket. */
  #line(hash: Expression): Expression {
    const { buckets, lines } = this.#areas;
    return hash
      .and((buckets - 1) & -LINE.buckets)
      .mul(LINE.bytes / LINE.buckets)
      .add(lines);
  }

  #tag(routine: Routine, hash: Expression): Variable {
    const bits = routine.let(hash.rotl(29).shr(24));
    return routine.let(bits.or(bits.isZero()));
  }

  /** Address of a record, up to a number that belongs to `#before`. */
  #record(link: Expression): Expression {
    return link.mul(this.#areas.recordStride);
  }

  /** Slots are counted from 0, links from 1. */
  #before(offset: number): number {
    return this.#areas.records - this.#areas.recordStride + offset;
  }

  #equal(key: Expression, record: Expression): Expression {
    return equalBytes(key, record, this.#keySize, this.#before(RECORD.key));
  }

  /** The link of the slot that has the key, or 0. */
  find(routine: Routine, key: Expression, hash: Expression): Variable {
    const line = routine.let(this.#line(hash));
    const tag = this.#tag(routine, hash);
    const marks = routine.let(Vector.load(line).eq(Vector.splat(tag)).bits().and(SLOTS));
    const link = routine.let(i32(0));
    routine.block((found) => {
      routine.while(marks, () => {
        routine.set(link, linkAt(line, marks.trailingZeroes()).load(LINE.links));
        routine.if(this.#equal(key, routine.let(this.#record(link))), found);
        routine.set(marks, marks.and(marks.sub(1)));
      });
      routine.set(link, line.load(LINE.older));
      routine.while(link, (leave) => {
        const record = routine.let(this.#record(link));
        routine.if(record.load(this.#before(RECORD.hash)).eq(hash), () => routine.if(this.#equal(key, record), leave));
        routine.set(link, record.load(this.#before(RECORD.next)));
      });
    });
    return link;
  }

  /** Gives a slot its key and makes it the first of its bucket. */
  link(routine: Routine, link: Expression, key: Expression, hash: Expression): void {
    this.#write(routine, link, key, hash);
    this.#append(routine, link, hash);
  }

  #write(routine: Routine, link: Expression, key: Expression, hash: Expression): void {
    const record = routine.let(this.#record(link));
    routine.copy(record, key, this.#keySize, { to: this.#before(RECORD.key), from: 0 });
    routine.store(record, hash, this.#before(RECORD.hash));
    routine.store(record, i32(0), this.#before(RECORD.next));
  }

  #append(routine: Routine, link: Expression, hash: Expression): void {
    const line = routine.let(this.#line(hash));
    const used = routine.let(Vector.load(line).eq(NOTHING).bits().or(~SLOTS).trailingZeroes());
    routine.if(used.eq(LINE.slots), () => {
      const oldest = routine.let(line.load(LINE.links));
      routine.store(this.#record(oldest), line.load(LINE.older), this.#before(RECORD.next));
      routine.store(line, oldest, LINE.older);
      this.#remove(routine, line, i32(0));
      routine.set(used, used.sub(1));
    });
    // The whole vector is stored: one that is loaded soon does not have to wait for a byte of it.
    const tag = Vector.of(INDICES)
      .eq(Vector.splat(used))
      .and(Vector.splat(this.#tag(routine, hash)));
    storeVector(routine, line, Vector.load(line).or(tag));
    routine.store(linkAt(line, used), link, LINE.links);
  }

  /** What is behind the index moves down. */
  #remove(routine: Routine, line: Expression, index: Expression): void {
    const from = letVector(routine, Vector.splat(index));
    storeVector(routine, line, Vector.load(line).pick(Vector.of(SOURCES).sub(Vector.of(INDICES).ge(from))));
    for (let first = 0; first < LINE.slots; first += 4) {
      const at = LINE.links + 4 * first;
      const moves = Vector.of(INDICES.map((_, byte) => first + (byte >> 2))).ge(from);
      storeVector(routine, line, moves.choose(Vector.load(line, at + 4), Vector.load(line, at)), at);
    }
    routine.store(line, i32(0), LINE.links + 4 * (LINE.slots - 1));
  }

  /** Takes a slot that is in the bucket of its hash out of it. A walk that stands on it knows from it where to go on. */
  unlink(routine: Routine, link: Expression, hash: Expression): void {
    const place = this.#place(routine, link, hash);
    routine.if(
      place.mark,
      () => {
        routine.store(this.#record(link), this.#olderInLine(routine, place), this.#before(RECORD.next));
        this.#remove(routine, place.line, place.mark.trailingZeroes());
      },
      () => this.#unchain(routine, link, place),
    );
  }

  #unchain(routine: Routine, link: Expression, { line, hash }: Place): void {
    const record = routine.let(this.#record(link));
    const next = this.#before(RECORD.next);
    const before = routine.let(line.add(LINE.older));
    routine.while(before.load().ne(link), () => routine.set(before, this.#record(before.load()).add(next)));
    routine.store(before, record.load(next));
    routine.store(record, this.#inChain(routine, record.load(next), hash), next);
  }

  /** Links a slot under a key that another has, which leaves. */
  replace(routine: Routine, old: Expression, link: Expression, key: Expression, hash: Expression): void {
    const place = this.#place(routine, old, hash);
    const { line, mark, tags } = place;
    this.#write(routine, link, key, hash);
    routine.if(
      mark,
      () => {
        routine.store(this.#record(old), this.#olderInLine(routine, place), this.#before(RECORD.next));
        // Those of the bucket that are newer move down, each to the place of the one before; the new one gets the last.
        const at = routine.let(line.add(mark.trailingZeroes()));
        const behind = i32(0).sub(mark.add(mark)).and(tags.eq(NOTHING).bits().xor(SLOTS));
        const newer = routine.let(this.#ofBucket(place).and(behind).and(SLOTS));
        const put = (tag: Expression, word: Expression) => {
          routine.store(at, tag, 0, 'i32.store8');
          routine.store(linkAt(line, at.sub(line)), word, LINE.links);
        };
        routine.if(newer, () => {
          routine.while(newer, () => {
            const index = routine.let(newer.trailingZeroes());
            put(line.add(index).load(0, 'i32.load8_u'), linkAt(line, index).load(LINE.links));
            routine.set(at, line.add(index));
            routine.set(newer, newer.and(newer.sub(1)));
          });
          routine.store(at, place.tag, 0, 'i32.store8');
        });
        routine.store(linkAt(line, at.sub(line)), link, LINE.links);
      },
      () => {
        this.#unchain(routine, old, place);
        this.#append(routine, link, hash);
      },
    );
  }

  #place(routine: Routine, link: Expression, hash: Expression): Place {
    const line = routine.let(this.#line(hash));
    const tags = letVector(routine, Vector.load(line));
    const tag = this.#tag(routine, hash);
    const marks = routine.let(tags.eq(Vector.splat(tag)).bits().and(SLOTS));
    routine.while(marks, (leave) => {
      routine.if(linkAt(line, marks.trailingZeroes()).load(LINE.links).eq(link), leave);
      routine.set(marks, marks.and(marks.sub(1)));
    });
    const mark = routine.let(marks.and(i32(0).sub(marks)));
    return { line, mark, tags, tag, hash };
  }

  /** Bits of the slots of a line that are of the same bucket, those beyond the last perhaps among them. */
  #ofBucket({ tags, tag }: Place): Expression {
    const bits = i32(bucketBits(this.#areas.buckets));
    return tags
      .and(Vector.splat(bits))
      .eq(Vector.splat(tag.and(bits)))
      .bits();
  }

  /** The link of the next slot of the bucket of one that is in its line, or 0. */
  #olderInLine(routine: Routine, place: Place): Variable {
    const older = routine.let(this.#ofBucket(place).and(place.mark.sub(1)));
    return routine.either(
      older,
      () => linkAt(place.line, i32(31).sub(older.leadingZeroes())).load(LINE.links),
      () => this.#inChain(routine, place.line.load(LINE.older), place.hash),
    );
  }

  /** The first link of a hash's bucket from a link of a chain on, or 0. */
  #inChain(routine: Routine, first: Expression, hash: Expression): Variable {
    const link = routine.let(first);
    routine.while(link, (leave) => {
      const record = routine.let(this.#record(link));
      const difference = record
        .load(this.#before(RECORD.hash))
        .xor(hash)
        .and(this.#areas.buckets - 1);
      routine.if(difference.isZero(), leave);
      routine.set(link, record.load(this.#before(RECORD.next)));
    });
    return link;
  }
}

/** Where a line keeps the link of an index, up to LINE.links. */
const linkAt = (line: Expression, index: Expression): Expression => line.add(index.shl(2));
