import type { Memory, Region } from '../../src/abi/memory.ts';
import { MAX_FRAMES, STACK_BYTES } from '../../src/runtime/call/limits.ts';

/** Which bytes of the stack the running functions wrote since they began. */
export class WrittenStack {
  readonly #region: Region;
  readonly #written = new Uint8Array(MAX_FRAMES * STACK_BYTES);
  #deepest = -1;

  constructor(memory: Memory & { regionOf(address: number, size: number): Region | undefined }, framePointer: number) {
    const region = memory.regionOf(framePointer - STACK_BYTES, 1);
    if (region?.name !== 'stack') throw new Error('there is no stack where r10 points');
    this.#region = region;
  }

  /** A step in frame `frame`, whose stack ends at `framePointer`. */
  step(frame: number, framePointer: number): void {
    if (frame > this.#deepest) {
      const end = framePointer - this.#region.start;
      this.#written.fill(0, end - STACK_BYTES, end);
    }
    this.#deepest = frame;
  }

  write(address: number, size: number): void {
    const at = address - this.#region.start;
    if (at >= 0) this.#written.fill(1, at, at + size);
  }

  /** Whether bytes of the stack are among these that were not written. */
  lacks(address: number, size: number): boolean {
    const at = address - this.#region.start;
    return at >= 0 && this.#written.subarray(at, at + size).includes(0);
  }
}
