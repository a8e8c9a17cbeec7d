import type { MapSpec } from '../../object/spec.ts';
import { ANYTHING, constantOf, type Register, scalarRegister } from '../state/register.ts';
import { constant } from '../values/scalar.ts';
import type { Verification } from '../walk/verification.ts';
import { withinBounds } from './bounds.ts';
import { keptPointer } from './kept-pointers.ts';
import type { Access, Region } from './region.ts';
import { isClearOf, specialFields } from './special-fields.ts';

const BPF_F_RDONLY_PROG = 1 << 7;
const BPF_F_WRONLY_PROG = 1 << 8;

export const mapValueRegion: Region = {
  read(v, access) {
    const map = access.base.target as MapSpec;
    if (!mapAllows(v, map, 'read')) return undefined;
    const kept = keptPointer(v, access, specialFields(v.program.btf, map));
    if (kept !== undefined) return withinBounds(v, access, map.valueSize) ? kept : undefined;
    if (!valueCovers(v, access)) return undefined;
    return knownValue(map, access) ?? ANYTHING;
  },
  write(v, access) {
    return mapAllows(v, access.base.target as MapSpec, 'write') && valueCovers(v, access);
  },
};

export const mapKeyRegion: Region = {
  read: (v, access) => (withinBounds(v, access, (access.base.target as MapSpec).keySize) ? ANYTHING : undefined),
  write: (v, { index }) => v.refuse('write-read-only', `r${index} points to a key of a map, which cannot be written`),
};

export function mapAllows(v: Verification, map: MapSpec, how: 'read' | 'write'): boolean {
  if (how === 'write' && (map.flags & BPF_F_RDONLY_PROG) !== 0) {
    return v.refuse('write-read-only', `map ${map.name} is read-only for programs`);
  }
  if (how === 'read' && (map.flags & BPF_F_WRONLY_PROG) !== 0) {
    return v.refuse('write-only', `map ${map.name} is write-only for programs`);
  }
  return true;
}

/** Within the value, and clear of the parts of it that only helpers touch. */
export function valueCovers(v: Verification, access: Access, emptyAllowed = false): boolean {
  const map = access.base.target as MapSpec;
  if (!withinBounds(v, access, map.valueSize, emptyAllowed)) return false;
  return isClearOf(v, access, specialFields(v.program.btf, map), `of map ${map.name}`);
}

/** libbpf freezes read-only data before it loads the program: what stands there is known. */
function knownValue(map: MapSpec, { base, offset, size }: Access): Register | undefined {
  if (map.data === null || (map.flags & BPF_F_RDONLY_PROG) === 0 || !base.value.isConst || size > 8) return undefined;
  const at = offset + base.offset + constantOf(base.value);
  let number = 0n;
  for (let i = size - 1; i >= 0; i--) number = (number << 8n) | BigInt(map.data[at + i] ?? 0);
  return scalarRegister(constant(number));
}
