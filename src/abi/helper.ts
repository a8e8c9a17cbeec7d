import type { Expression } from '../wasm/expression.ts';
import type { Dynptr } from './dynptr.ts';
import type { Machine } from './machine.ts';
import type { BpfMap } from './map.ts';
import type { Routines } from './routines.ts';

/**
 * What each kind of argument asks of a program (the kernel's ARG_*), and the form in which `run` gets it. A pointer
 * arrives as an address whose bytes were checked: a `mem` for the `size` that follows it, a `key` or `value` for the
 * sizes of the map that came before.
 */
export interface ArgumentForms {
  /** Pointer to the program's context. */
  ctx: number;
  'ctx?': number;
  map: BpfMap;
  /** Map handle of any type, resolved; alias of `map` where Linux takes a map pointer that is constant. */
  key: number;
  value: number;
  'value?': number;
  /** A value that the helper writes. */
  'value-out': number;
  /** Readable memory; the next argument is its size. `mem?` may be null when the size is 0. */
  mem: number;
  'mem?': number;
  /** Memory that the helper writes; need not be initialised. */
  'mem-out': number;
  'mem-out?': number;
  /** 20 or 40 bytes that the helper reads: an IP or a TCP header without options. */
  mem20: number;
  mem40: number;
  /** Bytes of the memory before it: at least 1, or possibly 0. */
  size: number;
  size0: number;
  /** 4 or 8 bytes that the helper writes. */
  'int-out': number;
  'long-out': number;
  /** 4 bytes that the helper reads and writes (mtu_len of bpf_check_mtu). */
  'int-in-out': number;
  /** NUL-terminated string in a read-only map. */
  'const-string': number;
  /** pc of a subprogram of this program. */
  callback: number;
  /** What a callback gets: pointer to the stack, or null. */
  'stack?': bigint;
  /** Record of a ring buffer, as reserve gave it; `alloc-size` is a constant. */
  record: number;
  'alloc-size': number;
  /** Any scalar, cut as the kernel's prototype cuts it. */
  u64: bigint;
  u32: number;
  s32: number;
  /** Whatever the register holds, initialised or not; the verifier does not look (variadic arguments). */
  unchecked: bigint;
  /** A dynptr, on the stack or handed over by the kernel; on the stack only; and one that holds a reserved record. */
  dynptr: Dynptr;
  'dynptr-stack': Dynptr;
  'dynptr-record': Dynptr;
  /** 16 bytes of stack that become a dynptr. */
  'dynptr-out': number;
  /** Memory outside of the stack, for a dynptr; the next argument is its size. */
  'dynptr-mem': number;
  'spin-lock': number;
  /** Kinds whose helpers do not run yet, only verify. */
  timer: number;
  sock: number;
  'sock-common': number;
  'btf-id': number;
  'kptr-slot': number;
  'kptr?': number;
  'percpu-btf-id': number;
}

export type ArgumentKind = keyof ArgumentForms;

/** What r0 is afterwards. `record?` is memory of the `alloc-size` argument, `value?` a value of the map argument. */
export type ReturnKind =
  | 'integer'
  | 'void'
  | 'value'
  | 'value?'
  | 'record?'
  | 'sock?'
  | 'tcp-sock?'
  | 'sock-common?'
  | 'btf-id?'
  | 'btf-id'
  | 'percpu-btf-id?'
  | 'percpu-btf-id'
  | 'kptr?'
  | 'dynptr-mem?';

export interface HelperPrototype<Arguments extends readonly ArgumentKind[] = readonly ArgumentKind[]> {
  readonly args: Arguments;
  readonly returns: ReturnKind;
  /** libbpf's names of the program types that may call it; `all` for what every type may call. */
  readonly programTypes: 'all' | readonly string[];
  /** Only for programs whose licence is GPL-compatible. */
  readonly gplOnly?: boolean;
  /** It may move or change packet data, so that pointers into the packet are void afterwards. */
  readonly changesPacket?: boolean;
}

export interface Helper {
  /** Without `bpf_`, as in the UAPI's list: `map_lookup_elem`. */
  readonly name: string;
  /** BPF_FUNC_* of linux/bpf.h. */
  readonly id: number;
  readonly prototype: HelperPrototype;
  /** Absent where the helper is known to the verifier and cannot run yet. A number is sign-extended to 64 bits. */
  // biome-ignore lint/suspicious/noExplicitAny: the forms follow from prototype.args; defineHelper checks them
  readonly run?: ((machine: Machine, ...args: any[]) => number | bigint) | undefined;
  readonly emit?: Emit | undefined;
}

/**
 * What `run` does as generated code, for a call whose arguments the verifier proved: gives r0, 64 bits. undefined where
 * there is no code for this map, so that JavaScript is asked.
 */
export type Emit = (routines: Routines, call: EmittedCall) => Expression | undefined;

export interface EmittedCall {
  readonly machine: Machine;
  /** The map that the call gets on every path, where that is one. */
  readonly map: BpfMap | undefined;
  /** r1 … r5, 64 bits. */
  readonly args: readonly Expression[];
}

type Handed<Kinds extends readonly ArgumentKind[]> = { -readonly [Index in keyof Kinds]: ArgumentForms[Kinds[Index]] };

/** States a helper; the parameters of `run` follow from the prototype. */
export function defineHelper<const Arguments extends readonly ArgumentKind[]>(definition: {
  name: string;
  id: number;
  prototype: HelperPrototype<Arguments>;
  run?: (machine: Machine, ...args: Handed<Arguments>) => number | bigint;
  emit?: Emit;
}): Helper {
  return definition;
}
