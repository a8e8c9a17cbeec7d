import { functionAt, type Program } from '../../program/program.ts';
import { refuse } from '../refuse.ts';
import type { Rule } from '../verify.ts';

/** MAX_CALL_FRAMES of Linux. */
const MOST_FRAMES = 8;

interface Call {
  readonly pc: number;
  readonly callee: number;
}

/** Functions call one another at most 8 deep and never in a circle. */
export const nesting: Rule = (program) => {
  const callsOf = new Map(program.functions.map((each) => [each.start, [] as Call[]]));
  for (const [pc, instruction] of program.instructions.entries()) {
    if (instruction?.kind !== 'call' || instruction.target.type !== 'local') continue;
    callsOf.get(functionAt(program, pc)!.start)!.push({ pc, callee: instruction.target.pc });
  }
  /** Frames that a function needs, its own included; 0 while it is on the path that is being followed. */
  const frames = new Map<number, number>();
  const path: { start: number; next: number; deepest: number }[] = [{ start: 0, next: 0, deepest: 0 }];
  frames.set(0, 0);
  while (path.length > 0) {
    const top = path[path.length - 1]!;
    const call = callsOf.get(top.start)![top.next];
    if (call === undefined) {
      frames.set(top.start, top.deepest + 1);
      path.pop();
      continue;
    }
    const known = frames.get(call.callee);
    if (known === 0) {
      return refuse(
        program,
        'recursion',
        call.pc,
        `${nameAt(program, call.callee)} is called while it is running`,
        'Use a loop, or bpf_loop',
      );
    }
    if (known === undefined) {
      frames.set(call.callee, 0);
      path.push({ start: call.callee, next: 0, deepest: 0 });
      continue;
    }
    if (path.length + known > MOST_FRAMES) {
      return refuse(
        program,
        'call-depth',
        call.pc,
        `calls nest ${path.length + known} deep; ${MOST_FRAMES} frames are there`,
      );
    }
    top.deepest = Math.max(top.deepest, known);
    top.next++;
  }
  return undefined;
};

function nameAt(program: Program, start: number): string {
  return functionAt(program, start)?.name ?? `the function at ${start}`;
}
