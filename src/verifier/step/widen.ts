import { ANYTHING, PRECISE, type Register } from '../state/register.ts';
import { FRAME_POINTER, type State } from '../state/state.ts';
import { equal } from '../values/relation.ts';

/**
 * Scalars that change from round to round of a loop without a known end, and decide nothing, are given up: so the
 * rounds become alike. `from`: the checkpoint from which to look for that of the round before, at `pc`.
 */
export function widen(state: State, from: State | null, pc: number): void {
  let before = from;
  while (before !== null && !(before.pc === pc && sameCalls(before, state))) before = before.parent;
  if (before === null) return;
  for (const [number, frame] of state.frames.entries()) {
    const old = before.frames[number]!;
    for (let i = 0; i < FRAME_POINTER; i++) {
      const widened = widerOf(old.registers[i]!, frame.registers[i]!);
      if (widened !== frame.registers[i]) frame.registers[i] = widened;
    }
    for (let i = 0; i < frame.slots.length; i++) {
      const slot = frame.slots[i]!;
      const was = old.slot(i);
      if (slot.spilled === null || was.spilled === null) continue;
      const widened = widerOf(was.spilled, slot.spilled);
      if (widened !== slot.spilled) frame.slots[i] = { bytes: slot.bytes, spilled: widened };
    }
  }
}

function sameCalls(a: State, b: State): boolean {
  return a.frames.length === b.frames.length && a.frames.every((frame, i) => frame.callsite === b.frames[i]!.callsite);
}

function widerOf(old: Register, now: Register): Register {
  if (old.kind !== 'scalar' || now.kind !== 'scalar' || ((old.flags | now.flags) & PRECISE) !== 0) return now;
  return equal(old.value, now.value) && old.id === now.id ? now : ANYTHING;
}
