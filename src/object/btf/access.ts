import { LoadError } from '../../base/errors.ts';
import { type Btf, type BtfType, essentialName } from './btf.ts';
import { areFieldsCompatible, isAnyEnum } from './compatible.ts';
import type { CoreRelocation } from './relocation.ts';
import { membersOf, resolve, sizeOf } from './types.ts';

/** One step into a type. */
export interface Step {
  /** The struct or union that has the member, the type of the array's element, or the enum. */
  readonly type: number;
  /** Index of the member, the element or the enum's value. */
  readonly index: number;
  /** Of the member or the enum's value; null for an element. Steps into anonymous members are left out. */
  readonly name: string | null;
}

/** What a CO-RE relocation is about: a type, a field of it or a value of an enum. */
export interface Access {
  readonly btf: Btf;
  /** The type that the relocation names, with its typedefs. */
  readonly root: number;
  readonly steps: readonly Step[];
  readonly bitOffset: number;
}

/** Steps of an access string, anonymous ones included: libbpf's bound. */
const MAX_STEPS = 64;

export const isFieldKind = (kind: CoreRelocation['kind']): boolean => kind.startsWith('field_');
export const isEnumKind = (kind: CoreRelocation['kind']): boolean => kind.startsWith('enumval_');

export function coreFault(relocation: CoreRelocation, code: string, message: string, help?: string): LoadError {
  return new LoadError(`${relocation.kind} relocation: ${message}`, {
    code,
    stage: 'core',
    section: relocation.section,
    offset: relocation.offset,
    ...(help === undefined ? {} : { help }),
  });
}

/** Reads the access string along the object's own types. */
export function localAccess(btf: Btf, relocation: CoreRelocation): Access {
  const { typeId: root, kind, accessString } = relocation;
  const bad = (why: string) => coreFault(relocation, 'core-access', `access string '${accessString}' ${why}`);
  if (!/^\d{1,9}(:\d{1,9})*$/.test(accessString)) throw bad('is no list of indices');
  const indices = accessString.split(':').map(Number);
  if (indices.length > MAX_STEPS) throw bad(`has more than ${MAX_STEPS} indices`);
  const first = indices[0]!;

  if (isEnumKind(kind)) {
    const type = resolve(btf, root);
    const value = enumValues(btf.typeById(type))?.[first];
    if (indices.length !== 1 || value === undefined) throw bad('does not lead to a value of an enum');
    return { btf, root, steps: [{ type, index: first, name: essentialName(value.name) }], bitOffset: 0 };
  }
  if (!isFieldKind(kind)) {
    if (accessString !== '0') throw bad(`is not '0', as for a whole type`);
    return { btf, root, steps: [], bitOffset: 0 };
  }

  // The first index counts whole values from a pointer, as in p[10].member.
  let type = resolve(btf, root);
  const steps: Step[] = [{ type, index: first, name: null }];
  let bitOffset = first === 0 ? 0 : first * 8 * requiredSize(btf, type, relocation);
  for (const index of indices.slice(1)) {
    const at = btf.typeById(type);
    if (at.kind === 'struct' || at.kind === 'union') {
      const member = at.members[index];
      if (member === undefined) throw bad(`asks for member ${index} of ${at.members.length}`);
      bitOffset += member.bitOffset;
      if (member.name !== '') steps.push({ type, index, name: member.name });
      type = resolve(btf, member.type);
    } else if (at.kind === 'array') {
      if (index >= at.nelems && !isFlexible(btf, steps.at(-1)!, at))
        throw bad(`asks for element ${index} of ${at.nelems}`);
      type = resolve(btf, at.type);
      steps.push({ type, index, name: null });
      bitOffset += index * 8 * requiredSize(btf, type, relocation);
    } else {
      throw bad(`leads into a type that has no parts`);
    }
  }
  return { btf, root, steps, bitOffset };
}

/** The same access in the candidate type of another BTF, by names; null where it does not have it. */
export function matchAccess(local: Access, btf: Btf, candidate: number, relocation: CoreRelocation): Access | null {
  if (isEnumKind(relocation.kind)) {
    const type = resolve(btf, candidate);
    const name = local.steps[0]!.name!;
    const index = enumValues(btf.typeById(type))?.findIndex((value) => essentialName(value.name) === name) ?? -1;
    return index < 0 ? null : { btf, root: candidate, steps: [{ type, index, name }], bitOffset: 0 };
  }
  const steps: Step[] = [];
  let bitOffset = 0;
  let type = resolve(btf, candidate);
  for (const [position, step] of local.steps.entries()) {
    if (step.name !== null) {
      const found = findMember(local.btf, step, btf, type, relocation);
      if (found === null) return null;
      bitOffset += found.bitOffset;
      steps.push(found.step);
      type = resolve(btf, found.type);
      continue;
    }
    if (position > 0) {
      const array = btf.typeById(type);
      if (array.kind !== 'array') return null;
      if (step.index >= array.nelems && !isFlexible(btf, steps.at(-1)!, array)) return null;
      type = resolve(btf, array.type);
    }
    steps.push({ type, index: step.index, name: null });
    if (step.index !== 0) bitOffset += step.index * 8 * requiredSize(btf, type, relocation);
  }
  return { btf, root: candidate, steps, bitOffset };
}

export function enumValues(type: BtfType) {
  return isAnyEnum(type) ? type.values : undefined;
}

/** C's flexible array: the last member of a struct, with no elements of its own. */
function isFlexible(btf: Btf, holder: Step, array: Extract<BtfType, { kind: 'array' }>): boolean {
  if (holder.name === null || array.nelems > 0) return false;
  return holder.index === membersOf(btf, holder.type)!.length - 1;
}

export function requiredSize(btf: Btf, type: number, relocation: CoreRelocation): number {
  const size = sizeOf(btf, type);
  if (size === null) throw coreFault(relocation, 'core-size', `type ${type} has no size`);
  return size;
}

interface FoundMember {
  readonly step: Step;
  readonly type: number;
  readonly bitOffset: number;
}

/**
 * The member of that name, in the struct itself or in an anonymous member of it; null when there is none of a
 * compatible type. An anonymous type met twice is searched once: it has the name or it has not.
 */
function findMember(
  localBtf: Btf,
  step: Step,
  btf: Btf,
  type: number,
  relocation: CoreRelocation,
  searched = new Set<number>(),
): FoundMember | null {
  searched.add(type);
  const members = membersOf(btf, type);
  for (const [index, member] of (members ?? []).entries()) {
    if (member.name === step.name) {
      const localMember = membersOf(localBtf, step.type)![step.index]!;
      if (!areFieldsCompatible(localBtf, localMember.type, btf, member.type)) return null;
      return { step: { type, index, name: member.name }, type: member.type, bitOffset: member.bitOffset };
    }
    const inner = resolve(btf, member.type);
    if (member.name !== '' || searched.has(inner)) continue;
    const found = findMember(localBtf, step, btf, inner, relocation, searched);
    if (found !== null) return { ...found, bitOffset: found.bitOffset + member.bitOffset };
  }
  return null;
}

/** As C would write it: `struct sk_buff.cb[2]`, `enum xdp_action::XDP_DROP`, `struct sock`. */
export function describe(access: Access, kind: CoreRelocation['kind']): string {
  const root = access.btf.typeById(access.root);
  const keyword: Partial<Record<BtfType['kind'], string>> = {
    struct: 'struct ',
    union: 'union ',
    enum: 'enum ',
    enum64: 'enum ',
    fwd: 'struct ',
  };
  const name = (keyword[root.kind] ?? '') + (root.name || `type ${access.root}`);
  if (isEnumKind(kind)) return `${name}::${access.steps[0]!.name}`;
  const path = access.steps.map((step, position) => {
    if (step.name !== null) return `.${step.name}`;
    return position === 0 && step.index === 0 ? '' : `[${step.index}]`;
  });
  return name + path.join('');
}
