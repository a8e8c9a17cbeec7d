import type { Register } from './register.ts';
import type { Slot } from './slot.ts';

/** Registers and stack of one frame at one moment. The values are immutable, so that keeping them is cheap. */
export interface FrameTrace {
  readonly registers: readonly Register[];
  readonly slots: readonly Slot[];
}

/** One step of a path: what was known before the instruction at `pc`, and the step before. */
export interface Trail {
  readonly pc: number;
  readonly frames: readonly FrameTrace[];
  /** What is acquired and not released. */
  readonly references: readonly { readonly id: number; readonly pc: number }[];
  readonly parent: Trail | null;
}
