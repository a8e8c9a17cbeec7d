/** Kinds of memory that programs touch through pointers. */
export type MemoryKind =
  | 'stack'
  /** Packet data, from `data` on. */
  | 'packet'
  /** What lies before it, from `data_meta` on. */
  | 'packet-meta'
  | 'context'
  | 'map-value'
  | 'map-key'
  /** A ring buffer's record, an iterator's element, what a global function is handed. */
  | 'memory'
  | 'socket'
  | 'flow-keys'
  /** A structure of the kernel. */
  | 'kernel';

/**
 * What an instruction, or a helper through one of its arguments, touches of one kind of memory, on every path that was
 * followed. Offsets count from where the region starts: the top of the frame (so that those of the stack are negative),
 * the packet's data as it lies then, the value, the context, whatever the pointer was first made to point to.
 */
export interface ProvenAccess {
  readonly kind: MemoryKind;
  /** Index among the object's maps of the map whose value or key it is; null for other kinds, and for an inner map. */
  readonly map: number | null;
  /** Stack: whose frame, 0 for the function's own, 1 for its caller's, and so on. 0 for other kinds. */
  readonly frame: number;
  /** The first byte touched at the least, and one past the last at the most. */
  readonly from: number;
  readonly to: number;
  /** Whether any of it may be written. */
  readonly writes: boolean;
}

/** A call of a helper, a kernel function or a global function. */
export interface ProvenCall {
  /** Index among the object's maps of the map that it is given on every path; null where that is none, or not always the same. */
  readonly map: number | null;
  /** By argument, r1 first: what is touched through it; nothing where it is no pointer to memory of a known size. */
  readonly arguments: readonly (readonly ProvenAccess[])[];
}

/**
 * How often one run of a function comes through the head of a loop, at most, what it calls included; or what else ends
 * the loop. The function is the program itself or a global function that the head stands in or is called from.
 */
export type LoopBound = number | 'may_goto' | 'iterator' | 'callback';

/** What the verifier proved of an accepted program. It may make a run faster, never different. */
export interface Facts {
  /** By pc: 1 where some path leads. */
  readonly reached: Uint8Array;
  /**
   * By pc of a load, store or atomic operation: what it touches, one entry for each kind of memory, map and frame; none
   * where it touches nothing or no path leads there.
   */
  readonly accesses: readonly (readonly ProvenAccess[])[];
  /** By pc, of those that a path leads to and that take a map or memory. */
  readonly calls: ReadonlyMap<number, ProvenCall>;
  /** By pc of the head of a loop (the target of a jump that closes a cycle), or of a call of a helper that calls back. */
  readonly loops: ReadonlyMap<number, LoopBound>;
  /**
   * Where stack is read, or given to what is called, that may never have been written, by rising pc; or where it may
   * come to count as written, at stores to a variable place and where paths meet. Empty where no run reads any.
   */
  readonly unwritten: readonly number[];
  /**
   * Instructions that one run takes at most, by the pc of the start of each function that is verified by itself: the
   * program and the global functions that it calls. What global functions take that it calls does not count in, nor
   * other programs that are called. Null where may_goto, an iterator or a callback makes it long.
   */
  readonly longest: ReadonlyMap<number, number | null>;
  /** Bytes of stack that each function uses, by the pc of its start. */
  readonly stack: ReadonlyMap<number, number>;
}
