/**
 * The control block: a page of the linear memory through which JavaScript and generated code hand each other numbers
 * of 64 bits without making BigInts. No region covers it, so that no program reaches it.
 */
export const SLOTS = {
  /** r0 … r10: arguments and result of a helper, or of a function that is entered from JavaScript. */
  registers: 0,
  /** Frames below the one that runs. */
  depth: 11,
  /** Helper number of a `callx`. */
  helper: 12,
  /** Instructions that may still run. */
  fuel: 13,
  /** Rounds of `may_goto` so far. */
  mayGoto: 14,
  /** Edges of the packet's region. */
  packetStart: 15,
  packetEnd: 16,
  /** The CPU on which the program runs. */
  cpu: 17,
} as const;

export const CONTROL_BYTES = 18 * 8;
