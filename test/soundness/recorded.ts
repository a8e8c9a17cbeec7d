import { verifyProgram } from '../../src/engine/programs.ts';
import type { ObjectSpec } from '../../src/object/spec.ts';
import type { Register } from '../../src/verifier/state/register.ts';
import { type AbstractState, type Breach, canRun, findBreach, type States, stateKey } from './harness.ts';

/** A walk without pruning that takes more is given up: loops that end only where states are found alike never would. */
const MOST_STATES = 5_000;

/** All states that the verifier has at each instruction; undefined where they are too many. */
function recordStates(object: ObjectSpec): States | undefined {
  const states = new Map<string, AbstractState[]>();
  const onState = (pc: number, frame: number, registers: readonly Register[]) => {
    const key = stateKey(frame, pc);
    const known = states.get(key);
    if (known === undefined) states.set(key, [registers.slice()]);
    else known.push(registers.slice());
  };
  const limits = { instructions: MOST_STATES };
  const { verdict } = verifyProgram(object, object.programs[0]!, undefined, {
    prune: false,
    limits,
    onState,
  });
  return verdict.accepted ? states : undefined;
}

/** What came of one program: not taken by the verifier, held against its states, only its accesses watched, or not run. */
export interface Held {
  readonly outcome: 'refused' | 'held' | 'watched' | 'not run';
  readonly breach: Breach | undefined;
}

/** Runs the object's program, if our verifier takes it, over random packets. */
export function holdVerifierTo(object: ObjectSpec, options: { readonly seed: number; readonly packets: number }): Held {
  const { verdict } = verifyProgram(object, object.programs[0]!);
  if (!verdict.accepted) return { outcome: 'refused', breach: undefined };
  if (!canRun(object)) return { outcome: 'not run', breach: undefined };
  const states = recordStates(object);
  const { facts } = verdict;
  const breach = findBreach(object, { ...options, facts, ...(states === undefined ? {} : { states }) });
  return { outcome: states === undefined ? 'watched' : 'held', breach };
}
