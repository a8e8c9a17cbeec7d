import { slots } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';
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
  }
  for (let pc = 0; pc < reached.length; pc++) {
    if (reached[pc] === 1 || program.instructions[pc] === undefined) continue;
    return refuse(program, 'unreachable-instruction', pc, 'no path leads to this instruction', 'Remove it');
  }
  return undefined;
};

/** Every pc that may come next, the functions that are called or pointed to included. */
function successors(program: Program, pc: number): readonly number[] {
  const instruction = program.instructions[pc]!;
  const next = pc + slots(instruction);
  switch (instruction.kind) {
    case 'exit':
      return [];
    case 'goto':
      return [instruction.target];
    case 'jump':
    case 'may_goto':
      return [next, instruction.target];
    case 'call':
      return instruction.target.type === 'local' ? [next, instruction.target.pc] : [next];
    case 'imm64':
      return instruction.value.type === 'function' ? [next, instruction.value.pc] : [next];
    default:
      return [next];
  }
}
