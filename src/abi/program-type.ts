import type { Body, Local, Value } from '../wasm/body.ts';
import type { ContextLayout } from './context.ts';
import type { Machine } from './machine.ts';
import type { Packet, SkbState } from './packet.ts';

/** One file each under `hooks/`: what a program type sees of a frame, and what its return value means. */
export interface ProgramType {
  /** libbpf's name: `xdp`, `sched_cls` … */
  readonly name: string;
  /** BPF_PROG_TYPE_* of linux/bpf.h. */
  readonly id: number;
  readonly context: ContextLayout;
  /** Fields that a program may read and write; for the verifier. A name stands for all elements of an array field. */
  readonly readable: ReadonlySet<string>;
  readonly writable: ReadonlySet<string>;
  /** Fields that yield a pointer, and of which kind. */
  readonly pointers: Readonly<Record<string, ContextPointer>>;
  /** Name of a return code (32 bits, signed); a code without a name is counted under its number. */
  verdict(code: number): string;
  /** All names that it gives. */
  readonly verdicts: readonly string[];
  /** Bytes of room in front of a frame. */
  readonly headroom: number;
  /** The type as it is where an attach type changes what a program sees, by attach type. */
  readonly attached?: Readonly<Record<string, ProgramType>>;
  /** Whether the program's packet starts at the Ethernet header or behind it. */
  readonly layer: 2 | 3;
  /**
   * Puts a frame (already in memory from `packet.data` to `packet.end`, Ethernet) before the program: fills the
   * context, sets the packet's edges and state. Returns why the hook does not take such a frame, or undefined.
   */
  enter(machine: Machine, arrival: Arrival): string | undefined;
  /**
   * What `enter` does, as generated code, for frames of at least an Ethernet header; absent where a frame must be
   * entered by `enter`.
   */
  writeEnter?(entry: EntryCode): void;
  /**
   * The same for a frame that stays where it lies; only for programs that leave the packet's edges alone, and so see nothing
   * in front of it.
   */
  writeEnterInPlace?(entry: Omit<EntryCode, 'start' | 'moved'> & { readonly start: Local }): void;
  /** What `leave` does, as generated code: leaves the address on the stack. */
  writeLeave?(left: LeavingCode): Value;
  /**
   * What the 4-byte field at `offset` of the context holds once a program stored `value` over `old`; absent where every
   * field holds what is stored. Pure.
   */
  stored?(offset: number, value: number, old: number): number;
  /** Writes the packet's edges into the context, after a helper moved them. */
  sync(machine: Machine): void;
  /** Where the bytes that BPF_PROG_TEST_RUN gives back start; they end at `packet.end`. */
  leave(machine: Machine): number;
}

/** What the code that enters a frame is written into, and what it knows of the machine. */
export interface EntryCode {
  readonly body: Body;
  /** Number of the machine's memory in the module. */
  readonly memory: number;
  readonly context: number;
  readonly socket: number;
  /** Where the frame begins, and where it ends. */
  readonly start: number;
  readonly end: Local;
  readonly arrival: Pick<Arrival, 'ifindex' | 'queue'>;
  /**
   * Whether the packet before may have left other edges, other bytes in front of it, or another context than it found:
   * always true of a program that was not verified.
   */
  readonly moved: Value;
  setEdge(name: Exclude<keyof Packet, 'region' | 'skb'>, value: Value): void;
  /** `tunnel` is set to none. */
  setSkb(name: keyof SkbState, value: Value): void;
}

/** What the code that tells where a packet's bytes begin is written into, and the packet's edges. */
export interface LeavingCode {
  readonly body: Body;
  readonly memory: number;
  readonly meta: Value;
  readonly data: Value;
}

/** Types that may write to the packet through a pointer; the others only read it. By libbpf's name. */
export const PACKET_WRITERS: ReadonlySet<string> = new Set([
  'xdp', 'sched_cls', 'sched_act', 'lwt_xmit', 'sk_skb', 'sk_msg',
]); // biome-ignore format: a list

export type ContextPointer = 'packet' | 'packet-end' | 'packet-meta' | 'sock-common?' | 'flow-keys';

export interface Arrival {
  readonly ifindex: number;
  readonly queue: number;
  /** Whether the program said it takes fragments (BPF_F_XDP_HAS_FRAGS). */
  readonly frags: boolean;
  /** Bytes on the wire, before the snap length cut. */
  readonly originalLength: number;
  /** `cgroup_inet_egress`, `tc/egress` … decide direction; null is ingress. */
  readonly attachType: string | null;
}
