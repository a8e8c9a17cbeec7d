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
  /**
   * Edges of the packet, as abi/packet.ts names them: `meta` and `linearEnd`, which are those of its region, and the others.
   */
  packetStart: 15,
  packetEnd: 16,
  /** The CPU on which the program runs. */
  cpu: 17,
  packetHead: 18,
  packetData: 19,
  packetBytesEnd: 20,
  packetLimit: 21,
  /** Not 0 once the packet's edges moved while it ran: then what lies in front of it may have been written to. */
  packetMoved: 22,
  /** Not 0 once a run left something with JavaScript: a redirect, a record for user space, a traced line, a copy. */
  attention: 23,
  /** Capture time of the packet in nanoseconds since the epoch, signed. */
  now: 24,
  /** Time of the first packet; whether there was one; the most that the monotonic clock has shown beyond it. */
  clockStart: 25,
  clockStarted: 26,
  clockHighest: 27,
  /** Programs that this run has gone on to by tail calls. */
  tailCalls: 28,
  /** State of an sk_buff, as abi/packet.ts names it. */
  skbHead: 29,
  macHeader: 30,
  networkHeader: 31,
  macLength: 32,
  transportHeader: 33,
  ipSummed: 34,
  csumLevel: 35,
  encapsulation: 36,
  gsoType: 37,
  hashIsValid: 38,
  hasTunnel: 39,
  /** What generated code asked for last by bpf_redirect or bpf_redirect_map, where `attention` says so: see `REDIRECT`. */
  redirectKind: 40,
  /** Handle of the map; the key; the interface index, or what else the map holds there; the flags, 64 bits. */
  redirectMap: 41,
  redirectKey: 42,
  redirectTarget: 43,
  redirectFlags: 44,
  /** State of the generator of random numbers, four words. */
  random: 45,
  /** Address of the bpf_spin_lock that the program holds, where threads share the memory; 0 for none. */
  heldLock: 47,
} as const;

export const CONTROL_BYTES = 48 * 8;

/** Bits of the word `attention`: something is with JavaScript; the last redirect is in the words here. */
export const ATTENTION = { javascript: 1, redirect: 2 } as const;

/** The word `redirectKind`. */
export const REDIRECT = { none: 0, interface: 1, map: 2 } as const;
