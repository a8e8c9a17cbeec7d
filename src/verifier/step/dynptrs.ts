import { noteStackRead, slotAt, stackRegion } from '../regions/stack.ts';
import { dynptrIn, eraseDynptrsOf, makeDynptr } from '../state/dynptrs.ts';
import { constantOf, type DynptrTarget, type DynptrType, type Register } from '../state/register.ts';
import type { Frame } from '../state/state.ts';
import type { Verification } from '../walk/verification.ts';
import type { HelperCall } from './arguments.ts';
import { releaseReference } from './effects.ts';

/** What a dynptr that a function makes points into; bpf_dynptr_clone makes one like its first argument. */
const MAKES: Readonly<Record<string, DynptrType>> = {
  dynptr_from_mem: 'local',
  ringbuf_reserve_dynptr: 'ringbuf',
  dynptr_from_skb: 'skb',
  dynptr_from_skb_meta: 'skb-meta',
  dynptr_from_xdp: 'xdp',
};

const BYTES = 16;
const STACK_SIZE = 512;

interface Place {
  readonly frame: Frame;
  /** Of the half with the lower address. */
  readonly slot: number;
  /** From the frame pointer. */
  readonly offset: number;
}

/** Where on the stack a register points, if a dynptr could be there. */
function placeOf(v: Verification, { kind, offset, value, extent }: Register): Place | undefined {
  if (kind !== 'stack' || !value.isConst) return undefined;
  const at = offset + constantOf(value);
  if (at < -STACK_SIZE || at > -BYTES || at % 8 !== 0) return undefined;
  return { frame: v.state.frames[extent]!, slot: slotAt(at), offset: at };
}

/** The dynptr that an argument is; on the stack, or in the kernel's memory where nobody may change it. */
export function takeDynptr(v: Verification, call: HelperCall, index: number, register: Register): boolean {
  if (register.kind === 'dynptr') {
    if (register.offset !== 0 || !register.value.isConst) {
      return v.refuse('helper-argument', `r${index} does not point to the start of the dynptr`);
    }
    call.dynptr ??= register as Register & { readonly target: DynptrTarget };
    return true;
  }
  const place = placeOf(v, register);
  const found = place === undefined ? undefined : dynptrIn(place.frame, place.slot);
  if (place === undefined || found === undefined) {
    return v.refuse(
      'helper-argument',
      `there is no dynptr where r${index} points`,
      'Make one first: bpf_dynptr_from_xdp …',
    );
  }
  noteStackRead(v, place.frame, place.offset, place.offset + BYTES);
  call.dynptr ??= found;
  return true;
}

export function takeRecord(v: Verification, _call: HelperCall, index: number, register: Register): boolean {
  const place = placeOf(v, register);
  const found = place === undefined ? undefined : dynptrIn(place.frame, place.slot);
  if (place === undefined || found === undefined || found.reference === 0) {
    return v.refuse('not-acquired', `r${index} points to no dynptr that holds a record of a ring buffer`);
  }
  noteStackRead(v, place.frame, place.offset, place.offset + BYTES);
  eraseDynptrsOf(v.state, found.reference);
  releaseReference(v.state, found.reference);
  return true;
}

/** 16 bytes of stack become a dynptr. */
export function newDynptr(v: Verification, call: HelperCall, index: number, register: Register): boolean {
  const place = placeOf(v, register);
  if (place === undefined) {
    return v.refuse('helper-argument', `r${index} is to point to room for a dynptr: 16 aligned bytes of the stack`);
  }
  for (const offset of [0, 8]) {
    if (!stackRegion.write(v, { base: register, index, offset, size: 8 }, null, null)) return false;
  }
  const { frame, slot } = place;
  const like = call.helper.name === 'dynptr_clone' ? call.dynptr : null;
  const type = like?.target.type ?? MAKES[call.helper.name];
  if (type === undefined) {
    return v.refuse('not-followed', `the dynptr that bpf_${call.helper.name} makes is not followed by this verifier`);
  }
  let reference = like?.reference ?? 0;
  if (like === null && type === 'ringbuf') {
    reference = v.newId();
    v.state.references = [...v.state.references, { id: reference, pc: v.pc }];
  }
  makeDynptr(frame, slot, { kind: 'dynptr', type }, reference);
  return true;
}
