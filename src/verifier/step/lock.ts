import type { Helper } from '../../abi/helper.ts';
import type { MapSpec } from '../../object/spec.ts';
import { specialFields } from '../regions/special-fields.ts';
import { constantOf, type Register } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import type { HelperCall } from './arguments.ts';

/** Little may happen while a spin lock is held. */
export function mayWhileLocked(v: Verification, { name }: Helper): boolean {
  if (v.state.lock === null || name === 'spin_unlock') return true;
  return v.refuse('lock', `bpf_${name} is called while a spin lock is held`, 'Call bpf_spin_unlock first');
}

/** The field of a type at which a pointer to a map value points; undefined when refused. */
function fieldAt(v: Verification, index: number, { target, offset, value }: Register, type: string): boolean {
  const map = target as MapSpec;
  if (!value.isConst)
    return v.refuse('helper-argument', `where in the value of map ${map.name} r${index} points is not known`);
  const field = specialFields(v.program.btf, map).find((each) => each.type === type);
  const at = offset + constantOf(value);
  if (field?.offset === at) return true;
  return v.refuse('helper-argument', `byte ${at} of a value of map ${map.name} is no struct ${type}`);
}

export function checkLock(v: Verification, call: HelperCall, index: number, register: Register): boolean {
  if (!fieldAt(v, index, register, 'bpf_spin_lock')) return false;
  const { state } = v;
  if (call.helper.name === 'spin_lock') {
    if (state.lock !== null) return v.refuse('lock', 'a second spin lock is taken while one is held');
    state.lock = { target: register.target!, id: register.id };
    return true;
  }
  if (state.lock === null) return v.refuse('lock', 'a spin lock is given back that is not held');
  if (state.lock.target !== register.target || state.lock.id !== register.id) {
    return v.refuse('lock', 'another spin lock is given back than the one that is held');
  }
  state.lock = null;
  return true;
}

export function checkTimer(v: Verification, call: HelperCall, index: number, register: Register): boolean {
  if (!fieldAt(v, index, register, 'bpf_timer')) return false;
  call.timer = register;
  return true;
}
