import { mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import { slotAt } from '../regions/stack.ts';
import { constantOf, isZero, type Register } from '../state/register.ts';
import { byteOf, spillSize, ZEROED } from '../state/slot.ts';
import { markSlotPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';

const BPF_F_RDONLY_PROG = 1 << 7;
const ARRAYS: ReadonlySet<number> = new Set([mapTypeId('array'), mapTypeId('percpu_array')]);

/** A string argument lies, with its NUL, in a map that nobody changes. */
export function checkConstantString(v: Verification, index: number, register: Register): boolean {
  const map = register.target as MapSpec;
  const fault = (why: string): boolean =>
    v.refuse('helper-argument', `r${index} is to be a constant string: ${why}`, 'Use a string literal');
  if ((map.flags & BPF_F_RDONLY_PROG) === 0 || map.data === null) return fault(`map ${map.name} can be written`);
  if (!register.value.isConst) return fault('where it begins is not known');
  const at = register.offset + constantOf(register.value);
  if (at < 0 || at >= map.valueSize) return fault(`byte ${at} of map ${map.name} is not there`);
  return map.data.indexOf(0, at) >= 0 || fault('it does not end in NUL');
}

/** The index of a lookup in an array, where the stack holds it as a constant: such a lookup need not fail. */
export function constantKey(v: Verification, map: MapSpec, index: number): number | null {
  if (!ARRAYS.has(map.type)) return null;
  const register = v.register(index);
  if (register.kind !== 'stack' || !register.value.isConst) return null;
  const offset = register.offset + constantOf(register.value);
  const frame = v.state.frames[register.extent]!;
  const number = slotAt(offset);
  const slot = frame.slot(number);
  const first = offset & 7;
  let zeroes = 0;
  for (let byte = first; byte < Math.min(first + 4, 8); byte++) if (byteOf(slot, byte) === ZEROED) zeroes++;
  if (zeroes === 4) return 0;
  if (first !== 0 || spillSize(slot) !== 4) {
    if (first !== 0 || slot.spilled === null || !isZero(slot.spilled) || spillSize(slot) < 4) return null;
  }
  const { spilled } = slot;
  if (spilled?.kind !== 'scalar' || !spilled.value.isConst) return null;
  markSlotPrecise(v, frame.number, number);
  return constantOf(spilled.value);
}
