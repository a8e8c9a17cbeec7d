/** What a load, store or atomic operation touches, on every path that was followed. */
export type MemoryKind =
  | 'stack'
  | 'packet'
  | 'context'
  | 'map-value'
  | 'map-key'
  | 'memory'
  | 'socket'
  | 'flow-keys'
  | 'kernel'
  /** Of several kinds, by the path. */
  | 'mixed';

/** What the verifier proved of an accepted program. It may make a run faster, never different. */
export interface Facts {
  /** By pc: 1 where some path leads. */
  readonly reached: Uint8Array;
  /** By pc: the memory that the instruction there touches; undefined where it touches none, or none leads there. */
  readonly memory: readonly (MemoryKind | undefined)[];
  /** Bytes of stack that each function uses, by the pc of its start. */
  readonly stack: ReadonlyMap<number, number>;
}
