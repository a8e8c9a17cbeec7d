import type { Catalogue } from '../abi/catalogue.ts';
import type { Facts } from '../abi/facts.ts';
import type { Refusal, Verdict } from '../abi/verdict.ts';
import type { Program } from '../program/program.ts';
import { loopBounds } from './facts/rounds.ts';
import { OTHER_TYPES } from './other-types.ts';
import { refuse } from './refuse.ts';
import { pointer } from './state/register.ts';
import { newFrame, State } from './state/state.ts';
import { globalArguments, registerOf } from './step/global-arguments.ts';
import { abnormalReturn } from './structure/abnormal-returns.ts';
import { callFault } from './structure/calls.ts';
import { exceptionOutOfPlace } from './structure/exceptions.ts';
import { instructionFault } from './structure/instructions.ts';
import { mapOutOfPlace } from './structure/maps-in-place.ts';
import { liveRegistersOf } from './walk/live-registers.ts';
import { type Points, pointsOf } from './walk/points.ts';
import { checkStackDepth } from './walk/stack-depth.ts';
import { StackLiveness } from './walk/stack-liveness.ts';
import { type Cost, LINUX_LIMITS, type Limits, type Observer, Verification } from './walk/verification.ts';
import { walk } from './walk/walk.ts';

export interface VerifyOptions {
  /** Linux's unless told. */
  readonly limits?: Partial<Limits>;
  /** Called before each instruction that is followed. */
  readonly onState?: Observer;
  /**
   * False: every path is followed to its end, although nothing new may come of it, so that the states that `onState`
   * sees are all there are. A loop that Linux recognises as endless then only ends at the limit of instructions.
   */
  readonly prune?: boolean;
}

/** Decides by following every path, after the structural rules found nothing. */
export function verifyPaths(program: Program, catalogue: Catalogue, options: VerifyOptions = {}): Verdict {
  const type = catalogue.programTypes.get(program.type) ?? OTHER_TYPES[program.type];
  const cost: Cost = { processed: 0, jumps: 0, states: 0 };
  if (type === undefined) {
    const refusal = refuse(
      program,
      'unknown-program-type',
      null,
      `programs of type ${program.type} are not known here`,
    );
    return { accepted: false, refusal, processed: 0 };
  }
  const abnormal = abnormalReturn(program) ?? mapOutOfPlace(program) ?? exceptionOutOfPlace(program);
  if (abnormal !== undefined) return { accepted: false, refusal: abnormal, processed: 0 };
  const liveness = new StackLiveness(program);
  const v = new Verification({
    program,
    catalogue,
    type,
    limits: { ...LINUX_LIMITS, ...options.limits },
    observer: options.onState ?? null,
    points: options.prune === false ? withoutPruning(pointsOf(program)) : pointsOf(program),
    live: liveRegistersOf(program, catalogue),
    stackLiveness: liveness,
    faults: faultsOf(program, catalogue),
    cost,
    state: new State([newFrame(0, -1, liveness.root(0))]),
  });
  const accepted = walk(v, 0, [pointer('context')]) && walkGlobals(v) && checkStackDepth(v);
  const { processed } = cost;
  if (!accepted) return { accepted, refusal: v.refusal!, processed };
  return { accepted, processed, facts: factsOf(v) };
}

function factsOf({ program, accesses, reached, rounds, longest, stackDepth: stack, ...v }: Verification): Facts {
  const loops = loopBounds(program, reached, rounds);
  const unwritten = [...v.unwritten].sort((a, b) => a - b);
  return { ...accesses.proven(program.maps), reached, loops, longest, unwritten, stack };
}

function withoutPruning(points: Points): Points {
  return { ...points, prune: new Uint8Array(points.prune.length) };
}

/** Instructions that are at fault by themselves, for when a path comes there. */
function faultsOf(program: Program, catalogue: Catalogue): ReadonlyMap<number, Refusal> | null {
  const faults = new Map<number, Refusal>();
  for (let pc = 0; pc < program.instructions.length; pc++) {
    const fault = instructionFault(program, pc) ?? callFault(program, catalogue, pc);
    if (fault !== undefined) faults.set(pc, fault);
  }
  return faults.size === 0 ? null : faults;
}

/** Each global function that is called is verified once, with any arguments of the kinds that it asks for. */
function walkGlobals(v: Verification): boolean {
  const done = new Set<number>();
  for (;;) {
    const start = [...v.globalsCalled].filter((each) => !done.has(each)).sort((a, b) => a - b)[0];
    if (start === undefined) return true;
    done.add(start);
    const callee = v.program.functions.find((each) => each.start === start)!;
    const args = globalArguments(v.program.btf!, callee, v.program.type);
    v.subject = callee;
    v.pc = start;
    if (typeof args === 'string') return v.refuse('global-function', `${callee.name} cannot be verified: ${args}`);
    if (
      !walk(
        v,
        start,
        args.map((each) => registerOf(v, each)),
      )
    )
      return false;
  }
}
