import type { Memory } from '../../abi/memory.ts';
import type { Layout } from './layout.ts';

/** Where the free slots of a map are kept: words [slots ever used, height of the stack, the stack …]. */
export function planFreeSlots(layout: Layout, slots: number): number {
  return layout.words(2 + slots);
}

/** Free slots: the one freed last is used first, as in Linux, then those never used. */
export class FreeSlots {
  readonly #memory: Memory;
  readonly #word: number;
  readonly #slots: number;

  constructor(memory: Memory, start: number, slots: number) {
    this.#memory = memory;
    this.#word = start >>> 2;
    this.#slots = slots;
  }

  /** A slot, or −1 when all are in use. */
  take(): number {
    const { u32 } = this.#memory;
    const height = u32[this.#word + 1]!;
    if (height > 0) {
      u32[this.#word + 1] = height - 1;
      return u32[this.#word + 1 + height]!;
    }
    const used = u32[this.#word]!;
    if (used === this.#slots) return -1;
    u32[this.#word] = used + 1;
    return used;
  }

  /** How many are in use. */
  get taken(): number {
    return this.#memory.u32[this.#word]! - this.#memory.u32[this.#word + 1]!;
  }

  give(slot: number): void {
    const { u32 } = this.#memory;
    const height = u32[this.#word + 1]! + 1;
    u32[this.#word + 1] = height;
    u32[this.#word + 1 + height] = slot;
  }

  clear(): void {
    this.#memory.u32[this.#word] = 0;
    this.#memory.u32[this.#word + 1] = 0;
  }
}
