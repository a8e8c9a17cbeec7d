import type { Random } from '../base/random.ts';
import type { MapSpec } from '../object/spec.ts';
import type { Memory, Region } from './memory.ts';
import type { MapRoutines } from './routines.ts';

/** A map type: its creation rules, its storage, its runtime. One file each under `runtime/maps/`. */
export interface MapType {
  /** libbpf's name: `hash`, `percpu_array`, `lpm_trie` … */
  readonly name: string;
  /** BPF_MAP_TYPE_* of linux/bpf.h. */
  readonly id: number;
  /** Whether each CPU has its own value. */
  readonly perCpu: boolean;
  /**
   * How threads may have such a map in a memory that they share: `free` where programs change nothing but values,
   * `locked` where all that changes lies in the memory and one operation runs at a time; absent where neither is so.
   */
  readonly threads?: 'free' | 'locked';
  /** Helpers (by name, without `bpf_`) that take a map of this type; the verifier refuses all others. */
  readonly helpers: ReadonlySet<string>;
  /** Why Linux would refuse to create such a map, in words, or undefined. */
  check(spec: MapSpec): string | undefined;
  /** Bytes of linear memory that it takes, known before it is made; where threads share the memory it may be more. */
  bytes(spec: MapSpec, cpus: number, isShared: boolean): number;
  create(spec: MapSpec, host: MapHost): BpfMap;
}

/** What a map gets from the machine in which it is made. */
export interface MapHost {
  readonly memory: Memory;
  /** First of the `bytes()` bytes that are the map's own; aligned to 4096, zero. */
  readonly start: number;
  /** Address that stands for the map in registers: no program can read there. */
  readonly handle: number;
  readonly cpus: number;
  /** Whether the map is there already, made by another thread that shares the memory. */
  readonly adopts?: boolean;
  /** The CPU on which the program runs now: per-CPU maps read it at each operation. */
  readonly current: { readonly cpu: number };
  /** Seeded; for hashes and skip lists that Linux seeds at random. */
  readonly random: Random;
  /** Lets programs touch part of the map's memory (its values). */
  addRegion(region: Region): void;
  /** The map that a handle stands for; undefined when the address is no map's. */
  mapAt(handle: number): BpfMap | undefined;
}

/**
 * A map. Operations of programs take addresses of keys and values and give 0 or a negated errno; a lookup gives the
 * address of the value, or 0. Operations of the user (`--map-init`, dumps) take bytes, as the bpf(2) commands do.
 */
export interface BpfMap {
  readonly spec: MapSpec;
  readonly type: MapType;
  readonly handle: number;

  lookup(key: number): number;
  update(key: number, value: number, flags: bigint): number;
  delete(key: number): number;
  /** What generated code does by itself; it must ask for all else. */
  readonly routines?: MapRoutines | undefined;
  /** bpf_map_lookup_percpu_elem: the value of another CPU, or 0. */
  lookupPerCpu?(key: number, cpu: number): number;
  /** Queue, stack and bloom filter. */
  push?(value: number, flags: bigint): number;
  pop?(value: number): number;
  peek?(value: number): number;
  /** bpf_for_each_map_elem: calls `each` with addresses of key and value until it gives other than 0; the number of calls. */
  forEach?(each: (key: number, value: number) => bigint): number;

  /** BPF_MAP_LOOKUP_ELEM: a copy; per-CPU maps give one value a CPU (of `valueSize`, not rounded). */
  userLookup(key: Uint8Array): Uint8Array | readonly Uint8Array[] | undefined;
  /** BPF_MAP_UPDATE_ELEM: 0 or a negated errno. One value for all CPUs, or one a CPU. */
  userUpdate(key: Uint8Array, value: Uint8Array | readonly Uint8Array[], flags: bigint): number;
  userDelete(key: Uint8Array): number;
  /** In the order of BPF_MAP_GET_NEXT_KEY. Arrays give every element. Queues and stacks give an empty key, in popping order. */
  entries(): Iterable<MapEntry>;
  /** Back to the state right after creation. */
  clear(): void;
}

export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array | readonly Uint8Array[];
}

/** PROG_ARRAY: what bpf_tail_call reads. Slots hold indices into the instance's programs, −1 when empty. */
export interface ProgramArray extends BpfMap {
  programAt(index: number): number;
  setProgram(index: number, program: number): void;
}

/** RINGBUF. Records are delivered, in order of reservation, once submitted. */
export interface RingBuffer extends BpfMap {
  /** Address of `size` bytes, or 0 when the ring is full. */
  reserve(size: number): number;
  submit(record: number): void;
  discard(record: number): void;
  /** bpf_ringbuf_query. */
  query(flags: bigint): bigint;
  /** Records that were submitted since the last call, consumed in order. */
  drain(): Uint8Array[];
}

/** DEVMAP, DEVMAP_HASH, CPUMAP, XSKMAP: what bpf_redirect_map reads. */
export interface RedirectMap extends BpfMap {
  /** The interface index, the CPU or the socket at a key, 0 … 2^32 − 1; −1 when nothing is there. */
  targetAt(key: number): number;
  /** Every target, in the order in which BPF_F_BROADCAST serves them. */
  targets(): number[];
}

/** PERF_EVENT_ARRAY: which slots have an event behind them. By default those of the CPUs. */
export interface PerfEventArray extends BpfMap {
  isOpen(index: number): boolean;
}
