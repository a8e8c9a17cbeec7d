import { slotAt, stackRegion } from '../regions/stack.ts';
import { ANYTHING, constantOf, NOTHING, pointer, READ_ONLY, Register } from '../state/register.ts';
import { EMPTY_SLOT, type Slot } from '../state/slot.ts';
import type { Frame } from '../state/state.ts';
import { ZERO } from '../values/scalar.ts';
import type { Verification } from '../walk/verification.ts';
import { readable } from './alu.ts';
import { clobber } from './effects.ts';
import { widen } from './widen.ts';

/** What a slot of an iterator holds in its `extent`; its `offset` counts the rounds. */
const ACTIVE = 1;
const DRAINED = 2;
const OBJECT_BYTES = 0x4444_4444;

interface Place {
  readonly frame: Frame;
  readonly slot: number;
}

/** int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end): 8 bytes of stack become an iterator. */
export function newIterator(v: Verification): boolean {
  const place = placeOf(v);
  if (place === undefined) return false;
  for (const index of [2, 3]) {
    if (!readable(v, index)) return false;
    if (v.register(index).kind !== 'scalar') return v.refuse('helper-argument', `r${index} is to be a number`);
  }
  const { frame, slot } = place;
  if (frame.slot(slot).spilled?.kind === 'iterator')
    return v.refuse('helper-argument', 'there is an iterator already where r1 points');
  const base = v.register(1);
  if (!stackRegion.write(v, { base, index: 1, offset: 0, size: 8 }, null, null)) return false;
  const id = v.newId();
  v.state.references = [...v.state.references, { id, pc: v.pc }];
  frame.setSlot(slot, iterator(id, ACTIVE, 0));
  v.wroteSlot(frame.number, slot);
  v.needStack(frame, 8 * (slot + 1));
  clobber(v.frame);
  return v.set(0, ANYTHING);
}

/** int *bpf_iter_num_next(struct bpf_iter_num *it): a number, or null when there is none left. */
export function nextOfIterator(v: Verification): boolean {
  const place = existing(v);
  if (place === undefined) return false;
  const { frame, slot } = place;
  const { extent, offset, reference } = frame.slot(slot).spilled!;
  clobber(v.frame);
  if (extent === ACTIVE) {
    const more = v.fork(v.pc + 1);
    if (more === undefined) return false;
    more.frames[frame.number]!.setSlot(slot, iterator(reference, ACTIVE, offset + 1));
    widen(more, v.state.parent?.parent ?? null, v.pc);
    more.frame.registers[0] = pointer('memory', { extent: 4, flags: READ_ONLY });
    frame.setSlot(slot, iterator(reference, DRAINED, offset));
  }
  return v.set(0, NOTHING);
}

/** void bpf_iter_num_destroy(struct bpf_iter_num *it). */
export function destroyIterator(v: Verification): boolean {
  const place = existing(v);
  if (place === undefined) return false;
  const { frame, slot } = place;
  const { reference } = frame.slot(slot).spilled!;
  v.state.references = v.state.references.filter((each) => each.id !== reference);
  frame.setSlot(slot, EMPTY_SLOT);
  clobber(v.frame);
  return true;
}

function iterator(id: number, state: number, rounds: number): Slot {
  return { bytes: OBJECT_BYTES, spilled: new Register('iterator', 0, ZERO, rounds, 0, id, state, null) };
}

function placeOf(v: Verification): Place | undefined {
  if (!readable(v, 1)) return undefined;
  const { kind, offset, value, extent } = v.register(1);
  const at = kind === 'stack' && value.isConst ? offset + constantOf(value) : 0;
  if (at < 0 && at >= -512 && at % 8 === 0) return { frame: v.state.frames[extent]!, slot: slotAt(at) };
  v.refuse('helper-argument', 'r1 is to point to an iterator: 8 aligned bytes of the stack');
  return undefined;
}

function existing(v: Verification): Place | undefined {
  const place = placeOf(v);
  if (place === undefined) return undefined;
  const { spilled } = place.frame.slot(place.slot);
  if (spilled?.kind === 'iterator') {
    const high = place.slot >= 32;
    const bit = 1 << (place.slot & 31);
    v.frame.chain.read(v.pc, place.frame.number, high ? 0 : bit, high ? bit : 0);
    return place;
  }
  v.refuse('helper-argument', 'r1 points to no iterator that was made with bpf_iter_num_new');
  return undefined;
}
