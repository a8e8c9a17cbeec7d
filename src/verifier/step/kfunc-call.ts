import type { Kfunc, KfuncEffect, KfuncReturn } from '../../abi/kfunc.ts';
import { mayWritePacket } from '../regions/packet.ts';
import { sliceFlags } from '../state/dynptrs.ts';
import { kernelStruct } from '../state/kernel-structs.ts';
import { ANYTHING, NULLABLE, pointer, READ_ONLY, type Register, TRUSTED, UNSET } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { type HelperCall, newCall } from './arguments.ts';
import { callBack } from './callbacks.ts';
import { clobber, forgetPacket, forgetRcu, releaseReference } from './effects.ts';
import { stepThrow } from './exit.ts';
import { borrowed, element, giveAway, newObject, sameObject } from './graph.ts';
import { destroyIterator, newIterator, nextOfIterator } from './iterators.ts';
import { checkKfuncArgument } from './kfunc-arguments.ts';

/** Iterators take a slot of the stack, and `next` is where their loops are known to make progress. */
const ITERATORS: Readonly<Record<string, (v: Verification) => boolean>> = {
  bpf_iter_num_new: newIterator,
  bpf_iter_num_next: nextOfIterator,
  bpf_iter_num_destroy: destroyIterator,
};

export function stepKfuncCall(v: Verification, index: number): boolean | 'ended' {
  const name = v.program.kernelSymbols[index]?.name ?? `number ${index}`;
  const iterator = ITERATORS[name];
  if (iterator !== undefined) return mayCall(v, name, 'all', true) && iterator(v);
  const kfunc = v.catalogue.kfuncs.get(name);
  if (kfunc === undefined) return v.refuse('kfunc', `the kernel function ${name} is called, which is not known here`);
  if (!mayCall(v, name, kfunc.programTypes, kfunc.effects.includes('under-lock'))) return false;
  const call = newCall(kfunc);
  for (const [i, kind] of kfunc.args.entries()) if (!checkKfuncArgument(v, call, kind, i + 1)) return false;
  for (const effect of kfunc.effects) if (EFFECTS[effect]?.(v, call) === false) return false;
  if (call.callback !== null && !callBack(v, call)) return false;
  if (kfunc.effects.includes('gives-away')) giveAway(v, call);
  if (kfunc.effects.includes('throws')) return stepThrow(v) && 'ended';
  const result = resultOf(v, call, kfunc);
  if (result === undefined) return false;
  clobber(v.frame);
  return v.set(0, result);
}

function mayCall(v: Verification, name: string, types: Kfunc['programTypes'], underLock = false): boolean {
  if (v.state.frames.some(({ callback }) => callback?.helper === 'rbtree_add_impl')) {
    return v.refuse('lock', `${name} is called while a tree is put in order`);
  }
  if (v.state.lock !== null && !underLock) return v.refuse('lock', `${name} is called while a spin lock is held`);
  if (types === 'all' || types.includes(v.program.type)) return true;
  return v.refuse('helper-not-allowed', `${name} is not for programs of type ${v.program.type}`);
}

/** What a function does before it returns. */
const EFFECTS: { readonly [Effect in KfuncEffect]?: (v: Verification, call: HelperCall) => boolean } = {
  releases(v, { helper, reference }) {
    if (reference === 0) return v.refuse('not-acquired', `r1 is given to bpf_${helper.name} and was not acquired`);
    releaseReference(v.state, reference);
    return true;
  },
  'changes-packet'(v) {
    forgetPacket(v.state);
    return true;
  },
  'rcu-lock'(v) {
    if (v.state.rcu) return v.refuse('lock', 'bpf_rcu_read_lock is called a second time: it does not nest');
    v.state.rcu = true;
    return true;
  },
  'rcu-unlock'(v) {
    if (!v.state.rcu) return v.refuse('lock', 'bpf_rcu_read_unlock is called without bpf_rcu_read_lock');
    v.state.rcu = false;
    forgetRcu(v.state);
    return true;
  },
  'preempt-disable'(v) {
    v.state.preempt++;
    return true;
  },
  'preempt-enable'(v) {
    if (v.state.preempt === 0) return v.refuse('lock', 'bpf_preempt_enable is called without bpf_preempt_disable');
    v.state.preempt--;
    return true;
  },
};

type Result = (v: Verification, call: HelperCall) => Register | undefined;

const slice =
  (flags: number): Result =>
  (v, { dynptr, allocated }) =>
    pointer('memory', {
      flags: flags | sliceFlags(dynptr!.target),
      extent: allocated,
      id: v.newId(),
      target: dynptr!.target,
    });

/** What iterators give is followed with them. */
const RESULTS: { readonly [Kind in Exclude<KfuncReturn, `*${string}` | 'iterated?'>]: Result } = {
  integer: () => ANYTHING,
  void: () => UNSET,
  'slice?': slice(NULLABLE | READ_ONLY),
  'writable-slice?': (v, call) => {
    if (mayWritePacket(v)) return slice(NULLABLE)(v, call);
    v.refuse(
      'write-read-only',
      `programs of type ${v.program.type} cannot write to the packet`,
      'Use bpf_dynptr_slice',
    );
    return undefined;
  },
  'new-object?': newObject,
  'same-object': sameObject,
  'element?': element,
  'borrowed-element?': borrowed,
  'kernel-context': (v) => {
    const name = v.type.context.struct === 'xdp_md' ? 'xdp_buff' : 'sk_buff';
    return pointer('btf', { flags: TRUSTED, target: kernelStruct(v.program, name) });
  },
};

function resultOf(v: Verification, call: HelperCall, { returns, effects }: Kfunc): Register | undefined {
  if (!returns.startsWith('*')) return RESULTS[returns as keyof typeof RESULTS](v, call);
  const id = v.newId();
  const acquires = effects.includes('acquires');
  if (acquires) v.state.references = [...v.state.references, { id, pc: v.pc }];
  const flags = returns.endsWith('?') ? NULLABLE : 0;
  const target = kernelStruct(v.program, returns.slice(1).replace('?', ''));
  return pointer('btf', { flags, id, reference: acquires ? id : 0, target });
}
