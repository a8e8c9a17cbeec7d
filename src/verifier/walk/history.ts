import type { State } from '../state/state.ts';

/**
 * One entry of a state's history is one executed instruction, packed into a small integer: bits 0–19 the pc, bit 20
 * whether it moved a whole stack slot, bits 21–26 which slot, bits 27–29 of which frame.
 */
const PC_BITS = 20;
const PC_MASK = (1 << PC_BITS) - 1;
const STACK = 1 << PC_BITS;
const SLOT_SHIFT = 21;
const FRAME_SHIFT = 27;

/** History entries of which Linux keeps a record; when a state has more than this, it sets a checkpoint. */
export const HEAVY = 40;

export function noteInstruction(state: State, pc: number): void {
  state.history.push(pc);
}

export function noteStackAccess(state: State, frame: number, slot: number): void {
  const { history } = state;
  const last = history.length - 1;
  history[last] = (history[last]! & PC_MASK) | STACK | (slot << SLOT_SHIFT) | (frame << FRAME_SHIFT);
  state.weight++;
}

/** Registers and slots whose scalars the current instruction narrows together; see `linkCode`. */
export function noteLinks(state: State, links: readonly number[]): void {
  state.links ??= new Map();
  state.links.set(state.history.length - 1, links);
  state.weight++;
}

export const entryPc = (entry: number): number => entry & PC_MASK;
export const entryIsStack = (entry: number): boolean => (entry & STACK) !== 0;
export const entrySlot = (entry: number): number => (entry >> SLOT_SHIFT) & 63;
export const entryFrame = (entry: number): number => (entry >> FRAME_SHIFT) & 7;

/** A register (0–9) or a slot (16 + n) of a frame. */
export const linkCode = (frame: number, place: number): number => (frame << 8) | place;
export const linkFrame = (code: number): number => code >> 8;
export const linkPlace = (code: number): number => code & 255;
export const SLOT_PLACE = 16;
