import { functionNamed, successors } from '../../program/program.ts';
import { refuse } from '../refuse.ts';
import type { Rule } from '../verify.ts';

/** Linux takes no instruction to which no path leads, whatever the conditions on the way. */
export const reachability: Rule = (program) => {
  const reached = new Uint8Array(program.instructions.length);
  const open = [0];
  for (let pc = open.pop(); pc !== undefined; pc = open.pop()) {
    if (reached[pc] === 1) continue;
    reached[pc] = 1;
    open.push(...successors(program, pc));
    const named = functionNamed(program.instructions[pc]);
    if (named !== undefined) open.push(named);
  }
  for (let pc = 0; pc < reached.length; pc++) {
    if (reached[pc] === 1 || program.instructions[pc] === undefined) continue;
    return refuse(program, 'unreachable-instruction', pc, 'no path leads to this instruction', 'Remove it');
  }
  return undefined;
};
