import type { ArgumentKind, Helper } from '../../abi/helper.ts';
import { ANYTHING, NULLABLE, pointer, type Register, UNSET } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { checkArgument, newCall } from './arguments.ts';
import { clobber, releaseReference } from './effects.ts';
import { destroyIterator, newIterator, nextOfIterator } from './iterators.ts';
import { kernelStruct } from './kernel-structs.ts';

const TC = ['sched_cls', 'sched_act'];

/** A function of the kernel that the verifier knows; its arguments are told as those of helpers are. */
interface Kfunc {
  /** Program types that may call it. */
  readonly programTypes: 'all' | readonly string[];
  readonly args: readonly ArgumentKind[];
  /** `integer`, nothing, or the name of the kernel structure to which it returns a pointer, or null. */
  readonly returns: 'integer' | 'void' | { readonly struct: string };
  /** Its result must be released. */
  readonly acquires?: boolean;
  /** It releases its first argument. */
  readonly releases?: boolean;
}

const LOOKUP: readonly ArgumentKind[] = ['ctx', 'mem', 'size', 'mem', 'size'];
const CONNECTION = { struct: 'nf_conn' } as const;

const KFUNCS: Readonly<Record<string, Kfunc>> = {
  bpf_xdp_ct_lookup: { programTypes: ['xdp'], args: LOOKUP, returns: CONNECTION, acquires: true },
  bpf_skb_ct_lookup: { programTypes: TC, args: LOOKUP, returns: CONNECTION, acquires: true },
  bpf_ct_release: { programTypes: ['xdp', ...TC], args: ['btf-id'], returns: 'void', releases: true },
  bpf_sk_assign_tcp_reqsk: { programTypes: TC, args: ['ctx', 'btf-id', 'mem', 'size'], returns: 'integer' },
};

/** Iterators take a slot of the stack, and `next` is where their loops are known to make progress. */
const ITERATORS: Readonly<Record<string, (v: Verification) => boolean>> = {
  bpf_iter_num_new: newIterator,
  bpf_iter_num_next: nextOfIterator,
  bpf_iter_num_destroy: destroyIterator,
};

export function stepKfuncCall(v: Verification, index: number): boolean {
  const name = v.program.kernelSymbols[index]?.name ?? `number ${index}`;
  const iterator = ITERATORS[name];
  if (iterator !== undefined) return mayCall(v, name, 'all') && iterator(v);
  const kfunc = KFUNCS[name];
  if (kfunc === undefined) {
    return v.refuse('kfunc', `the kernel function ${name} is called, which is not known here`);
  }
  if (!mayCall(v, name, kfunc.programTypes)) return false;
  const call = newCall(asHelper(name, kfunc));
  for (const [i, kind] of kfunc.args.entries()) if (!checkArgument(v, call, kind, i + 1)) return false;
  if (kfunc.releases === true) {
    if (call.reference === 0) return v.refuse('not-acquired', `r1 is given to ${name} and was not acquired`);
    releaseReference(v.state, call.reference);
  }
  const result = resultOf(v, kfunc);
  clobber(v.frame);
  return v.set(0, result);
}

function mayCall(v: Verification, name: string, types: Kfunc['programTypes']): boolean {
  if (v.state.lock !== null) return v.refuse('lock', `${name} is called while a spin lock is held`);
  if (types === 'all' || types.includes(v.program.type)) return true;
  return v.refuse('helper-not-allowed', `${name} is not for programs of type ${v.program.type}`);
}

function asHelper(name: string, { args }: Kfunc): Helper {
  return { name, id: -1, prototype: { args, returns: 'integer', programTypes: 'all' } };
}

function resultOf(v: Verification, { returns, acquires }: Kfunc): Register {
  if (returns === 'integer') return ANYTHING;
  if (returns === 'void') return UNSET;
  const id = v.newId();
  if (acquires === true) v.state.references = [...v.state.references, { id, pc: v.pc }];
  const reference = acquires === true ? id : 0;
  return pointer('btf', { flags: NULLABLE, id, reference, target: kernelStruct(v.program, returns.struct) });
}
