import type { Helper } from '../../abi/helper.ts';
import type { MapSpec } from '../../object/spec.ts';
import { type SpecialField, specialFields, specialFieldsOfType } from '../regions/special-fields.ts';
import { constantOf, type ObjectTarget, type Register } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import type { HelperCall } from './arguments.ts';
import { forgetBorrowed } from './effects.ts';

/** Little may happen while a spin lock is held. */
export function mayWhileLocked(v: Verification, { name }: Helper): boolean {
  if (v.state.lock === null || name === 'spin_unlock') return true;
  return v.refuse('lock', `bpf_${name} is called while a spin lock is held`, 'Call bpf_spin_unlock first');
}

/** The special field at which a pointer to a map's value or to an object points; undefined when refused. */
export function fieldAt(v: Verification, index: number, register: Register, type: string): SpecialField | undefined {
  const { kind, target, offset, value } = register;
  const isObject = kind === 'object';
  const where = isObject ? `struct ${(target as ObjectTarget).name}` : `a value of map ${(target as MapSpec).name}`;
  if (!value.isConst) {
    v.refuse('helper-argument', `where in ${where} r${index} points is not known`);
    return undefined;
  }
  const at = offset + constantOf(value);
  const fields = isObject
    ? specialFieldsOfType(v.program.btf!, (target as ObjectTarget).type)
    : specialFields(v.program.btf, target as MapSpec);
  const field = fields.find((each) => each.type === type && each.offset === at);
  if (field === undefined) v.refuse('helper-argument', `byte ${at} of ${where} is no struct ${type}`);
  return field;
}

export function checkLock(v: Verification, call: HelperCall, index: number, register: Register): boolean {
  if (fieldAt(v, index, register, 'bpf_spin_lock') === undefined) return false;
  const { state } = v;
  if (call.helper.name === 'spin_lock') {
    if (state.lock !== null) return v.refuse('lock', 'a second spin lock is taken while one is held');
    state.lock = { target: register.target!, id: register.id };
    return true;
  }
  if (state.frames.some(({ callback }) => callback?.helper === 'rbtree_add_impl')) {
    return v.refuse('lock', 'a spin lock is given back while a tree is put in order');
  }
  if (state.lock === null) return v.refuse('lock', 'a spin lock is given back that is not held');
  if (state.lock.target !== register.target || state.lock.id !== register.id) {
    return v.refuse('lock', 'another spin lock is given back than the one that is held');
  }
  state.lock = null;
  forgetBorrowed(state);
  return true;
}

export function checkTimer(v: Verification, call: HelperCall, index: number, register: Register): boolean {
  if (fieldAt(v, index, register, 'bpf_timer') === undefined) return false;
  call.timer = register;
  return true;
}
