import type { Random } from '../base/random.ts';
import type { Expression } from '../wasm/expression.ts';
import type { Interfaces } from './interfaces.ts';
import type { BpfMap } from './map.ts';
import type { Memory } from './memory.ts';
import type { Packet } from './packet.ts';
import type { ProgramType } from './program-type.ts';
import type { Routes } from './routes.ts';
import type { Routines } from './routines.ts';

/** What helpers and hooks see of the machine that runs a program. */
export interface Machine {
  readonly memory: Memory;
  /** The program type whose hook is running. */
  readonly programType: ProgramType;
  readonly packet: Packet;
  /** Address of the context (r1 on entry). */
  readonly context: number;
  /** Address of a `struct bpf_sock`, which `__sk_buff.sk` points to. */
  readonly socket: number;
  readonly cpu: number;
  readonly cpus: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly interfaces: Interfaces;
  readonly routes: Routes;
  /** What the redirect helpers of this run asked for; null at the start of each run. */
  redirect: Redirect | null;
  /** All that can stand in a map of maps, as far as is known before a run. */
  readonly maps?: readonly BpfMap[];
  /** Address of the bpf_spin_lock that the run holds, where threads share the memory; 0 for none. */
  heldLock?: number;
  /** The map that a handle stands for. */
  mapAt(handle: number): BpfMap | undefined;
  /** Tells the hook that the packet's edges moved: it writes them into the context. */
  packetChanged(): void;
  /** Runs the subprogram at `pc` with r1 … r5, in a frame of its own; gives r0. */
  call(pc: number, ...args: bigint[]): bigint;
  /** A line from bpf_trace_printk. */
  trace(text: string): void;
  /** A record that left through a perf event array; ring buffers keep theirs until drained. */
  event(map: BpfMap, bytes: Uint8Array): void;
  /** A copy of the packet sent elsewhere (bpf_clone_redirect). */
  emit(interfaceIndex: number, direction: 'ingress' | 'egress', bytes: Uint8Array): void;
}

/** All in nanoseconds. Under the capture clock they follow the packet's time. */
export interface Clock {
  /** CLOCK_MONOTONIC. */
  monotonic(): bigint;
  /** CLOCK_BOOTTIME. */
  boottime(): bigint;
  monotonicCoarse(): bigint;
  /** CLOCK_TAI. */
  tai(): bigint;
  /** CLOCK_REALTIME: the capture time itself. */
  realtime(): bigint;
  /** The same as generated code, 64 bits; absent where only JavaScript knows. */
  readonly code?: {
    monotonic(routines: Routines): Expression;
    tai(routines: Routines): Expression;
  };
}

export interface Redirect {
  readonly kind: 'ifindex' | 'map' | 'neigh' | 'peer';
  /** Interface index, where it is one. */
  readonly ifindex: number | null;
  /** Name of the map and key in it, for bpf_redirect_map. */
  readonly map: string | null;
  readonly key: number | null;
  readonly flags: bigint;
  /** Direction at a tc hook. */
  readonly direction: 'ingress' | 'egress';
  /** BPF_F_BROADCAST: every interface of the map, but the one of arrival with BPF_F_EXCLUDE_INGRESS. */
  readonly targets?: readonly number[];
}
