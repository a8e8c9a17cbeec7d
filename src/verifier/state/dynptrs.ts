import { ZERO } from '../values/scalar.ts';
import { ANYTHING, type DynptrTarget, PACKET_SLICE, READ_ONLY, Register } from './register.ts';
import { byteOf, EMPTY_SLOT, OBJECT } from './slot.ts';
import { type Frame, mapRegisters, type State } from './state.ts';

/**
 * A dynptr takes two slots of the stack. The register in each says which half it is (`extent`), what it is a dynptr to
 * (`target`), and, where it holds a record, the reference to it.
 */
const FIRST = 0;
const SECOND = 1;
const OBJECT_BYTES = 0x4444_4444;

/** The first half has the lower address, and so the higher number. */
export function makeDynptr(frame: Frame, slot: number, target: DynptrTarget, reference: number): void {
  const half = (extent: number) => new Register('dynptr', 0, ZERO, 0, 0, reference, extent, target);
  frame.setSlot(slot, { bytes: OBJECT_BYTES, spilled: half(FIRST) });
  frame.setSlot(slot - 1, { bytes: OBJECT_BYTES, spilled: half(SECOND) });
}

/** The dynptr whose first half is in the slot; undefined when none begins there. */
export function dynptrIn(frame: Frame, slot: number): (Register & { readonly target: DynptrTarget }) | undefined {
  const { spilled } = frame.slot(slot);
  const isFirst = spilled?.kind === 'dynptr' && spilled.extent === FIRST && byteOf(frame.slot(slot), 0) === OBJECT;
  return isFirst ? (spilled as Register & { readonly target: DynptrTarget }) : undefined;
}

/** The dynptr that has a half in the slot is no more. Memory that can be written through it goes with it, but for slices of the packet. */
export function eraseDynptr(state: State, frame: Frame, slot: number): void {
  const { extent, target } = frame.slot(slot).spilled!;
  const first = extent === FIRST ? slot : slot + 1;
  frame.setSlot(first, EMPTY_SLOT);
  frame.setSlot(first - 1, EMPTY_SLOT);
  mapRegisters(state, (register) =>
    register.kind === 'memory' && register.target === target && (register.flags & (READ_ONLY | PACKET_SLICE)) === 0
      ? ANYTHING
      : register,
  );
}

/** The record is given away: all dynptrs to it are no more. */
export function eraseDynptrsOf(state: State, reference: number): void {
  for (const frame of state.frames) {
    for (let i = 0; i < frame.slots.length; i++) {
      const { spilled } = frame.slots[i]!;
      if (spilled?.kind === 'dynptr' && spilled.reference === reference) frame.slots[i] = EMPTY_SLOT;
    }
  }
}

/** Flags of memory that is got through a dynptr as a slice. */
export function sliceFlags({ type }: DynptrTarget): number {
  return type === 'skb' || type === 'xdp' || type === 'skb-meta' ? PACKET_SLICE : 0;
}
