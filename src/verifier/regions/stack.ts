import { describeScalar } from '../report/words.ts';
import { eraseDynptr } from '../state/dynptrs.ts';
import {
  ANYTHING,
  constantOf,
  constantRegister,
  isPointer,
  isZero,
  NOTHING,
  type Register,
  signedMax,
  signedMin,
  unlinked,
  widthOf,
  withId,
} from '../state/register.ts';
import {
  byteOf,
  forgetSpill,
  INVALID,
  MISC,
  OBJECT,
  SPILLED,
  setByte,
  slotOf,
  spill,
  spillSize,
  ZEROED,
} from '../state/slot.ts';
import type { Frame } from '../state/state.ts';
import { nameFor } from '../step/alu.ts';
import { markPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';
import type { Access, Region } from './region.ts';

/** MAX_BPF_STACK of Linux. */
const STACK_SIZE = 512;
const FARTHEST = 1 << 29;

/** Offsets from the frame pointer, both inclusive, at which an access may begin. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

export const stackRegion: Region = {
  read(v, access) {
    const span = stackSpan(v, access);
    if (span === undefined) return undefined;
    const frame = frameOf(v, access);
    return span.first === span.last ? readFixed(v, access, frame, span.first) : readVariable(v, access, frame, span);
  },
  write(v, access, value, constant) {
    const span = stackSpan(v, access);
    if (span === undefined) return false;
    const frame = frameOf(v, access);
    if (span.first === span.last) return writeFixed(v, access, frame, span.first, value, constant);
    return writeVariable(v, access, frame, span, value === null ? constant === 0 : isZero(value));
  },
};

export function frameOf(v: Verification, { base }: Access): Frame {
  return v.state.frames[base.extent]!;
}

/** Where an access to the stack begins; undefined when it may leave the stack. Counts the bytes as used. */
export function stackSpan(v: Verification, access: Access): Span | undefined {
  const { base, index, size } = access;
  const offset = access.offset + base.offset;
  const least = base.value.isConst ? constantOf(base.value) : signedMin(base.value);
  const most = base.value.isConst ? least : signedMax(base.value);
  if (least <= -FARTHEST || most >= FARTHEST) {
    v.refuse(
      'stack-access',
      `r${index} points to the stack plus ${describeScalar(base.value)}, which has no bound`,
      'Compare the index with its least and greatest value first',
    );
    return undefined;
  }
  const first = offset + least;
  const last = offset + most;
  if (first < -STACK_SIZE || first > -1 || last + size > 0 || size < 0) {
    const where = first === last ? `${first}` : `${first} to ${last}`;
    v.refuse(
      'stack-access',
      `${size} bytes of stack at r10${where.startsWith('-') ? '' : '+'}${where}: the stack is r10-${STACK_SIZE} to r10-1`,
      first < -STACK_SIZE ? 'Keep large data in a map' : null,
    );
    return undefined;
  }
  v.needStack(frameOf(v, access), -first);
  return { first, last };
}

/** Slot and byte within it of an offset from the frame pointer. */
export const slotAt = (offset: number): number => (-offset - 1) >> 3;
const byteAt = (offset: number): number => (offset & 7) as number;

/** Says that the slots of a span are read here. */
export function noteStackRead(v: Verification, frame: Frame, first: number, end: number): void {
  let low = 0;
  let high = 0;
  for (let slot = slotAt(end - 1); slot <= slotAt(first); slot++) {
    if (slot < 32) low |= 1 << slot;
    else high |= 1 << (slot & 31);
  }
  v.frame.chain.read(v.pc, frame.number, low, high);
}

function readFixed(v: Verification, access: Access, frame: Frame, offset: number): Register | undefined {
  const { size } = access;
  noteStackRead(v, frame, offset, offset + size);
  const index = slotAt(offset);
  const slot = frame.slot(index);
  const spilled = spillSize(slot);
  if (spilled === 0) return readBytes(v, frame, offset, size);
  const register = slot.spilled!;
  if (size === 8 && spilled === 8) {
    v.touchSlot(frame.number, index);
    return register;
  }
  if (register.kind !== 'scalar') {
    v.refuse('stack-access', `${size} bytes of a spilled pointer at r10${offset} are read`, 'Read all 8 bytes of it');
    return undefined;
  }
  if (size <= spilled && byteAt(offset) === 0) {
    v.touchSlot(frame.number, index);
    return widthOf(register) > size * 8 ? unlinked(register) : register;
  }
  const within = bytesIn(frame, offset, size);
  if (within.spilled === size && isZero(register)) {
    v.touchSlot(frame.number, index);
    return NOTHING;
  }
  return readBytes(v, frame, offset, size);
}

function bytesIn(frame: Frame, offset: number, size: number): { spilled: number; zeroed: number } {
  let spilled = 0;
  let zeroed = 0;
  for (let at = offset; at < offset + size; at++) {
    const byte = byteOf(frame.slot(slotAt(at)), byteAt(at));
    if (byte === SPILLED) spilled++;
    else if (byte === ZEROED) zeroed++;
  }
  return { spilled, zeroed };
}

function readBytes(v: Verification, frame: Frame, offset: number, size: number): Register | undefined {
  for (let at = offset; at < offset + size; at++) {
    const byte = byteOf(frame.slot(slotAt(at)), byteAt(at));
    if (byte === INVALID) v.unwritten.add(v.pc);
    if (byte === OBJECT) {
      v.refuse('stack-access', `byte r10${at} is read, which is part of an object that only the kernel reads`);
      return undefined;
    }
  }
  return bytesIn(frame, offset, size).zeroed === size ? NOTHING : ANYTHING;
}

function readVariable(v: Verification, { size }: Access, frame: Frame, { first, last }: Span): Register | undefined {
  noteStackRead(v, frame, first, last + size);
  return readBytes(v, frame, first, last + size - first);
}

function writeFixed(
  v: Verification,
  access: Access,
  frame: Frame,
  offset: number,
  value: Register | null,
  constant: number | null,
): boolean {
  const { size } = access;
  const index = slotAt(offset);
  if (byteOf(frame.slot(index), 0) === OBJECT && !overwriteObject(v, frame, index, offset)) return false;
  const slot = frame.slot(index);
  if (size === 8 && byteAt(offset) === 0) v.wroteSlot(frame.number, index);
  const aligned = byteAt(offset) === 0;
  if (aligned && (value === null ? constant !== null : value.kind === 'scalar')) {
    const stored = value === null ? constantRegister(constant!) : named(v, access, value);
    const fits = widthOf(stored) <= size * 8;
    v.touchSlot(frame.number, index);
    frame.setSlot(index, spill(slot, fits ? stored : withId(unlinked(stored), 0), size));
    return true;
  }
  if (value !== null && isPointer(value)) {
    if (size !== 8 || !aligned) {
      return v.refuse(
        'stack-access',
        `${size} bytes of a pointer are written to r10${offset}`,
        'Write all 8 bytes of it, aligned',
      );
    }
    if (frame !== v.frame && value.kind === 'stack') {
      return v.refuse(
        'stack-access',
        `a pointer to the stack of ${v.functionName(v.pc)} is written to the stack of its caller`,
      );
    }
    v.touchSlot(frame.number, index);
    frame.setSlot(index, spill(slot, value, size));
    return true;
  }
  const zero = value === null ? constant === 0 : isZero(value);
  // That these bytes are zero is used from now on, whatever else comes to hold the number.
  if (zero && value !== null) markPreciseSource(v);
  let { bytes } = forgetSpill(slot);
  for (let i = 0; i < size; i++) bytes = setByte(bytes, byteAt(offset) + i, zero ? ZEROED : MISC);
  frame.setSlot(index, slotOf(bytes, null));
  return true;
}

/** A scalar that is spilled whole stays linked to the register that it came from. */
function named(v: Verification, { size }: Access, value: Register): Register {
  if (widthOf(value) > size * 8) return value;
  const given = nameFor(v, value);
  const { instruction } = v;
  if (given !== value && instruction.kind === 'store' && 'reg' in instruction.src) v.set(instruction.src.reg, given);
  return given;
}

function markPreciseSource(v: Verification): void {
  const { instruction } = v;
  if (instruction.kind === 'store' && 'reg' in instruction.src) markPrecise(v, instruction.src.reg);
}

/** A store over an object ends it; not over a dynptr that holds a record. */
function overwriteObject(v: Verification, frame: Frame, slot: number, offset: number): boolean {
  const { kind, reference } = frame.slot(slot).spilled!;
  if (kind !== 'dynptr') return true;
  if (reference !== 0) {
    return v.refuse(
      'stack-access',
      `the dynptr at r10${offset} is overwritten, which holds a record of a ring buffer`,
      'Call bpf_ringbuf_submit_dynptr or bpf_ringbuf_discard_dynptr first',
    );
  }
  eraseDynptr(v.state, frame, slot);
  return true;
}

function refuseObject(v: Verification, offset: number): false {
  return v.refuse('stack-access', `memory that is handed over has an object of the kernel's at r10${offset}`);
}

/** Any of the bytes may be written, or not: what was known of them is known no more. */
function writeVariable(
  v: Verification,
  { size, index }: Access,
  frame: Frame,
  { first, last }: Span,
  zero: boolean,
): boolean {
  if (first !== last) markPrecise(v, index);
  let keptZero = false;
  for (let at = first; at < last + size; at++) {
    const slotIndex = slotAt(at);
    const byte = byteAt(at);
    if (byteOf(frame.slot(slotIndex), byte) === OBJECT && !overwriteObject(v, frame, slotIndex, at)) return false;
    const slot = frame.slot(slotIndex);
    const was = byteOf(slot, byte);
    // It may not be this byte that is written, and counts as written from now on.
    if (was === INVALID && first !== last) v.unwritten.add(v.pc);
    if (zero && was === SPILLED && slot.spilled !== null && isZero(slot.spilled)) {
      keptZero = true;
      continue;
    }
    const stays = zero && was === ZEROED;
    keptZero ||= stays;
    const { bytes } = slot.spilled === null ? slot : forgetSpill(slot);
    frame.setSlot(slotIndex, slotOf(setByte(bytes, byte, stays ? ZEROED : MISC), null));
  }
  if (keptZero) markPreciseSource(v);
  return true;
}

/**
 * A helper reads, and perhaps writes, memory on the stack. Programs with CAP_PERFMON may hand over bytes that they
 * never wrote. `clobbers`: the helper writes there, from a variable offset on.
 */
export function helperTouchesStack(
  v: Verification,
  frame: Frame,
  first: number,
  end: number,
  clobbers: boolean,
): boolean {
  for (let at = first; at < end; at++) {
    const slotIndex = slotAt(at);
    const slot = frame.slot(slotIndex);
    const was = byteOf(slot, byteAt(at));
    if (was === OBJECT) return refuseObject(v, at);
    if (was === INVALID) v.unwritten.add(v.pc);
    if (!clobbers || was === MISC) continue;
    if (slot.spilled !== null) frame.setSlot(slotIndex, forgetSpill(slot));
    else if (was !== INVALID) frame.setSlot(slotIndex, slotOf(setByte(slot.bytes, byteAt(at), MISC), null));
  }
  if (end > first) noteStackRead(v, frame, first, end);
  return true;
}

/** A helper writes all of these bytes. */
export function helperWritesStack(v: Verification, frame: Frame, offset: number, size: number): boolean {
  for (let at = offset; at < offset + size; at++) {
    const slotIndex = slotAt(at);
    const slot = frame.slot(slotIndex);
    if (byteOf(slot, 0) === OBJECT) return refuseObject(v, at);
    frame.setSlot(slotIndex, slotOf(setByte(forgetSpill(slot).bytes, byteAt(at), MISC), null));
  }
  return true;
}
