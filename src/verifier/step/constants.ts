import { mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import { slotAt } from '../regions/stack.ts';
import { constantOf, type Register } from '../state/register.ts';
import { byteOf, type Slot, SPILLED, ZEROED } from '../state/slot.ts';
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
  if (run(slot, first, ZEROED) >= map.keySize) return 0;
  const { spilled } = slot;
  // Linux takes the whole spilled number for the key, wherever in the slot the key begins.
  if (spilled?.kind !== 'scalar' || !spilled.value.isConst || run(slot, first, SPILLED) !== map.keySize) return null;
  markSlotPrecise(v, frame.number, number);
  return constantOf(spilled.value);
}

/** How many bytes from `first` on are all of one state. */
function run(slot: Slot, first: number, state: number): number {
  let byte = first;
  while (byte < 8 && byteOf(slot, byte) === state) byte++;
  return byte - first;
}
