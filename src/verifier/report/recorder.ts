import type { State } from '../state/state.ts';
import type { FrameTrace, Trail } from '../state/trail.ts';
import type { Observer } from '../walk/verification.ts';

export interface Recorder {
  readonly observer: Observer;
  /** The last step that was begun. */
  last(): Trail | null;
}

/** Leaves a trail on each state. What paths have in common is kept once, and what no open path leads to is let go. */
export function recorder(): Recorder {
  let last: Trail | null = null;
  return {
    observer: (pc, _frame, _registers, state) => {
      const parent: Trail | null = state.trail;
      last = { pc, frames: framesOf(state, parent), references: state.references, parent };
      state.trail = last;
    },
    last: () => last,
  };
}

function framesOf(state: State, parent: Trail | null): FrameTrace[] {
  return state.frames.map(({ registers, slots }, i) => {
    const before = parent?.frames[i];
    const sameRegisters = before !== undefined && isSame(before.registers, registers);
    const sameSlots = before !== undefined && isSame(before.slots, slots);
    if (sameRegisters && sameSlots) return before;
    return {
      registers: sameRegisters ? before.registers : registers.slice(),
      slots: sameSlots ? before.slots : slots.slice(),
    };
  });
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
