import type { Register } from '../state/register.ts';
import { newFrame, State } from '../state/state.ts';
import { step } from '../step/step.ts';
import { noteInstruction } from './history.ts';
import { closeLoop } from './precision.ts';
import { Explored } from './prune.ts';
import type { Verification } from './verification.ts';

/**
 * Follows every path of one function, from its start with these arguments, depth first: at a branch first the way that
 * falls through. False when a path is refused.
 */
export function walk(v: Verification, start: number, args: readonly Register[]): boolean {
  const explored = new Explored();
  const frame = newFrame(start, -1, v.stackLiveness.root(start));
  for (const [i, register] of args.entries()) frame.registers[i + 1] = register;
  v.state = new State([frame]);
  v.pc = start;
  v.rounds?.begin();
  v.lengths.begin();
  for (;;) {
    const end = followPath(v, explored);
    if (end === 'refused') return false;
    endPath(v, v.state);
    const pending = v.pending.pop();
    if (pending === undefined) {
      v.longest.set(start, v.lengths.most);
      return true;
    }
    v.state = pending.state;
    v.pc = pending.pc;
  }
}

/** One more path from each checkpoint on the way has ended. */
function endPath(v: Verification, state: State): void {
  for (let each = state.parent; each !== null; each = each.parent) {
    if (--each.branches > 0) return;
    v.lengths.close(each);
    if (each.loop?.entry === each) closeLoop(v, each.loop);
  }
}

function followPath(v: Verification, explored: Explored): 'ended' | 'refused' {
  const { cost, limits, points } = v;
  for (;;) {
    if (++cost.processed > limits.instructions) {
      v.refuse(
        'too-complex',
        `more than ${limits.instructions} instructions were followed, over all paths`,
        'Make the program simpler, bound its loops, or put parts of it into global functions, which are verified once',
      );
      return 'refused';
    }
    const { pc } = v;
    if (points.prune[pc] === 1) {
      const visit = explored.visit(v);
      if (visit === 'refused') return 'refused';
      if (visit === 'pruned') return 'ended';
    }
    const { state } = v;
    if (points.jump[pc] === 1) state.weight++;
    noteInstruction(state, pc);
    const { frame } = state;
    v.reached[pc] = 1;
    v.observer?.(pc, frame.number, frame.registers, state);
    const done = step(v);
    if (done === false) return 'refused';
    noteWrites(v, frame.chain, pc);
    if (done === 'ended') {
      v.rounds?.end(v.state);
      v.lengths.end(v.state);
      return 'ended';
    }
    v.pc = v.next;
  }
}

function noteWrites(v: Verification, chain: Verification['state']['frame']['chain'], pc: number): void {
  if (v.writtenFrame < 0) {
    if (!chain.wasWalked(pc) || chain.mayWrite(pc)) chain.wrote(pc, -1, 0, 0);
    return;
  }
  chain.wrote(pc, v.writtenFrame, v.writtenLow, v.writtenHigh);
  v.writtenFrame = -1;
  v.writtenLow = 0;
  v.writtenHigh = 0;
}
