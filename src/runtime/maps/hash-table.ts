import type { Memory } from '../../abi/memory.ts';
import { copyBytes, equalBytes, zeroBytes } from './bytes.ts';
import { type HashTableAreas, RECORD } from './hash-areas.ts';
import { type HashOf, TableCode } from './routines/table.ts';

/**
 * Slots by key, in chained buckets. A new slot is the first of its bucket, and walks go bucket by bucket: the order in
 * which Linux lists a hash map.
 */
export class HashTable {
  readonly #memory: Memory;
  readonly #areas: HashTableAreas;
  readonly #keySize: number;
  readonly #buckets: number;
  /** Indices and numbers of words. */
  readonly #heads: number;
  readonly #records: number;
  readonly #stride: number;

  constructor(memory: Memory, areas: HashTableAreas, keySize: number, buckets: number) {
    this.#memory = memory;
    this.#areas = areas;
    this.#keySize = keySize;
    this.#buckets = buckets;
    this.#heads = areas.heads >>> 2;
    this.#records = areas.records >>> 2;
    this.#stride = areas.recordStride >>> 2;
  }

  /** The same in generated code; `hash` where a key's hash is not its jhash. */
  code(hash?: HashOf): TableCode {
    return new TableCode({ ...this.#areas, buckets: this.#buckets }, this.#keySize, hash);
  }

  /** The slot that has the key, or −1. */
  find(key: number, hash: number): number {
    const { u32 } = this.#memory;
    let link = u32[this.#heads + (hash & (this.#buckets - 1))]!;
    while (link !== 0) {
      const slot = link - 1;
      if (u32[this.#hashWord(slot)] === hash && equalBytes(this.#memory, this.keyAt(slot), key, this.#keySize)) {
        return slot;
      }
      link = u32[this.#nextWord(slot)]!;
    }
    return -1;
  }

  #nextWord(slot: number): number {
    return this.#records + slot * this.#stride;
  }

  #hashWord(slot: number): number {
    return this.#records + slot * this.#stride + RECORD.hash / 4;
  }

  keyAt(slot: number): number {
    return this.#areas.records + slot * this.#areas.recordStride + RECORD.key;
  }

  hashAt(slot: number): number {
    return this.#memory.u32[this.#hashWord(slot)]!;
  }

  /** Gives a slot its key and makes it the first of its bucket. */
  link(slot: number, key: number, hash: number): void {
    const { u32 } = this.#memory;
    copyBytes(this.#memory, key, this.keyAt(slot), this.#keySize);
    const head = this.#heads + (hash & (this.#buckets - 1));
    u32[this.#hashWord(slot)] = hash;
    u32[this.#nextWord(slot)] = u32[head]!;
    u32[head] = slot + 1;
  }

  /** Takes a slot out of its bucket; false when it is in none. Its own link stays, for a walk that stands on it. */
  unlink(slot: number): boolean {
    const { u32 } = this.#memory;
    let word = this.#heads + (u32[this.#hashWord(slot)]! & (this.#buckets - 1));
    while (u32[word] !== slot + 1) {
      if (u32[word] === 0) return false;
      word = this.#nextWord(u32[word]! - 1);
    }
    u32[word] = u32[this.#nextWord(slot)]!;
    return true;
  }

  /** Visits every slot in order until `visit` gives false; it may delete the slot that it visits. */
  walk(visit: (slot: number) => boolean): void {
    const { u32 } = this.#memory;
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      let link = u32[this.#heads + bucket]!;
      while (link !== 0) {
        // Read before the visit, as Linux does.
        const next = u32[this.#nextWord(link - 1)]!;
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
    zeroBytes(this.#memory, this.#areas.heads, this.#buckets * 4);
  }
}
