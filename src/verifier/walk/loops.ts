import { componentsOf } from '../../program/components.ts';
import { type Program, successors } from '../../program/program.ts';
import type { State } from '../state/state.ts';
import { callsBack } from './points.ts';

/** A path that ended because it came back into its own loop: what `old` turns out to decide on, `state` must have. */
interface BackEdge {
  readonly old: State;
  readonly state: State;
}

/**
 * One loop in one chain of calls, while it is followed. Until all paths from its first checkpoint have ended, and what
 * they decided on was carried back along its back edges, no state in it is known to the end.
 */
export interface LoopVisit {
  entry: State | null;
  backEdges: BackEdge[];
}

/** Which loops (strongly connected components of the flow of control) instructions are in, and what goes on in them. */
export class Loops {
  readonly #components: Int32Array;
  readonly #visits = new Map<string, LoopVisit>();

  constructor(program: Program) {
    this.#components = loopsOf(program);
  }

  /** A checkpoint is set: is it in a loop? */
  enter(state: State): void {
    const visit = this.#visitOf(state);
    if (visit === null) return;
    state.loop = visit;
    visit.entry ??= state;
  }

  /** The outermost loop that a state is in: of callers, too. */
  #visitOf(state: State): LoopVisit | null {
    let callers = '';
    for (let i = 0; i < state.frames.length; i++) {
      const pc = i === state.frames.length - 1 ? state.pc : state.frames[i + 1]!.callsite;
      const component = this.#components[pc]!;
      if (component === 0) {
        callers += `${pc},`;
        continue;
      }
      const key = `${callers}:${component}`;
      let visit = this.#visits.get(key);
      if (visit === undefined) this.#visits.set(key, (visit = { entry: null, backEdges: [] }));
      return visit;
    }
    return null;
  }
}

/** Whether what follows the state is not yet known to its end. */
export function isIncomplete(state: State): boolean {
  return state.loop !== null && state.loop.backEdges.length > 0;
}

export function addBackEdge(old: State, state: State): void {
  if (old.loop?.entry != null) old.loop.backEdges.push({ old, state });
}

/** Numbers from 1; 0 for instructions that are in no loop. */
function loopsOf(program: Program): Int32Array {
  const { instructions } = program;
  const after = instructions.map((each, pc) => (each === undefined ? [] : successors(program, pc)));
  const { of, count } = componentsOf(instructions.length, (pc) => after[pc]!);
  const members = new Int32Array(count);
  for (const component of of) members[component]!++;
  const loops = new Int32Array(instructions.length + 2);
  for (const [pc, next] of after.entries()) {
    if (members[of[pc]!]! > 1 || callsBack(program, program.instructions[pc]) || next.includes(pc))
      loops[pc] = of[pc]! + 1;
  }
  return loops;
}
