/**
 * The one linear memory as everyone but its maker sees it. An address is a byte offset into it and fits in 32 bits;
 * page zero is never mapped, so that null is null. The views never change while a program can run.
 */
export interface Memory {
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  /** Little-endian accesses of every size. */
  readonly view: DataView<ArrayBuffer>;
  /** The words of a memory that threads share, for Atomics; undefined where a thread has it to itself. */
  readonly shared?: Int32Array<SharedArrayBuffer> | undefined;
}

/** Part of the memory that a program may touch. */
export interface Region {
  /** For messages: `stack`, `packet`, `context`, `value of map flows`. */
  readonly name: string;
  /** First address; moves with the packet's edges. */
  start: number;
  /** First address after it. */
  end: number;
  readonly writable: boolean;
  /** Where the region is an array of values that must not be crossed: bytes from one to the next … */
  readonly stride: number;
  /** … and bytes of each that may be touched. Both are 0 for a region without inner borders. */
  readonly size: number;
  /** Another region on the same pages: keys and values of a map that lie side by side. */
  readonly beside?: Region;
}
