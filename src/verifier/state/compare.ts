import { equal, includes } from '../values/relation.ts';
import { ANYTHING, DELTAS, type DynptrTarget, PRECISE, type Register } from './register.ts';
import { byteOf, INVALID, MISC, MISC_SLOT, OBJECT, type Slot, SPILLED, spillSize } from './slot.ts';
import { FRAME_POINTER, type Frame, type State } from './state.ts';

/**
 * How alike two states must be.
 * `loose`: what decided nothing in the old state may differ. `round`: every value must be among the old ones.
 * `within`: and stack must have been written alike. `exact`: the same values.
 */
export type Likeness = 'loose' | 'round' | 'within' | 'exact';

/** Ids are names: states are alike when the names of one can be exchanged for those of the other. */
class Renaming {
  readonly #old: number[] = [];
  readonly #new: number[] = [];
  #fresh = -1;

  matches(old: number, now: number): boolean {
    if (old === 0 || now === 0) return old === now;
    for (let i = 0; i < this.#old.length; i++) {
      if (this.#old[i] === old) return this.#new[i] === now;
      if (this.#new[i] === now) return false;
    }
    this.#old.push(old);
    this.#new.push(now);
    return true;
  }

  /** A scalar without an id stands for itself alone. */
  matchesScalar(old: number, now: number): boolean {
    return this.matches(old === 0 ? this.#fresh-- : old, now === 0 ? this.#fresh-- : now);
  }

  clear(): void {
    this.#old.length = 0;
    this.#new.length = 0;
  }
}

const renaming = new Renaming();

/** Whether a path that begins in `now` can bring nothing that did not come up after `old`, which was explored at the same pc. */
export function alike(old: State, now: State, likeness: Likeness, liveRegisters: (pc: number) => number): boolean {
  const depth = old.frames.length;
  if (depth !== now.frames.length) return false;
  for (let i = 0; i < depth; i++) if (old.frames[i]!.callsite !== now.frames[i]!.callsite) return false;
  renaming.clear();
  if (!sameHoldings(old, now)) return false;
  for (let i = 0; i < depth; i++) {
    const pc = i === depth - 1 ? old.pc : old.frames[i + 1]!.callsite;
    if (!framesAlike(old.frames[i]!, now.frames[i]!, likeness, liveRegisters(pc))) return false;
  }
  return true;
}

/** Whether the running function's registers are the same to the last, dead ones and names included. */
export function sameRegisters(old: State, now: State): boolean {
  return old.frame.registers.every((was, i) => {
    const is = now.frame.registers[i]!;
    return same(was, is) && was.id === is.id && was.reference === is.reference;
  });
}

function sameHoldings(old: State, now: State): boolean {
  if (old.references.length !== now.references.length) return false;
  for (let i = 0; i < old.references.length; i++) {
    if (!renaming.matches(old.references[i]!.id, now.references[i]!.id)) return false;
  }
  if (old.rcu !== now.rcu || old.preempt !== now.preempt) return false;
  if ((old.lock === null) !== (now.lock === null)) return false;
  return old.lock === null || (old.lock.target === now.lock!.target && renaming.matches(old.lock.id, now.lock!.id));
}

function framesAlike(old: Frame, now: Frame, likeness: Likeness, live: number): boolean {
  if (old.callbackDepth > now.callbackDepth) return false;
  for (let i = 0; i < FRAME_POINTER; i++) {
    if ((live & (1 << i)) !== 0 && !registersAlike(old.registers[i]!, now.registers[i]!, likeness)) return false;
  }
  return stacksAlike(old, now, likeness);
}

function registersAlike(old: Register, now: Register, likeness: Likeness): boolean {
  if (likeness === 'exact') return same(old, now) && idsMatch(old, now);
  if (old.kind === 'unset') return true;
  if (old.kind !== now.kind || ((old.flags ^ now.flags) & ~(PRECISE | DELTAS)) !== 0) return false;
  switch (old.kind) {
    case 'scalar':
      if ((old.flags & PRECISE) === 0 && likeness === 'loose') return true;
      // Nothing was concluded from what the old number was linked with, if it was with none.
      if (old.id === 0) return includes(old.value, now.value);
      if (((old.flags ^ now.flags) & DELTAS) !== 0 || old.offset !== now.offset) return false;
      return includes(old.value, now.value) && renaming.matchesScalar(old.id, now.id);
    case 'map-value':
    case 'map-key':
    case 'memory':
      return (
        old.offset === now.offset &&
        old.extent === now.extent &&
        old.target === now.target &&
        includes(old.value, now.value) &&
        idsMatch(old, now)
      );
    case 'iterator':
      // Rounds are counted only to tell loops apart that do and do not make progress.
      return old.extent === now.extent && renaming.matches(old.reference, now.reference);
    case 'dynptr':
      // Memory that was got through it is told apart by which it is; of the dynptr itself only its kind matters.
      return (
        old.extent === now.extent &&
        (old.target as DynptrTarget).type === (now.target as DynptrTarget).type &&
        renaming.matches(old.reference, now.reference)
      );
    case 'packet':
    case 'packet-meta':
      // What was read safely before is there still when no less of the packet is known to be.
      return (
        old.extent <= now.extent &&
        old.offset === now.offset &&
        renaming.matches(old.id, now.id) &&
        includes(old.value, now.value)
      );
    default:
      return same(old, now) && idsMatch(old, now);
  }
}

function idsMatch(old: Register, now: Register): boolean {
  return renaming.matches(old.id, now.id) && renaming.matches(old.reference, now.reference);
}

function same(old: Register, now: Register): boolean {
  return (
    old.kind === now.kind &&
    ((old.flags ^ now.flags) & ~PRECISE) === 0 &&
    old.offset === now.offset &&
    old.extent === now.extent &&
    old.target === now.target &&
    equal(old.value, now.value)
  );
}

/** The slot as a scalar, if reading all of it gives one. */
function asScalar(slot: Slot): Register | null {
  if (slot === MISC_SLOT) return ANYTHING;
  return slot.spilled?.kind === 'scalar' && spillSize(slot) === 8 ? slot.spilled : null;
}

/** Whether stack must have been written alike: rounds of an iterator may differ there, and those of `may_goto` may not, as Linux 6.18 answers. */
const keepsBytes = (likeness: Likeness): boolean => likeness === 'within' || likeness === 'exact';

function stacksAlike(old: Frame, now: Frame, likeness: Likeness): boolean {
  for (let i = 0; i < old.slots.length; i++) {
    const was = old.slots[i]!;
    const is = now.slot(i);
    if (was.bytes === 0 && !keepsBytes(likeness)) continue;
    if (was === is && (was.spilled === null || likeness === 'loose')) {
      if (was.spilled === null || !(was.spilled.id || was.spilled.reference)) continue;
    }
    if (!slotsAlike(was, is, likeness)) return false;
  }
  return true;
}

function slotsAlike(was: Slot, is: Slot, likeness: Likeness): boolean {
  if (keepsBytes(likeness) && was.bytes !== is.bytes) return false;
  const wasScalar = asScalar(was);
  const isScalar = wasScalar === null ? null : asScalar(is);
  if (wasScalar !== null && isScalar !== null && was !== MISC_SLOT)
    return registersAlike(wasScalar, isScalar, likeness);
  for (let byte = 0; byte < 8; byte++) {
    const old = byteOf(was, byte);
    // Programs with CAP_PERFMON may read bytes that were never written, so that these say no more than any byte.
    if (old === INVALID || old === MISC) continue;
    const now = byteOf(is, byte);
    if (old !== now) return false;
  }
  const kind = byteOf(was, 0);
  if (kind === SPILLED || kind === OBJECT) return registersAlike(was.spilled!, is.spilled!, likeness);
  return true;
}

/** Of states that are alike: whether the new one has bytes of stack that were never written where the old one's were. */
export function wroteLess(old: State, now: State): boolean {
  return old.frames.some((frame, i) =>
    frame.slots.some((was, slot) => {
      const is = now.frames[i]!.slot(slot);
      if (was.bytes === is.bytes || was.bytes === 0) return false;
      for (let byte = 0; byte < 8; byte++) {
        if (byteOf(was, byte) !== INVALID && byteOf(is, byte) === INVALID) return true;
      }
      return false;
    }),
  );
}
