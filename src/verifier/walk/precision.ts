import type { Instruction } from '../../isa/instruction.ts';
import { PRECISE, withFlags } from '../state/register.ts';
import { FRAME_POINTER, mapRegisters, type State } from '../state/state.ts';
import { entryFrame, entryIsStack, entryPc, entrySlot, linkFrame, linkPlace, SLOT_PLACE } from './history.ts';
import type { LoopVisit } from './loops.ts';
import { callsBack } from './points.ts';
import type { Verification } from './verification.ts';

/**
 * Scalars count as imprecise until something is decided by one. Then the path is followed backwards to where that
 * value came from, and every checkpoint on the way learns that the registers and slots that carried it matter.
 */

const FRAMES = 8;
const CALLER_SAVED = 0b111111;
const ARGUMENTS = 0b111110;

/** Registers and slots whose values are being traced, by frame. */
class Traced {
  readonly registers = new Int32Array(FRAMES);
  readonly low = new Int32Array(FRAMES);
  readonly high = new Int32Array(FRAMES);
  frame = 0;

  reset(frame: number): void {
    this.registers.fill(0);
    this.low.fill(0);
    this.high.fill(0);
    this.frame = frame;
  }

  get isEmpty(): boolean {
    for (let i = 0; i < FRAMES; i++) if ((this.registers[i]! | this.low[i]! | this.high[i]!) !== 0) return false;
    return true;
  }

  has(register: number): boolean {
    return (this.registers[this.frame]! & (1 << register)) !== 0;
  }
  add(register: number): void {
    this.registers[this.frame]! |= 1 << register;
  }
  drop(register: number): void {
    this.registers[this.frame]! &= ~(1 << register);
  }

  hasSlot(frame: number, slot: number): boolean {
    return ((slot < 32 ? this.low : this.high)[frame]! & (1 << (slot & 31))) !== 0;
  }
  addSlot(frame: number, slot: number): void {
    (slot < 32 ? this.low : this.high)[frame]! |= 1 << (slot & 31);
  }
  dropSlot(frame: number, slot: number): void {
    (slot < 32 ? this.low : this.high)[frame]! &= ~(1 << (slot & 31));
  }

  hasLink(code: number): boolean {
    const frame = linkFrame(code);
    const place = linkPlace(code);
    return place >= SLOT_PLACE
      ? this.hasSlot(frame, place - SLOT_PLACE)
      : (this.registers[frame]! & (1 << place)) !== 0;
  }
  addLink(code: number): void {
    const frame = linkFrame(code);
    const place = linkPlace(code);
    if (place >= SLOT_PLACE) this.addSlot(frame, place - SLOT_PLACE);
    else this.registers[frame]! |= 1 << place;
  }
}

const traced = new Traced();
/** Whether a trace marked anything that was not marked before. */
let newMarks = false;

/** The scalar in a register decides something at the current instruction. */
export function markPrecise(v: Verification, register: number): void {
  const { state } = v;
  traced.reset(state.frames.length - 1);
  traced.add(register);
  trace(v, state, state.history.length - 2, v.pc);
}

/** The scalar in a slot decides something at the current instruction. */
export function markSlotPrecise(v: Verification, frame: number, slot: number): void {
  const { state } = v;
  traced.reset(state.frames.length - 1);
  traced.addSlot(frame, slot);
  trace(v, state, state.history.length - 2, v.pc);
}

/** `state` stands in for `old`, which was explored: what was decisive there is so here. Says whether that was new. */
export function inheritPrecision(v: Verification, old: State, state: State): boolean {
  newMarks = false;
  traced.reset(state.frames.length - 1);
  for (const [number, frame] of old.frames.entries()) {
    for (let i = 0; i < FRAME_POINTER; i++) {
      if (isPreciseScalar(frame.registers[i]!)) traced.registers[number]! |= 1 << i;
    }
    for (let i = 0; i < frame.slots.length; i++) {
      const { spilled } = frame.slots[i]!;
      if (spilled !== null && isPreciseScalar(spilled)) traced.addSlot(number, i);
    }
  }
  if (!traced.isEmpty) trace(v, state, state.history.length - 1, old.pc);
  return newMarks;
}

/** Loops whose back edges go on bringing something new are given up on after this many rounds, as in Linux. */
const MOST_ROUNDS = 64;

/** All paths from a loop's first checkpoint have ended: what they decided on holds for the rounds before, too. */
export function closeLoop(v: Verification, loop: LoopVisit): void {
  for (let round = 0, changed = true; changed; round++) {
    changed = false;
    for (const { old, state } of loop.backEdges) {
      if (round >= MOST_ROUNDS) markEverything(state);
      else if (inheritPrecision(v, old, state)) changed = true;
    }
  }
  loop.backEdges = [];
  loop.entry = null;
}

function isPreciseScalar({ kind, flags }: { readonly kind: string; readonly flags: number }): boolean {
  return kind === 'scalar' && (flags & PRECISE) !== 0;
}

/** Follows the path backwards from entry `index` of `from`'s history; `subsequent` is the pc that came next. */
function trace(v: Verification, from: State, index: number, subsequent: number): void {
  let state = from;
  let next = subsequent;
  let at = index;
  for (;;) {
    for (; at >= 0; at--) {
      const entry = state.history[at]!;
      const links = state.links?.get(at);
      if (links !== undefined) spreadLinks(links);
      if (!stepBack(v.program.instructions[entryPc(entry)]!, entry, next, v)) {
        markEverything(from);
        return;
      }
      if (links !== undefined) spreadLinks(links);
      if (traced.isEmpty) return;
      next = entryPc(entry);
    }
    const { parent } = state;
    if (parent === null) return;
    mark(parent);
    if (traced.isEmpty) return;
    state = parent;
    at = state.history.length - 1;
  }
}

function spreadLinks(links: readonly number[]): void {
  if (links.some((code) => traced.hasLink(code))) for (const code of links) traced.addLink(code);
}

/** Marks what is traced in a checkpoint; what was marked before needs no further tracing. */
function mark(state: State): void {
  for (let number = 0; number < FRAMES; number++) {
    const frame = state.frames[number];
    if (frame === undefined) {
      traced.registers[number] = 0;
      traced.low[number] = 0;
      traced.high[number] = 0;
      continue;
    }
    for (let bits = traced.registers[number]!; bits !== 0; bits &= bits - 1) {
      const i = 31 - Math.clz32(bits & -bits);
      const register = frame.registers[i]!;
      if (register.kind !== 'scalar' || register.precise) traced.registers[number]! &= ~(1 << i);
      else {
        frame.registers[i] = withFlags(register, register.flags | PRECISE);
        newMarks = true;
      }
    }
    if ((traced.low[number]! | traced.high[number]!) === 0) continue;
    for (let i = 0; i < 64; i++) {
      if (!traced.hasSlot(number, i)) continue;
      const slot = frame.slot(i);
      const { spilled } = slot;
      if (spilled === null || spilled.kind !== 'scalar' || spilled.precise) traced.dropSlot(number, i);
      else {
        frame.slots[i] = { bytes: slot.bytes, spilled: withFlags(spilled, spilled.flags | PRECISE) };
        newMarks = true;
      }
    }
  }
}

/** Where the trace cannot be followed, all scalars of all checkpoints count. */
function markEverything(from: State): void {
  for (let state = from.parent; state !== null; state = state.parent) {
    mapRegisters(state, (register) =>
      register.kind === 'scalar' ? withFlags(register, register.flags | PRECISE) : register,
    );
  }
}

/** Turns what is traced after an instruction into what must be traced before it; false where that is not known. */
function stepBack(instruction: Instruction, entry: number, next: number, v: Verification): boolean {
  switch (instruction.kind) {
    case 'alu': {
      const { dst, src, op } = instruction;
      if (!traced.has(dst)) return true;
      if (op.startsWith('mov')) traced.drop(dst);
      if ('reg' in src && src.reg !== FRAME_POINTER) traced.add(src.reg);
      return true;
    }
    case 'imm64':
      traced.drop(instruction.dst);
      return true;
    case 'load':
      if (!traced.has(instruction.dst)) return true;
      traced.drop(instruction.dst);
      if (entryIsStack(entry)) traced.addSlot(entryFrame(entry), entrySlot(entry));
      return true;
    case 'atomic':
      return stepBackAtomic(instruction, entry);
    case 'store': {
      if (traced.has(instruction.dst)) return false;
      if (!entryIsStack(entry) || !traced.hasSlot(entryFrame(entry), entrySlot(entry))) return true;
      traced.dropSlot(entryFrame(entry), entrySlot(entry));
      if ('reg' in instruction.src) traced.add(instruction.src.reg);
      return true;
    }
    case 'jump': {
      const { dst, src } = instruction;
      if ('reg' in src && (traced.has(dst) || traced.has(src.reg))) {
        traced.add(dst);
        traced.add(src.reg);
      }
      return true;
    }
    case 'packet':
      return false;
    case 'call':
      return stepBackCall(v, instruction, entryPc(entry), next);
    case 'exit': {
      const caller = v.program.instructions[next - 1];
      const isReturn = caller?.kind === 'call' && caller.target.type === 'local' && traced.has(0);
      if (traced.frame + 1 >= FRAMES) return false;
      if (isReturn) traced.drop(0);
      traced.frame++;
      if (isReturn) traced.add(0);
      return true;
    }
    default:
      return true;
  }
}

function stepBackAtomic({ op, dst, src, fetch }: Extract<Instruction, { kind: 'atomic' }>, entry: number): boolean {
  const result = op === 'load_acq' ? dst : op === 'cmpxchg' ? 0 : fetch ? src : -1;
  if (result >= 0 && traced.has(result)) {
    traced.drop(result);
    if (entryIsStack(entry)) traced.addSlot(entryFrame(entry), entrySlot(entry));
    return true;
  }
  const address = op === 'load_acq' ? src : dst;
  return !traced.has(address);
}

function stepBackCall(
  v: Verification,
  instruction: Extract<Instruction, { kind: 'call' }>,
  pc: number,
  next: number,
): boolean {
  const { target } = instruction;
  if (target.type === 'local' && next === target.pc) {
    // Out of the function, to its call: arguments are the caller's registers.
    const passed = traced.registers[traced.frame]! & ARGUMENTS;
    traced.registers[traced.frame] = 0;
    traced.frame--;
    traced.registers[traced.frame]! |= passed;
    return traced.frame >= 0;
  }
  if (next !== pc + 1 && callsBack(v.program, instruction)) {
    // A callback's arguments come from the helper.
    traced.registers[traced.frame]! &= ~CALLER_SAVED;
    traced.frame--;
    return traced.frame >= 0;
  }
  traced.registers[traced.frame]! &= ~1;
  return (traced.registers[traced.frame]! & ARGUMENTS) === 0;
}
