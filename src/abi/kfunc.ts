import type { ArgumentForms, ArgumentKind } from './helper.ts';
import type { Machine } from './machine.ts';

/**
 * What each kind of argument of a kernel function asks of a program: a few kinds of helpers' arguments, and
 *
 * - `number`: a scalar, and `u64`, `u32`, `s32`, as wide as the function takes it; `constant`: one that is known.
 * - `iterator`: 8 bytes of stack that are an iterator, or become one.
 * - `buffer` with `buffer-size` or `buffer-constant`: memory that the function reads and writes, null where it has no
 *   byte; `buffer?` may be null anyway.
 * - `nat-address`: a union nf_inet_addr.
 * - `*nf_conn`: a pointer to that structure of the kernel, which is held; `&cgroup`: held, or kept by RCU.
 * - `dynptr?`: a dynptr or null.
 * - `type-id`: a constant, a structure in the program's BTF; `owned`, `refcounted`: objects that the program allocated;
 *   `list-head`, `tree-root` in a map's value or an object, with `new-list-node` and `new-tree-node` that go in and `tree-node`
 *   that is in; `order`: a function of the program that compares two of them.
 * - `unchecked`: whatever the register holds.
 */
export type KfuncArgument =
  | Extract<
      ArgumentKind,
      | 'ctx'
      | 'dynptr'
      | 'dynptr-stack'
      | 'dynptr-out'
      | 'map'
      | 'unchecked'
      | 'int-in-out'
      | 'const-string'
      | 'u64'
      | 'u32'
      | 's32'
    >
  | 'iterator'
  | 'number'
  | 'constant'
  | 'buffer'
  | 'buffer?'
  | 'buffer-size'
  | 'buffer-constant'
  | 'nat-address'
  | 'type-id'
  | 'owned'
  | 'refcounted'
  | 'list-head'
  | 'tree-root'
  | 'new-list-node'
  | 'new-tree-node'
  | 'tree-node'
  | 'order'
  | 'dynptr?'
  | `&${string}`
  | `*${string}`;

/**
 * What r0 is afterwards. `*nf_conn?`: a pointer to that structure of the kernel, or null. `slice?`: memory of the
 * `buffer-constant` argument's size in the dynptr of the first argument, or null, not to be written; `writable-slice?`:
 * the same, to be written. `kernel-context`: what the context is to the kernel, a sk_buff or a xdp_buff. `new-object?`,
 * `same-object`, `element?` and `borrowed-element?` are objects that the program allocates;
 * `iterated?` is what an iterator gives next, or null.
 */
export type KfuncReturn =
  | 'integer'
  | 'void'
  | 'slice?'
  | 'writable-slice?'
  | 'kernel-context'
  | 'iterated?'
  | 'new-object?'
  | 'same-object'
  | 'element?'
  | 'borrowed-element?'
  | `*${string}`;

/** What a kernel function does besides. */
export type KfuncEffect =
  /** Its result is held, and must be released. */
  | 'acquires'
  /** It releases its first argument. */
  | 'releases'
  /** It may move or change packet data. */
  | 'changes-packet'
  /** Its second argument is in the list or tree of the first afterwards. */
  | 'gives-away'
  /** May be called while a spin lock is held. */
  | 'under-lock'
  | 'rcu-lock'
  | 'rcu-unlock'
  | 'preempt-disable'
  | 'preempt-enable'
  /** It does not return: the program ends with its first argument for a result. */
  | 'throws';

/** The forms in which `run` gets arguments that only kernel functions take: addresses, checked for their sizes, and numbers. */
export interface KfuncForms
  extends Pick<ArgumentForms, Exclude<Extract<KfuncArgument, ArgumentKind>, 'map' | 'int-in-out' | 'const-string'>> {
  /** 0 where it is null; else of as many bytes as the `buffer-constant` that follows. */
  'buffer?': number;
  'buffer-constant': number;
  iterator: number;
}

/** A function of the kernel that programs call by name (Documentation/bpf/kfuncs.rst). */
export interface Kfunc {
  /** Without `bpf_`, as names of helpers are. */
  readonly name: string;
  readonly args: readonly KfuncArgument[];
  readonly returns: KfuncReturn;
  /** libbpf's names of the program types that may call it; `all` for what every type may call. */
  readonly programTypes: 'all' | readonly string[];
  readonly effects: readonly KfuncEffect[];
  /** Absent where it is known to the verifier and cannot run yet. Of a number, r0 gets the low 32 bits. */
  // biome-ignore lint/suspicious/noExplicitAny: the forms follow from args; defineKfunc checks them
  readonly run?: ((machine: Machine, ...args: any[]) => number | bigint) | undefined;
}

type Handed<Kinds extends readonly (keyof KfuncForms)[]> = {
  -readonly [Index in keyof Kinds]: KfuncForms[Kinds[Index]];
};

/** States a kernel function that runs; the parameters of `run` follow from `args`. */
export function defineKfunc<const Arguments extends readonly (keyof KfuncForms)[]>(
  definition: Omit<Kfunc, 'args' | 'effects' | 'run'> & {
    readonly args: Arguments;
    readonly effects?: readonly KfuncEffect[];
    readonly run: (machine: Machine, ...args: Handed<Arguments>) => number | bigint;
  },
): Kfunc {
  return { effects: [], ...definition };
}
