import type { LoopBound } from '../../abi/facts.ts';
import type { Instruction } from '../../isa/instruction.ts';
import { slotAt } from '../regions/stack.ts';
import { alike, type Likeness, sameRegisters, wroteLess } from '../state/compare.ts';
import { UNSET } from '../state/register.ts';
import { EMPTY_SLOT } from '../state/slot.ts';
import { FRAME_POINTER, forgetPrecision, type State } from '../state/state.ts';
import { HEAVY } from './history.ts';
import { addBackEdge, isIncomplete } from './loops.ts';
import { callsBack } from './points.ts';
import { inheritPrecision } from './precision.ts';
import type { Verification } from './verification.ts';

/**
 * When to keep a state for comparison, and when to forget it, as Linux does: what a program costs depends on it, and so
 * whether it stays within the limit.
 */
const JUMPS_BETWEEN = 2;
const INSTRUCTIONS_BETWEEN = 8;
const JUMPS_BETWEEN_IN_LOOP = 20;
const INSTRUCTIONS_BETWEEN_IN_LOOP = 100;
const MISSES = 3;
const MISSES_AT_CHECKPOINT = 64;

/** `pruned`: the path ends here, it can bring nothing new. `refused`: it would go on for ever. */
export type Visit = 'new' | 'pruned' | 'refused';

/** The states that were kept, by pc (and call, so that a function's are not compared across its callers). */
export class Explored {
  readonly #states = new Map<number, State[]>();
  #jumps = 0;
  #instructions = 0;

  visit(v: Verification): Visit {
    const { state, pc, cost, points } = v;
    const forced = points.checkpoint[pc] === 1 || state.weight > HEAVY;
    const jumps = cost.jumps - this.#jumps;
    const instructions = cost.processed - this.#instructions;
    let keep = forced || (jumps >= JUMPS_BETWEEN && instructions >= INSTRUCTIONS_BETWEEN);
    const key = (state.frame.callsite + 1) * 0x10_0000 + pc;
    const known = this.#states.get(key);
    if (known !== undefined) {
      for (const old of known) clean(v, old);
      let kept = known.length;
      for (let i = known.length - 1; i >= 0; i--) {
        const old = known[i]!;
        const meeting = old.branches > 0 ? meetOpen(v, old) : this.#meetClosed(v, old);
        if (meeting === 'refused') return meeting;
        if (meeting === 'pruned') {
          old.hits++;
          inheritPrecision(v, old, state);
          v.lengths.join(state, old);
          if (wroteLess(old, state)) v.unwritten.add(v.pc);
          v.rounds?.join(state, old, old.branches > 0 ? endOf(v.instruction) : null);
          if (isIncomplete(old) || (old.branches > 0 && !isCallback(v))) addBackEdge(old, state);
          this.#compact(key, known, kept);
          return meeting;
        }
        if (old.branches > 0 && !forced) {
          if (jumps < JUMPS_BETWEEN_IN_LOOP && instructions < INSTRUCTIONS_BETWEEN_IN_LOOP) keep = false;
        }
        if (keep) old.misses++;
        const patience = points.checkpoint[pc] === 1 && old.branches > 0 ? MISSES_AT_CHECKPOINT : MISSES;
        if (old.misses > old.hits * patience + patience) {
          known[i] = DROPPED;
          kept--;
        }
      }
      this.#compact(key, known, kept);
    }
    if (keep) this.#keep(v, key);
    return 'new';
  }

  #meetClosed(v: Verification, old: State): Visit {
    // While a loop is not known to its end, imprecise is not unimportant.
    const likeness: Likeness = isIncomplete(old) ? 'round' : 'loose';
    return alike(old, v.state, likeness, (pc) => v.live[pc]!) ? 'pruned' : 'new';
  }

  #compact(key: number, known: State[], kept: number): void {
    if (kept === known.length) return;
    this.#states.set(
      key,
      known.filter((each) => each !== DROPPED),
    );
  }

  #keep(v: Verification, key: number): void {
    const { state, cost } = v;
    this.#jumps = cost.jumps;
    this.#instructions = cost.processed;
    cost.states++;
    forgetPrecision(state);
    const checkpoint = state.clone();
    checkpoint.pc = v.pc;
    checkpoint.history = state.history;
    checkpoint.links = state.links;
    checkpoint.trail = null;
    v.loops?.enter(checkpoint);
    v.rounds?.reach(state, checkpoint);
    state.parent = checkpoint;
    state.history = [];
    state.links = null;
    state.weight = 0;
    const known = this.#states.get(key);
    if (known === undefined) this.#states.set(key, [checkpoint]);
    else known.push(checkpoint);
  }
}

const DROPPED = {} as State;

/** A state that is met again before its own paths have ended: a loop. */
function meetOpen(v: Verification, old: State): Visit {
  const { state, instruction } = v;
  const live = (pc: number) => v.live[pc]!;
  if (instruction.kind === 'may_goto' && old.mayGotoDepth !== state.mayGotoDepth) {
    if (alike(old, state, 'within', live)) return 'pruned';
  }
  if (v.points.checkpoint[v.pc] === 1 && instruction.kind === 'call') {
    if (!alike(old, state, isCallback(v) ? 'within' : 'round', live)) return 'new';
    return isCallback(v) || iterates(state) ? 'pruned' : 'new';
  }
  if (
    old.mayGotoDepth === state.mayGotoDepth &&
    old.callbackDepth === state.callbackDepth &&
    sameRegisters(old, state) &&
    alike(old, state, 'exact', live)
  ) {
    v.refuse(
      'infinite-loop',
      'the loop comes back here with nothing changed, so that it never ends',
      'Change something in each round that the condition depends on, or use bpf_loop',
    );
    return 'refused';
  }
  return 'new';
}

/** What ends a loop that is met open and found alike. */
function endOf(instruction: Instruction): LoopBound {
  if (instruction.kind === 'may_goto') return 'may_goto';
  return instruction.kind === 'call' && instruction.target.type === 'kfunc' ? 'iterator' : 'callback';
}

/** Linux treats a helper that calls back as no loop here: it was met with every value within its bounds. */
function isCallback({ program, instruction }: Verification): boolean {
  return callsBack(program, instruction);
}

/** Whether the iterator in r1 may have a next element. */
function iterates(state: State): boolean {
  const { kind, offset, extent } = state.frame.registers[1]!;
  if (kind !== 'stack') return false;
  return state.frames[extent]!.slot(slotAt(offset)).spilled?.extent === 1;
}

/** Drops from a state whose paths have all ended what none of them read. */
function clean(v: Verification, state: State): void {
  if (state.branches > 0 || state.cleaned) return;
  state.cleaned = true;
  const last = state.frames.length - 1;
  for (const [number, frame] of state.frames.entries()) {
    const pc = number === last ? state.pc : state.frames[number + 1]!.callsite;
    const live = v.live[pc]!;
    for (let i = 0; i < FRAME_POINTER; i++) if ((live & (1 << i)) === 0) frame.registers[i] = UNSET;
    for (let i = 0; i < frame.slots.length; i++) {
      if (frame.slots[i] !== EMPTY_SLOT && !slotIsAlive(state, number, i)) frame.slots[i] = EMPTY_SLOT;
    }
  }
}

function slotIsAlive(state: State, number: number, slot: number): boolean {
  const last = state.frames.length - 1;
  if (state.frames[last]!.chain.alive(state.pc, number, slot)) return true;
  for (let i = last - 1; i >= number; i--) {
    const called = state.frames[i + 1]!;
    const pc = called.callback === null ? called.callsite + 1 : called.callsite;
    if (state.frames[i]!.chain.alive(pc, number, slot)) return true;
  }
  return false;
}
