import type { Memory } from '../../abi/memory.ts';
import { copyBytes, equalBytes, zeroBytes } from './bytes.ts';
import { bucketBits, type HashTableAreas, LINE, linesOf, RECORD, tagOf } from './hash-areas.ts';
import { type HashOf, TableCode } from './routines/table.ts';

/** Where a slot is linked: at an index of its line, or by a word in its chain. */
interface Place {
  readonly line: number;
  readonly index: number;
  readonly word: number;
}

/**
 * Slots by key. A new slot is the first of its bucket, and walks go bucket by bucket: the order in which Linux lists a
 * hash map. How buckets lie: LINE.
 */
export class HashTable {
  readonly #memory: Memory;
  readonly #areas: HashTableAreas;
  readonly #keySize: number;
  /** Index of the first record's first word, and words of a record. */
  readonly #records: number;
  readonly #stride: number;
  readonly #bucketBits: number;

  constructor(memory: Memory, areas: HashTableAreas, keySize: number) {
    this.#memory = memory;
    this.#areas = areas;
    this.#keySize = keySize;
    this.#records = areas.records >>> 2;
    this.#stride = areas.recordStride >>> 2;
    this.#bucketBits = bucketBits(areas.buckets);
  }

  /** The same in generated code; `hash` where a key's hash is not its jhash. */
  code(hash?: HashOf): TableCode {
    return new TableCode(this.#areas, this.#keySize, hash);
  }

  /** The slot that has the key, or −1. */
  find(key: number, hash: number): number {
    const { u8, u32 } = this.#memory;
    const line = this.#lineOf(hash);
    const tag = tagOf(hash);
    for (let index = 0; index < LINE.slots && u8[line + index] !== 0; index++) {
      if (u8[line + index] !== tag) continue;
      const slot = u32[linkWord(line, index)]! - 1;
      if (equalBytes(this.#memory, this.keyAt(slot), key, this.#keySize)) return slot;
    }
    for (let link = u32[chainWord(line)]!; link !== 0; link = u32[this.#nextWord(link - 1)]!) {
      const slot = link - 1;
      if (this.hashAt(slot) === hash && equalBytes(this.#memory, this.keyAt(slot), key, this.#keySize)) return slot;
    }
    return -1;
  }

  keyAt(slot: number): number {
    return this.#areas.records + slot * this.#areas.recordStride + RECORD.key;
  }

  hashAt(slot: number): number {
    return this.#memory.u32[this.#records + slot * this.#stride + RECORD.hash / 4]!;
  }

  #nextWord(slot: number): number {
    return this.#records + slot * this.#stride;
  }

  /** Address of the line of a hash's bucket. */
  #lineOf(hash: number): number {
    const { lines, buckets } = this.#areas;
    return lines + Math.floor((hash & (buckets - 1)) / LINE.buckets) * LINE.bytes;
  }

  /** Gives a slot its key and makes it the first of its bucket. */
  link(slot: number, key: number, hash: number): void {
    this.#write(slot, key, hash);
    this.#append(slot, hash);
  }

  #write(slot: number, key: number, hash: number): void {
    copyBytes(this.#memory, key, this.keyAt(slot), this.#keySize);
    this.#memory.u32[this.#records + slot * this.#stride + RECORD.hash / 4] = hash;
    // Whoever follows links without a lock comes to an end.
    this.#memory.u32[this.#nextWord(slot)] = 0;
  }

  #append(slot: number, hash: number): void {
    const { u8, u32 } = this.#memory;
    const line = this.#lineOf(hash);
    let index = this.#used(line);
    if (index === LINE.slots) {
      // The oldest makes room: it is newer than those that did before.
      const oldest = u32[linkWord(line, 0)]!;
      u32[this.#nextWord(oldest - 1)] = u32[chainWord(line)]!;
      u32[chainWord(line)] = oldest;
      this.#remove(line, 0);
      index--;
    }
    u8[line + index] = tagOf(hash);
    u32[linkWord(line, index)] = slot + 1;
  }

  #used(line: number): number {
    let index = 0;
    while (index < LINE.slots && this.#memory.u8[line + index] !== 0) index++;
    return index;
  }

  #remove(line: number, index: number): void {
    const { u8, u32 } = this.#memory;
    const last = LINE.slots - 1;
    u8.copyWithin(line + index, line + index + 1, line + LINE.slots);
    u8[line + last] = 0;
    u32.copyWithin(linkWord(line, index), linkWord(line, index + 1), linkWord(line, LINE.slots));
    u32[linkWord(line, last)] = 0;
  }

  /** Takes a slot out of its bucket; false when it is in none. A walk that stands on it knows from it where to go on. */
  unlink(slot: number): boolean {
    const place = this.#placeOf(slot);
    if (place === undefined) return false;
    this.#unlinkAt(place, slot);
    return true;
  }

  #unlinkAt(place: Place, slot: number): void {
    const { u32 } = this.#memory;
    const next = this.#nextOf(place, slot);
    if (place.index < LINE.slots) this.#remove(place.line, place.index);
    else u32[place.word] = u32[this.#nextWord(slot)]!;
    u32[this.#nextWord(slot)] = next;
  }

  /** Links a slot under a key that another has, which leaves. */
  replace(old: number, slot: number, key: number, hash: number): void {
    const { u8, u32 } = this.#memory;
    const place = this.#placeOf(old)!;
    this.#write(slot, key, hash);
    if (place.index === LINE.slots) {
      this.#unlinkAt(place, old);
      this.#append(slot, hash);
      return;
    }
    const { line } = place;
    u32[this.#nextWord(old)] = this.#nextOf(place, old);
    // Those of the bucket that are newer move down, each to the place of the one before; the new one gets the last.
    let at = place.index;
    for (let index = at + 1; index < LINE.slots; index++) {
      if (!this.#isOfBucket(u8[line + index]!, hash)) continue;
      u8[line + at] = u8[line + index]!;
      u32[linkWord(line, at)] = u32[linkWord(line, index)]!;
      at = index;
    }
    u8[line + at] = tagOf(hash);
    u32[linkWord(line, at)] = slot + 1;
  }

  #isOfBucket(tag: number, hash: number): boolean {
    return tag !== 0 && ((tag ^ tagOf(hash)) & this.#bucketBits) === 0;
  }

  #placeOf(slot: number): Place | undefined {
    const { u32 } = this.#memory;
    const line = this.#lineOf(this.hashAt(slot));
    for (let index = 0; index < LINE.slots; index++) {
      if (u32[linkWord(line, index)] === slot + 1) return { line, index, word: linkWord(line, index) };
    }
    for (let word = chainWord(line); u32[word] !== 0; word = this.#nextWord(u32[word]! - 1)) {
      if (u32[word] === slot + 1) return { line, index: LINE.slots, word };
    }
    return undefined;
  }

  /** The next slot of the same bucket + 1, or 0. */
  #nextOf({ line, index }: Place, slot: number): number {
    const hash = this.hashAt(slot);
    if (index === LINE.slots) return this.#inChain(this.#memory.u32[this.#nextWord(slot)]!, hash);
    return this.#newest(line, index, hash);
  }

  /** The newest slot of a hash's bucket, + 1, of those before an index of its line and of its chain; or 0. */
  #newest(line: number, before: number, hash: number): number {
    const { u8, u32 } = this.#memory;
    for (let index = before - 1; index >= 0; index--) {
      if (this.#isOfBucket(u8[line + index]!, hash)) return u32[linkWord(line, index)]!;
    }
    return this.#inChain(u32[chainWord(line)]!, hash);
  }

  /** The first slot of a hash's bucket, + 1, from a link of a chain on; or 0. */
  #inChain(first: number, hash: number): number {
    let link = first;
    while (link !== 0 && ((this.hashAt(link - 1) ^ hash) & (this.#areas.buckets - 1)) !== 0) {
      link = this.#memory.u32[this.#nextWord(link - 1)]!;
    }
    return link;
  }

  /** Visits every slot in order until `visit` gives false; it may delete the slot that it visits. */
  walk(visit: (slot: number) => boolean): void {
    const { u8, u32 } = this.#memory;
    for (let bucket = 0; bucket < this.#areas.buckets; bucket++) {
      const line = this.#lineOf(bucket);
      if (u8[line] === 0 && u32[chainWord(line)] === 0) continue;
      let link = this.#newest(line, LINE.slots, bucket);
      while (link !== 0) {
        // Found before the visit, as Linux does; what has left its bucket meanwhile is visited, and leads on.
        const place = this.#placeOf(link - 1);
        const next = place === undefined ? u32[this.#nextWord(link - 1)]! : this.#nextOf(place, link - 1);
        if (!visit(link - 1)) return;
        link = next;
      }
    }
  }

  /** All slots, in order, as they are now. */
  slots(): number[] {
    const slots: number[] = [];
    this.walk((slot) => {
      slots.push(slot);
      return true;
    });
    return slots;
  }

  userKey(slot: number): Uint8Array {
    return this.#memory.u8.slice(this.keyAt(slot), this.keyAt(slot) + this.#keySize);
  }

  clear(): void {
    zeroBytes(this.#memory, this.#areas.lines, linesOf(this.#areas.buckets) * LINE.bytes);
  }
}

/** Indices of words of a line. */
const linkWord = (line: number, index: number): number => (line + LINE.links) / 4 + index;
const chainWord = (line: number): number => (line + LINE.older) / 4;
