import type { Memory } from '../../abi/memory.ts';
import type { Layout } from './layout.ts';

/** What a slot is doing. */
const ACTIVE = 1;
const INACTIVE = 2;
const PENDING = 3;
const LOCAL_FREE = 4;
const FREE = 5;

/** Words of a list head: most recent, least recent, length. */
const NEWEST = 0;
const OLDEST = 1;
const COUNT = 2;
const HEAD_WORDS = 3;
/** Words of a slot: newer and older neighbour (slot + 1), kind, list (from the first list's head), referenced. */
const NEWER = 0;
const OLDER = 1;
const KIND = 2;
const LIST = 3;
const REFERENCED = 4;
const SLOT_WORDS = 5;

/** Lists shared by all CPUs, and lists of one CPU. */
const SHARED = { active: 0, inactive: 1, free: 2, count: 3 };

export interface LruShape {
  readonly slots: number;
  readonly cpus: number;
  /** BPF_F_NO_COMMON_LRU: each CPU evicts only from the slots it was dealt. */
  readonly perCpuLists: boolean;
}

export interface LruAreas {
  readonly perCpuLists: boolean;
  readonly lists: number;
  readonly slots: number;
  readonly turns: number;
  /** The pending list of CPU 0, which its free list follows; and the shared free list. */
  readonly pending: number;
  readonly free: number;
  readonly kinds: { readonly pending: number; readonly localFree: number; readonly free: number };
}

/** Every CPU could have all the lists: with BPF_F_NO_COMMON_LRU it has, else it has pending and free. */
function listCount(shape: LruShape): number {
  return shape.perCpuLists ? SHARED.count * shape.cpus : SHARED.count + 2 * shape.cpus;
}

export function planLru(layout: Layout, shape: LruShape): number {
  // Then a word per set of shared lists, where the turn through the inactive list goes on, and a word per CPU, whom it
  // robs next.
  return layout.words(listCount(shape) * HEAD_WORDS + shape.slots * SLOT_WORDS + 2 * shape.cpus);
}

/**
 * Which entry goes when a new one needs room: Linux's approximation of least recently used, as its documentation draws
 * it (Documentation/bpf/map_lru_hash_update.dot) and as experiments on one CPU show it.
 *
 * An entry is *referenced* by a program's lookup or an update of its key, not by the user's lookup. New entries wait in
 * a *pending* list of the CPU that made them. When a CPU has no free slot of its own it fetches a batch, half its share
 * of the map and 128 at most: pending entries join the active list (referenced ones) or the inactive list, then free
 * slots are moved, then inactive entries that are not referenced are evicted, oldest first, for the rest of the batch.
 * So up to a batch of entries can be gone although there seems to be room. With BPF_F_NO_COMMON_LRU every CPU has lists
 * and slots of its own, no pending list, and a batch is 4.
 */
export class LruList {
  /** For generated code: addresses, and what a slot can be doing. */
  readonly areas: LruAreas;
  readonly #u32: Uint32Array;
  readonly #shape: LruShape;
  readonly #lists: number;
  readonly #slots: number;
  readonly #turns: number;
  readonly #batch: number;
  readonly #scans: number;
  /** Takes a slot's entry out of the map; false when it has none. */
  readonly #evict: (slot: number) => boolean;

  constructor(memory: Memory, start: number, shape: LruShape, evict: (slot: number) => boolean) {
    this.#u32 = memory.u32;
    this.#shape = shape;
    this.#lists = start >>> 2;
    this.#slots = this.#lists + listCount(shape) * HEAD_WORDS;
    this.#turns = this.#slots + shape.slots * SLOT_WORDS;
    this.#evict = evict;
    this.areas = {
      perCpuLists: shape.perCpuLists,
      lists: start,
      slots: this.#slots * 4,
      turns: this.#turns * 4,
      pending: this.#pending(0) * 4,
      free: this.#shared(0, SHARED.free) * 4,
      kinds: { pending: PENDING, localFree: LOCAL_FREE, free: FREE },
    };
    this.#batch = shape.perCpuLists ? 4 : Math.min(Math.max(Math.floor(shape.slots / shape.cpus / 2), 1), 128);
    this.#scans = shape.perCpuLists ? 4 : 128;
  }

  /** Deals out the slots; a list is of no use before. */
  clear(): void {
    this.#u32.fill(0, this.#lists, this.#turns + 2 * this.#shape.cpus);
    for (let cpu = 0; cpu < this.#shape.cpus; cpu++) this.#u32[this.#turns + this.#shape.cpus + cpu] = cpu;
    const share = Math.floor(this.#shape.slots / this.#shape.cpus);
    for (let slot = 0; slot < this.#shape.slots; slot++) {
      const set = this.#shape.perCpuLists ? Math.floor(slot / share) : 0;
      if (set < this.#shape.cpus) this.#push(slot, this.#shared(set, SHARED.free), FREE);
    }
  }

  /** Marks an entry as used. */
  reference(slot: number): void {
    this.#u32[this.#slots + slot * SLOT_WORDS + REFERENCED] = 1;
  }

  /** A slot for a new entry, evicting others if need be; −1 when none can be had. */
  take(cpu: number): number {
    if (this.#shape.perCpuLists) return this.#takeOwn(cpu);
    let slot = this.#pop(this.#localFree(cpu));
    if (slot < 0) slot = this.fetch(cpu);
    if (slot < 0) return -1;
    this.#push(slot, this.#pending(cpu), PENDING);
    return slot;
  }

  /** A slot, in no list, for a CPU that has no free one of its own; −1 when none can be had. */
  fetch(cpu: number): number {
    this.#refill(cpu);
    const slot = this.#pop(this.#localFree(cpu));
    return slot < 0 ? this.#steal(cpu) : slot;
  }

  /** Takes back a slot whose entry is gone. */
  give(slot: number): void {
    const pending = this.#get(slot, KIND) === PENDING;
    const list = this.#lists + this.#get(slot, LIST);
    this.#remove(slot);
    // The free list of the CPU on whose pending list it was.
    if (pending) this.#push(slot, list + HEAD_WORDS, LOCAL_FREE);
    else this.#push(slot, this.#shared(this.#setOf(slot), SHARED.free), FREE);
  }

  #takeOwn(cpu: number): number {
    this.#rotate(cpu);
    const free = this.#shared(cpu, SHARED.free);
    if (this.#u32[free + COUNT] === 0) this.#shrink(cpu, this.#batch, free, FREE);
    const slot = this.#pop(free);
    if (slot >= 0) this.#push(slot, this.#shared(cpu, SHARED.inactive), INACTIVE);
    return slot;
  }

  #refill(cpu: number): void {
    const pending = this.#pending(cpu);
    const local = this.#localFree(cpu);
    for (let slot = this.#oldest(pending); slot >= 0; slot = this.#oldest(pending)) {
      this.#moveTo(slot, 0, this.#get(slot, REFERENCED) === 1 ? ACTIVE : INACTIVE);
    }
    this.#rotate(0);
    let moved = 0;
    while (moved < this.#batch) {
      const slot = this.#pop(this.#shared(0, SHARED.free));
      if (slot < 0) break;
      this.#push(slot, local, LOCAL_FREE);
      moved++;
    }
    if (moved < this.#batch) this.#shrink(0, this.#batch - moved, local, LOCAL_FREE);
  }

  /** From the CPUs' own lists, when the shared ones gave nothing: each CPU goes on where it found something last. */
  #steal(cpu: number): number {
    const { cpus } = this.#shape;
    const word = this.#turns + cpus + cpu;
    let slot = -1;
    for (let tried = 0; tried < cpus && slot < 0; tried++) {
      const victim = this.#u32[word]!;
      this.#u32[word] = (victim + 1) % cpus;
      slot = this.#pop(this.#localFree(victim));
      if (slot < 0) slot = this.#evictPending(victim);
    }
    return slot;
  }

  /** The oldest entry of a CPU's pending list that is not referenced, else the oldest; its slot, unlinked. */
  #evictPending(cpu: number): number {
    for (const forced of [false, true]) {
      for (let slot = this.#oldest(this.#pending(cpu)); slot >= 0; slot = this.#newer(slot)) {
        if ((forced || this.#get(slot, REFERENCED) === 0) && this.#evict(slot)) {
          this.#remove(slot);
          return slot;
        }
      }
    }
    return -1;
  }

  /** Gives referenced entries their due before any is evicted. */
  #rotate(set: number): void {
    const active = this.#shared(set, SHARED.active);
    const inactive = this.#shared(set, SHARED.inactive);
    if (this.#u32[inactive + COUNT]! < this.#u32[active + COUNT]!) {
      const rounds = Math.min(this.#u32[active + COUNT]!, this.#scans);
      for (let i = 0; i < rounds; i++) {
        const slot = this.#oldest(active);
        this.#moveTo(slot, set, this.#get(slot, REFERENCED) === 1 ? ACTIVE : INACTIVE);
      }
    }
    // The turn goes on where it stopped last, and once around at most.
    const rounds = Math.min(this.#u32[inactive + COUNT]!, this.#scans);
    for (let i = 0; i < rounds; i++) {
      const link = this.#u32[this.#turns + set]!;
      const slot = link === 0 ? this.#oldest(inactive) : link - 1;
      this.#u32[this.#turns + set] = this.#newer(slot) + 1;
      if (this.#get(slot, REFERENCED) === 1) this.#moveTo(slot, set, ACTIVE);
    }
  }

  /** Evicts up to `wanted` inactive entries, and at least one of any when none of them would go. */
  #shrink(set: number, wanted: number, into: number, kind: number): void {
    const active = this.#shared(set, SHARED.active);
    const inactive = this.#shared(set, SHARED.inactive);
    let evicted = 0;
    let slot = this.#oldest(inactive);
    for (let i = 0; i < this.#scans && evicted < wanted && slot >= 0; i++) {
      const newer = this.#newer(slot);
      if (this.#get(slot, REFERENCED) === 1) {
        this.#moveTo(slot, set, ACTIVE);
      } else if (this.#evict(slot)) {
        this.#remove(slot);
        this.#push(slot, into, kind);
        evicted++;
      }
      slot = newer;
    }
    if (evicted > 0) return;
    slot = this.#oldest(this.#u32[inactive + COUNT] === 0 ? active : inactive);
    for (; slot >= 0; slot = this.#newer(slot)) {
      if (!this.#evict(slot)) continue;
      this.#remove(slot);
      this.#push(slot, into, kind);
      return;
    }
  }

  #moveTo(slot: number, set: number, kind: typeof ACTIVE | typeof INACTIVE): void {
    this.#remove(slot);
    this.#push(slot, this.#shared(set, kind === ACTIVE ? SHARED.active : SHARED.inactive), kind);
  }

  #setOf(slot: number): number {
    return this.#shape.perCpuLists ? Math.floor(slot / Math.floor(this.#shape.slots / this.#shape.cpus)) : 0;
  }

  #shared(set: number, list: number): number {
    return this.#lists + (set * SHARED.count + list) * HEAD_WORDS;
  }

  #pending(cpu: number): number {
    return this.#lists + (SHARED.count + cpu * 2) * HEAD_WORDS;
  }

  #localFree(cpu: number): number {
    return this.#pending(cpu) + HEAD_WORDS;
  }

  #get(slot: number, word: number): number {
    return this.#u32[this.#slots + slot * SLOT_WORDS + word]!;
  }

  #set(slot: number, word: number, value: number): void {
    this.#u32[this.#slots + slot * SLOT_WORDS + word] = value;
  }

  #oldest(list: number): number {
    return this.#u32[list + OLDEST]! - 1;
  }

  #newer(slot: number): number {
    return this.#get(slot, NEWER) - 1;
  }

  /** The slot on top of a list of free ones. */
  #pop(list: number): number {
    const slot = this.#u32[list + NEWEST]! - 1;
    if (slot >= 0) this.#remove(slot);
    return slot;
  }

  /** Puts an unlinked slot on top of a list, no longer referenced. */
  #push(slot: number, list: number, kind: number): void {
    const second = this.#u32[list + NEWEST]!;
    this.#set(slot, OLDER, second);
    this.#set(slot, NEWER, 0);
    this.#set(slot, KIND, kind);
    this.#set(slot, LIST, list - this.#lists);
    this.#set(slot, REFERENCED, 0);
    if (second === 0) this.#u32[list + OLDEST] = slot + 1;
    else this.#set(second - 1, NEWER, slot + 1);
    this.#u32[list + NEWEST] = slot + 1;
    this.#u32[list + COUNT] = this.#u32[list + COUNT]! + 1;
  }

  #remove(slot: number): void {
    const list = this.#lists + this.#get(slot, LIST);
    const newer = this.#get(slot, NEWER);
    const older = this.#get(slot, OLDER);
    const turn = this.#turns + this.#setOf(slot);
    // The turn through the inactive list waits at no slot that left it.
    if (this.#u32[turn] === slot + 1) this.#u32[turn] = newer;
    if (newer === 0) this.#u32[list + NEWEST] = older;
    else this.#set(newer - 1, OLDER, older);
    if (older === 0) this.#u32[list + OLDEST] = newer;
    else this.#set(older - 1, NEWER, newer);
    this.#u32[list + COUNT] = this.#u32[list + COUNT]! - 1;
  }
}
