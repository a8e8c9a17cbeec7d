import type { ArgumentKind } from './helper.ts';

/**
 * What each kind of argument of a kernel function asks of a program: a few kinds of helpers' arguments, and
 *
 * - `number`: a scalar; `constant`: one that is known.
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
      'ctx' | 'dynptr' | 'dynptr-stack' | 'dynptr-out' | 'map' | 'unchecked' | 'int-in-out' | 'const-string'
    >
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
 * `same-object`, `element?` and `borrowed-element?` are objects that the program allocates.
 */
export type KfuncReturn =
  | 'integer'
  | 'void'
  | 'slice?'
  | 'writable-slice?'
  | 'kernel-context'
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

/** A function of the kernel that programs call by name (Documentation/bpf/kfuncs.rst). None of them runs here yet. */
export interface Kfunc {
  /** Without `bpf_`, as names of helpers are. */
  readonly name: string;
  readonly args: readonly KfuncArgument[];
  readonly returns: KfuncReturn;
  /** libbpf's names of the program types that may call it; `all` for what every type may call. */
  readonly programTypes: 'all' | readonly string[];
  readonly effects: readonly KfuncEffect[];
}
