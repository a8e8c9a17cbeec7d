import { KEPT, keptType } from '../regions/kept-pointers.ts';
import { objectType } from '../regions/object.ts';
import { type SpecialField, specialFieldsOfType } from '../regions/special-fields.ts';
import { describeKind } from '../report/words.ts';
import {
  BORROWED,
  constantOf,
  isZero,
  NULLABLE,
  type ObjectTarget,
  pointer,
  RCU,
  Register,
  withFlags,
} from '../state/register.ts';
import { mapRegisters } from '../state/state.ts';
import type { Verification } from '../walk/verification.ts';
import type { HelperCall } from './arguments.ts';
import { releaseReference } from './effects.ts';
import { fieldAt } from './lock.ts';

/**
 * Objects that the program allocates, and its lists and trees of them (Documentation/bpf/graph_ds_impl.rst). An object is
 * owned, which is a reference; or borrowed, while it is in a list or tree whose lock is held.
 */

type Rule = (v: Verification, call: HelperCall, index: number, register: Register) => boolean;

/** An object of its own, from its start. */
export const owned: Rule = (v, call, index, register) => {
  if (!isOwned(v, index, register)) return false;
  if (placeOf(register) !== 0)
    return v.refuse('helper-argument', `r${index} does not point to the start of the object`);
  call.reference = register.reference;
  return true;
};

/** An object with a count of its references, owned or borrowed. */
export const refcounted: Rule = (v, call, index, register) => {
  const { kind, flags, target, reference } = register;
  const isAlive = kind === 'object' && !register.nullable && (reference !== 0 || (flags & (BORROWED | RCU)) !== 0);
  if (!isAlive) return refuseObject(v, index, register);
  const { type } = target as ObjectTarget;
  const counts = specialFieldsOfType(v.program.btf!, type).some((field) => field.type === 'bpf_refcount');
  if (!counts) return v.refuse('helper-argument', `r${index} points to an object without a bpf_refcount`);
  if (placeOf(register) !== 0)
    return v.refuse('helper-argument', `r${index} does not point to the start of the object`);
  call.object = register;
  return true;
};

/** The root of a list or tree, whose lock is held. */
export const root =
  (type: 'bpf_list_head' | 'bpf_rb_root'): Rule =>
  (v, call, index, register) => {
    if ((register.kind !== 'map-value' && register.kind !== 'object') || register.nullable) {
      return v.refuse('helper-argument', `r${index} is ${describeKind(register)}: it is to point to a struct ${type}`);
    }
    const field = fieldAt(v, index, register, type);
    if (field === undefined) return false;
    const { lock } = v.state;
    if (lock === null || lock.target !== register.target || lock.id !== register.id) {
      return v.refuse(
        'lock',
        `the spin lock beside the struct ${type} in r${index} is not held`,
        'Call bpf_spin_lock first',
      );
    }
    if (field.contains === undefined) {
      return v.refuse('helper-argument', `what the struct ${type} in r${index} holds is not said`, 'Use __contains');
    }
    call.contains = field.contains;
    return true;
  };

/** An object of its own that goes into the list or tree. */
export const newNode: Rule = (v, call, index, register) => {
  if (!isOwned(v, index, register) || !isNode(v, call, index, register)) return false;
  call.object = register;
  return true;
};

/** An object that is, or may be, in a tree. */
export const nodeInside: Rule = (v, call, index, register) => {
  const { kind, flags, reference, nullable } = register;
  const isAlive = kind === 'object' && !nullable && (reference !== 0 || (flags & BORROWED) !== 0);
  if (!isAlive) return refuseObject(v, index, register);
  return isNode(v, call, index, register);
};

function isOwned(v: Verification, index: number, register: Register): boolean {
  const isSo = register.kind === 'object' && register.reference !== 0 && !register.nullable;
  return isSo || refuseObject(v, index, register);
}

function refuseObject(v: Verification, index: number, register: Register): boolean {
  const help = register.nullable ? 'Compare it with null first' : null;
  return v.refuse(
    'helper-argument',
    `r${index} is ${describeKind(register)}: it is to be an object that is held`,
    help,
  );
}

function isNode(v: Verification, { contains }: HelperCall, index: number, register: Register): boolean {
  const { type, name } = register.target as ObjectTarget;
  if (type === contains?.type && placeOf(register) === contains.offset) return true;
  return v.refuse(
    'helper-argument',
    `r${index} points to byte ${placeOf(register)} of struct ${name}, no node of this list or tree`,
  );
}

/** Bytes from the start of the object; null where that is not constant. */
function placeOf({ offset, value }: Register): number | null {
  return value.isConst ? offset + constantOf(value) : null;
}

/** The object is in the list or tree now: whoever held it borrows it. */
export function giveAway({ state }: Verification, { object }: HelperCall): void {
  const { reference } = object!;
  state.references = state.references.filter((each) => each.id !== reference);
  mapRegisters(state, (register) => {
    if (register.reference !== reference) return register;
    const { kind, flags, value, offset, id, extent, target } = register;
    return new Register(kind, flags | BORROWED, value, offset, id, 0, extent, target);
  });
}

/** A new object of the type that the first argument names. */
export function newObject(v: Verification, { allocated }: HelperCall): Register | undefined {
  const target = objectType(v.program, allocated);
  if (target !== undefined) return held(v, pointer('object', { flags: NULLABLE, target }));
  v.refuse(
    'helper-argument',
    `r1 is ${allocated}, no structure of this program`,
    'Use bpf_obj_new with the name of a struct',
  );
  return undefined;
}

/** The same object once more; one that is only borrowed may be on its way out. */
export function sameObject(v: Verification, { object }: HelperCall): Register {
  const flags = (object!.flags & (BORROWED | RCU)) === 0 ? 0 : NULLABLE;
  return held(v, pointer('object', { flags, target: object!.target }));
}

/** Where a map or an object keeps a pointer that bpf_kptr_xchg exchanges. */
export const keeper: Rule = (v, call, index, register) => {
  const field = fieldAt(v, index, register, KEPT);
  call.kept = field === undefined ? undefined : keptType(v, field);
  if (call.kept !== undefined) return true;
  return v.refuse('not-followed', `what r${index} points to keeps a pointer whose type is not known here`);
};

/** What goes there: of the same type, owned so far. */
export const exchanged: Rule = (v, call, index, register) => {
  if (isZero(register)) return true;
  const { kind, target, reference } = register;
  const fits = kind === call.kept!.kind && target === call.kept!.target && reference !== 0 && !register.nullable;
  if (!fits || placeOf(register) !== 0) {
    return v.refuse(
      'helper-argument',
      `r${index} is ${describeKind(register)}: it is to be null, or held and of the type that is kept`,
    );
  }
  releaseReference(v.state, reference);
  return true;
};

/** What was kept there. */
export function exchangedFor(v: Verification, { kept }: HelperCall): Register {
  return held(v, pointer(kept!.kind, { flags: NULLABLE, target: kept!.target }));
}

/** What a list or tree holds. */
export function element(v: Verification, { contains }: HelperCall): Register {
  const { type, offset } = contains!;
  return held(v, pointer('object', { flags: NULLABLE, offset, target: objectType(v.program, type)! }));
}

/** The same, without taking it out. */
export function borrowed(v: Verification, { contains }: HelperCall): Register {
  const { type, offset } = contains!;
  const target = objectType(v.program, type)!;
  return pointer('object', { flags: NULLABLE | BORROWED, offset, id: v.newId(), target });
}

/** What a tree's order is asked about. */
export function inTree(v: Verification, call: HelperCall): Register {
  return withFlags(borrowed(v, call), BORROWED);
}

function held(v: Verification, { kind, flags, offset, target }: Register): Register {
  const id = v.newId();
  v.state.references = [...v.state.references, { id, pc: v.pc }];
  return pointer(kind, { flags, offset, target, id, reference: id });
}

export type Contains = NonNullable<SpecialField['contains']>;
