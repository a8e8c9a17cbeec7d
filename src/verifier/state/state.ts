import type { LoopVisit } from '../walk/loops.ts';
import type { CallChain } from '../walk/stack-liveness.ts';
import { PRECISE, pointer, type Register, UNSET, withFlags } from './register.ts';
import { EMPTY_SLOT, type Slot } from './slot.ts';
import type { Trail } from './trail.ts';

export const FRAME_POINTER = 10;

/** Why a frame runs that no call instruction of its caller called. */
export interface Callback {
  /** Name of the helper that calls back. */
  readonly helper: string;
  /** Its return value, inclusive. */
  readonly returns: readonly [number, number];
  /** Runs later, of itself, with nothing of the state in which it was set. */
  readonly async: boolean;
}

/** One function call. */
export class Frame {
  readonly registers: Register[];
  /** Slot i holds the bytes from −8(i + 1); those beyond the end were never written. */
  readonly slots: Slot[];
  /** pc of the call, −1 for the first. */
  readonly callsite: number;
  /** pc at which its function starts. */
  readonly start: number;
  readonly number: number;
  readonly callback: Callback | null;
  /** What is learned of the stack's use, shared by all frames of the same function in the same chain of calls. */
  readonly chain: CallChain;
  /** How often this frame's own callbacks were entered anew. */
  callbackDepth = 0;

  constructor(
    start: number,
    callsite: number,
    number: number,
    callback: Callback | null,
    chain: CallChain,
    registers: Register[],
    slots: Slot[],
  ) {
    this.chain = chain;
    this.start = start;
    this.callsite = callsite;
    this.number = number;
    this.callback = callback;
    this.registers = registers;
    this.slots = slots;
  }

  clone(): Frame {
    const copy = new Frame(
      this.start,
      this.callsite,
      this.number,
      this.callback,
      this.chain,
      this.registers.slice(),
      this.slots.slice(),
    );
    copy.callbackDepth = this.callbackDepth;
    return copy;
  }

  slot(index: number): Slot {
    return this.slots[index] ?? EMPTY_SLOT;
  }

  setSlot(index: number, slot: Slot): void {
    while (this.slots.length < index) this.slots.push(EMPTY_SLOT);
    this.slots[index] = slot;
  }
}

export function newFrame(start: number, callsite: number, chain: CallChain, callback: Callback | null = null): Frame {
  const number = chain.depth;
  const registers = new Array<Register>(11).fill(UNSET);
  registers[FRAME_POINTER] = pointer('stack', { extent: number });
  return new Frame(start, callsite, number, callback, chain, registers, []);
}

/** Something that must be given back before the program ends. */
export interface Reference {
  readonly id: number;
  /** pc at which it was taken. */
  readonly pc: number;
}

/** A held spin lock: which map's, and in which element. */
export interface Lock {
  readonly target: object;
  readonly id: number;
}

/**
 * All that is known at one point of one path. States form a tree: `parent` is the last checkpoint before, and
 * `history` the instructions since then.
 */
export class State {
  readonly frames: Frame[];
  references: readonly Reference[] = [];
  lock: Lock | null = null;
  /** Whether bpf_rcu_read_lock is in force, and how often preemption was disabled. */
  rcu = false;
  preempt = 0;
  parent: State | null = null;
  /** Paths that go on from here and have not ended. */
  branches = 1;
  /** pc of a checkpoint. */
  pc = 0;
  /** Instructions since the parent, in order: see `walk/history.ts`. */
  history: number[] = [];
  /** For entries of `history`, by index: registers whose values were narrowed together. */
  links: Map<number, readonly number[]> | null = null;
  /** Entries of `history` that Linux would keep: it sets a checkpoint when they are many. */
  weight = 0;
  hits = 0;
  misses = 0;
  /** Nothing here is dead: what no path reads was already dropped. */
  cleaned = false;
  /** Of a checkpoint: instructions of the longest of the paths from here that have ended. */
  longest = 0;
  /** Of a checkpoint: its number, where rounds of loops are counted. */
  node = 0;
  /** Of a checkpoint: the loop that it is in. */
  loop: LoopVisit | null = null;
  mayGotoDepth = 0;
  callbackDepth = 0;
  /** The steps that led here, where an observer records them. */
  trail: Trail | null = null;

  constructor(frames: Frame[]) {
    this.frames = frames;
  }

  get frame(): Frame {
    return this.frames[this.frames.length - 1]!;
  }

  /** A copy in which another path can go on; both have the same parent. */
  clone(): State {
    const copy = new State(this.frames.map((frame) => frame.clone()));
    copy.references = this.references;
    copy.lock = this.lock;
    copy.rcu = this.rcu;
    copy.preempt = this.preempt;
    copy.parent = this.parent;
    copy.history = this.history.slice();
    copy.links = this.links === null ? null : new Map(this.links);
    copy.weight = this.weight;
    copy.mayGotoDepth = this.mayGotoDepth;
    copy.callbackDepth = this.callbackDepth;
    copy.trail = this.trail;
    return copy;
  }
}

/** Replaces registers and spilled registers of every frame, where `change` gives another. */
export function mapRegisters(state: State, change: (register: Register) => Register): void {
  for (const frame of state.frames) {
    const { registers, slots } = frame;
    for (let i = 0; i < FRAME_POINTER; i++) {
      const register = registers[i]!;
      const changed = change(register);
      if (changed !== register) registers[i] = changed;
    }
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      if (slot.spilled === null) continue;
      const changed = change(slot.spilled);
      if (changed !== slot.spilled) slots[i] = { bytes: slot.bytes, spilled: changed };
    }
  }
}

/** Forgets which scalars were decisive: before a checkpoint, so that only what is decided after it counts. */
export function forgetPrecision(state: State): void {
  mapRegisters(state, (register) =>
    (register.flags & PRECISE) === 0 ? register : withFlags(register, register.flags & ~PRECISE),
  );
}
