import { sizeOf } from '../../object/btf/types.ts';
import type { Program } from '../../program/program.ts';
import { ANYTHING, constantOf, type ObjectTarget } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { withinBounds } from './bounds.ts';
import { leafAt } from './kernel.ts';
import { type Access, bytesOf, type Region } from './region.ts';
import { isClearOf, specialFieldsOfType } from './special-fields.ts';

/** An object that the program allocated, clear of the parts that only kernel functions touch. */
export const objectRegion: Region = {
  read: (v, access) => (covers(v, access) ? ANYTHING : undefined),
  write: covers,
};

function covers(v: Verification, access: Access): boolean {
  const { name, size, type } = access.base.target as ObjectTarget;
  if (!access.base.value.isConst) {
    return v.refuse('out-of-bounds', `r${access.index} points to an object at an offset that is not constant`);
  }
  if (!withinBounds(v, access, size)) return false;
  if (!isClearOf(v, access, specialFieldsOfType(v.program.btf!, type), `of struct ${name}`)) return false;
  const { base, offset, index, size: bytes } = access;
  const at = offset + base.offset + constantOf(base.value);
  if (leafAt(v.program.btf!, type, at, bytes) !== undefined) return true;
  return v.refuse('out-of-bounds', `${bytesOf(at, bytes)} through r${index} are no member of struct ${name}`);
}

const known = new WeakMap<Program, Map<number, ObjectTarget>>();

/** A structure by its id in the program's BTF; undefined where that is none. One value for each, to be compared. */
export function objectType(program: Program, id: number): ObjectTarget | undefined {
  const { btf } = program;
  if (btf === null || id <= 0 || id >= btf.count) return undefined;
  let targets = known.get(program);
  if (targets === undefined) known.set(program, (targets = new Map()));
  const found = targets.get(id);
  if (found !== undefined) return found;
  const type = btf.typeById(id);
  if (type.kind !== 'struct') return undefined;
  const target: ObjectTarget = { kind: 'object', name: type.name ?? '', type: id, size: sizeOf(btf, id) ?? 0 };
  targets.set(id, target);
  return target;
}
