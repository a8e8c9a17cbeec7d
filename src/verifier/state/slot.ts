import type { Register } from './register.ts';

/**
 * Eight bytes of stack, aligned. Each byte has a state of its own, four bits in `bytes`, the byte of lowest address in
 * the lowest bits. Slots are immutable and shared.
 */
export interface Slot {
  readonly bytes: number;
  /** What was spilled here, when the lowest byte is part of a spill. */
  readonly spilled: Register | null;
}

/** States of a byte. */
export const INVALID = 0;
export const MISC = 1;
export const ZEROED = 2;
export const SPILLED = 3;
/** Part of an object that only helpers and kfuncs touch: a dynptr, an iterator. */
export const OBJECT = 4;

/** Never written. */
export const EMPTY_SLOT: Slot = { bytes: 0, spilled: null };
export const MISC_SLOT: Slot = { bytes: 0x1111_1111, spilled: null };
const ZERO_SLOT: Slot = { bytes: 0x2222_2222, spilled: null };
const FULL_SPILL = 0x3333_3333;

export function byteOf(slot: Slot, byte: number): number {
  return (slot.bytes >>> (byte * 4)) & 15;
}

export function slotOf(bytes: number, spilled: Register | null): Slot {
  if (spilled === null) {
    if (bytes === 0) return EMPTY_SLOT;
    if (bytes === MISC_SLOT.bytes) return MISC_SLOT;
    if (bytes === ZERO_SLOT.bytes) return ZERO_SLOT;
  }
  return { bytes, spilled };
}

export function setByte(bytes: number, byte: number, state: number): number {
  const shift = byte * 4;
  return (bytes & ~(15 << shift)) | (state << shift);
}

/** Bytes of a spill, from the lowest on; 0 where nothing is spilled. */
export function spillSize(slot: Slot): number {
  if (slot.spilled === null || byteOf(slot, 0) !== SPILLED) return 0;
  let size = 1;
  while (size < 8 && byteOf(slot, size) === SPILLED) size++;
  return size;
}

/** Linux keeps what it knows better about the bytes beside a narrow spill: zeroes, and bytes never written. */
export function spill(old: Slot, register: Register, size: number): Slot {
  if (size === 8) return { bytes: FULL_SPILL, spilled: register };
  let { bytes } = old;
  for (let byte = 0; byte < 8; byte++) {
    const was = (bytes >>> (byte * 4)) & 15;
    if (byte < size) bytes = setByte(bytes, byte, SPILLED);
    else if (was !== ZEROED && was !== INVALID) bytes = setByte(bytes, byte, MISC);
  }
  return { bytes, spilled: register };
}

/** The spill is overwritten in part: what stays of it is only bytes. */
export function forgetSpill(slot: Slot): Slot {
  if (slot.spilled === null) return slot;
  let { bytes } = slot;
  for (let byte = 0; byte < 8; byte++) if (byteOf(slot, byte) !== INVALID) bytes = setByte(bytes, byte, MISC);
  return slotOf(bytes, null);
}
