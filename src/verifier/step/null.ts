import { mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import { specialFields } from '../regions/special-fields.ts';
import { NOTHING, NULLABLE, pointer, type Register, withFlags, withId } from '../state/register.ts';
import { mapRegisters, type State } from '../state/state.ts';
import type { Verification } from '../walk/verification.ts';

const XSKMAP = mapTypeId('xskmap');
const SOCKET_MAPS: ReadonlySet<number> = new Set([mapTypeId('sockmap'), mapTypeId('sockhash')]);
const LOCKS: ReadonlySet<string> = new Set(['bpf_spin_lock', 'bpf_res_spin_lock']);

/** All pointers that came of the same call are null, or none is. */
export function resolveNull(v: Verification, state: State, checked: Register, isNull: boolean): void {
  const { id, reference } = checked;
  if (isNull && reference !== 0 && reference === id) {
    // Nothing was acquired, so that nothing is to be released.
    state.references = state.references.filter((each) => each.id !== reference);
  }
  mapRegisters(state, (register) => {
    if (!register.nullable || register.id !== id) return register;
    return isNull ? NOTHING : notNull(v, register);
  });
}

function notNull(v: Verification, register: Register): Register {
  const sure = withFlags(register, register.flags & ~NULLABLE);
  // An object's lock is known by the call that gave it.
  if (register.kind === 'object') return sure;
  if (register.kind !== 'map-value') return withId(sure, 0);
  const map = register.target as MapSpec;
  if (map.inner !== null) return pointer('map', { target: map.inner });
  if (map.type === XSKMAP) return pointer('xdp-sock');
  if (SOCKET_MAPS.has(map.type)) return pointer('sock', { id: register.id, reference: register.reference });
  // A lock is known by the lookup that gave its value.
  const hasLock = specialFields(v.program.btf, map).some((field) => LOCKS.has(field.type));
  return hasLock ? sure : withId(sure, 0);
}
