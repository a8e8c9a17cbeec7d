import { describeKind, describeScalar } from '../report/words.ts';
import { type Register, signedMax, signedMin } from '../state/register.ts';
import { markPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';
import { readable } from './alu.ts';

/** Values of r0 that a program type may return, inclusive; types that are missing may return anything. */
function returnRange(type: string, attachType: string | null): readonly [number, number] | undefined {
  if (type !== 'cgroup_skb') return undefined;
  return attachType === 'cgroup_inet_egress' ? [0, 3] : [0, 1];
}

/** The program itself, or a global function verified on its own, ends. */
export function stepLastExit(v: Verification): boolean {
  if (!nothingHeld(v, 'the program ends')) return false;
  if (v.subject.start === 0) return mayReturn(v, returnRange(v.program.type, v.program.attachType));
  if (!readable(v, 0)) return false;
  const result = v.register(0);
  if (result.kind === 'scalar') return true;
  return v.refuse(
    'return-value',
    `${v.subject.name} returns a ${describeKind(result)}: a global function returns a number`,
  );
}

/** bpf_throw ends the program, from whatever function, with r1 as its result. */
export function stepThrow(v: Verification): boolean {
  if (!nothingHeld(v, 'the program ends by bpf_throw')) return false;
  if (v.subject.start !== 0 || v.state.frames.length > 1) return true;
  return mayReturn(v, returnRange(v.program.type, v.program.attachType), 1);
}

function mayReturn(v: Verification, range: readonly [number, number] | undefined, index = 0): boolean {
  if (!readable(v, index)) return false;
  if (range === undefined) return true;
  const result: Register = v.register(index);
  const [least, most] = range;
  if (result.kind !== 'scalar') {
    return v.refuse('return-value', `r${index} is a ${describeKind(result)} at exit: it must be ${least} to ${most}`);
  }
  markPrecise(v, index);
  if (signedMin(result.value) >= least && signedMax(result.value) <= most) return true;
  return v.refuse(
    'return-value',
    `r${index} is ${describeScalar(result.value)} at exit: it must be ${least} to ${most}`,
    `Return a constant, or cut the value down to that range`,
  );
}

/** Nothing may be left unreleased when a program ends, or hands over to another. */
export function nothingHeld(v: Verification, when: string): boolean {
  const { references, lock } = v.state;
  if (lock !== null) return v.refuse('lock', `${when} while a spin lock is held`, 'Call bpf_spin_unlock on every path');
  if (v.state.rcu)
    return v.refuse('lock', `${when} within bpf_rcu_read_lock`, 'Call bpf_rcu_read_unlock on every path');
  if (v.state.preempt > 0) {
    return v.refuse('lock', `${when} with preemption disabled`, 'Call bpf_preempt_enable on every path');
  }
  const [first] = references;
  if (first === undefined) return true;
  return v.refuse(
    'unreleased-reference',
    `${when} with what the call at instruction ${first.pc} acquired not released`,
    'Release it on every path (bpf_ringbuf_submit or bpf_ringbuf_discard, bpf_sk_release)',
  );
}
