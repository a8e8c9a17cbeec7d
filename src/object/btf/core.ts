import { type Access, coreFault, describe, isEnumKind, isFieldKind, localAccess, matchAccess } from './access.ts';
import { ABSENT, ANSWERS, type Answer, WORDS } from './answers.ts';
import { type Btf, type BtfType, essentialName } from './btf.ts';
import { areKindsCompatible, areTypesCompatible, doTypesMatch } from './compatible.ts';
import { type Patch, patchInstruction, poisonInstruction } from './patch.ts';
import type { CoreRelocation } from './relocation.ts';

export { CORE_KINDS, type CoreKind, type CoreRelocation } from './relocation.ts';

/** Patches the instruction at the relocation's offset of `instructions`. Returns in words what it became. */
export type CoreRelocator = (instructions: Uint8Array, relocation: CoreRelocation) => string;

/**
 * CO-RE (Documentation/bpf/llvm_reloc.rst, "CO-RE Relocations"). One relocator per object, since each relocation of a
 * type narrows which of the target's types it can mean, as in libbpf. `target` is a kernel's BTF; with null every type
 * is itself and stays as it was compiled.
 *
 * What the target does not have poisons the instruction, which is refused where the program can reach it; asking
 * whether it exists gives 0. Throws `LoadError` with stage `core` where the object contradicts itself, or where types
 * of the target that have the same name give different answers.
 */
export function coreRelocator(local: Btf, target: Btf | null): CoreRelocator {
  /** By type id of the object: types of the target that it can mean. */
  const candidates = new Map<number, readonly number[]>();
  return (instructions, relocation) => {
    const access = localAccess(local, relocation);
    const { kind, typeId } = relocation;
    let matching: readonly Access[];
    if (target === null || kind === 'type_id_local') {
      matching = [access];
    } else {
      const ids = candidates.get(typeId) ?? findCandidates(access, target, relocation);
      matching = ids.flatMap((id) => match(access, target, id, relocation) ?? []);
      candidates.set(typeId, matching.length === 0 ? ids : matching.map(({ root }) => root));
    }
    return apply(instructions, relocation, access, matching);
  };
}

/** One relocation by itself: `coreRelocator` for the first of an object. */
export function applyCore(
  instructions: Uint8Array,
  relocation: CoreRelocation,
  local: Btf,
  target: Btf | null,
): string {
  return coreRelocator(local, target)(instructions, relocation);
}

/** Types of the target that may be meant: of the same name but for a flavour, and of the same kind. */
function findCandidates(access: Access, target: Btf, relocation: CoreRelocation): readonly number[] {
  const type = access.btf.typeById(access.root);
  if (type.name === '') {
    throw coreFault(relocation, 'core-anonymous', `type ${access.root} has no name to look for in the target`);
  }
  return target
    .findByEssentialName(essentialName(type.name))
    .filter((id) => areKindsCompatible(type, target.typeById(id)));
}

function match(access: Access, target: Btf, id: number, relocation: CoreRelocation): Access | null {
  const { kind } = relocation;
  if (isFieldKind(kind) || isEnumKind(kind)) return matchAccess(access, target, id, relocation);
  const agrees = kind === 'type_matches' ? doTypesMatch : areTypesCompatible;
  return agrees(access.btf, access.root, target, id) ? { btf: target, root: id, steps: [], bitOffset: 0 } : null;
}

/** Computes the answer of each matching type, which must be one, and writes it. */
function apply(
  instructions: Uint8Array,
  relocation: CoreRelocation,
  local: Access,
  matching: readonly Access[],
): string {
  const { kind } = relocation;
  const what = describe(local, kind);
  const was = ANSWERS[kind](local, relocation);
  const [now, ...others] = matching.map((access) => ANSWERS[kind](access, relocation));
  for (const [index, other] of others.entries()) {
    const sameField = matching[index + 1]!.bitOffset === matching[0]!.bitOffset;
    if (sameField && other?.value === now?.value) continue;
    const ids = matching.map(({ root }) => root).join(', ');
    throw coreFault(relocation, 'core-ambiguous', `${what} is not the same in types ${ids} of the target`);
  }

  const answer = matching.length === 0 ? ABSENT[kind] : now!;
  if (answer === undefined) {
    poisonInstruction(instructions, relocation);
    return `${what} is not in the target: poisoned`;
  }
  const patch: Patch = {
    value: answer.value,
    expected: was.exact ? was.value : null,
    sizes: adjustment(local, was, matching[0], answer),
  };
  if (!patchInstruction(instructions, relocation, patch, local)) {
    return `${what} has ${answer.field!.size} bytes in the target, not ${was.field!.size}, and is no unsigned number: poisoned`;
  }
  return `${what}: ${WORDS[kind](answer.value)}`;
}

/**
 * A load or store may take on the target's size where zero-extension keeps the value: between pointers and between
 * unsigned numbers.
 */
function adjustment(local: Access, was: Answer, target: Access | undefined, now: Answer): Patch['sizes'] {
  if (was.field === undefined || now.field === undefined || was.field.size === now.field.size) return null;
  const types = [local.btf.typeById(was.field.type), target!.btf.typeById(now.field.type)];
  const all = (test: (type: BtfType) => boolean) => types.every(test);
  if (all((type) => type.kind === 'ptr') || all((type) => type.kind === 'int' && !type.signed)) {
    return { local: was.field.size, target: now.field.size };
  }
  return 'unsafe';
}
