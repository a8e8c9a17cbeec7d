import type { Instruction } from '../../isa/instruction.ts';
import { refuse } from '../refuse.ts';
import type { Rule } from '../verify.ts';

/** Jumps stay in their function and lead to instructions; a function ends in exit or a jump; calls lead to functions. */
export const jumps: Rule = (program) => {
  const starts = new Set(program.functions.map((each) => each.start));
  for (const [pc, instruction] of program.instructions.entries()) {
    if (instruction?.kind === 'call' && instruction.target.type === 'local' && !starts.has(instruction.target.pc)) {
      return refuse(
        program,
        'bad-call',
        pc,
        `a call to instruction ${instruction.target.pc}, where no function starts`,
      );
    }
  }
  for (const each of program.functions) {
    const end = each.start + each.length;
    for (let pc = each.start; pc < end; pc++) {
      const target = jumpTarget(program.instructions[pc]);
      if (target === undefined) continue;
      if (target < each.start || target >= end) {
        return refuse(
          program,
          'bad-jump',
          pc,
          `a jump to instruction ${target}, out of function ${each.name} (${each.start} to ${end - 1})`,
        );
      }
      if (program.instructions[target] === undefined) {
        return refuse(program, 'bad-jump', pc, `a jump to instruction ${target}, the middle of a 64-bit immediate`);
      }
    }
    const last = program.instructions[end - 1];
    if (last?.kind !== 'exit' && last?.kind !== 'goto') {
      const help = 'End each path with exit';
      return refuse(program, 'falls-through', end - 1, `function ${each.name} does not end in exit or a jump`, help);
    }
  }
  return undefined;
};

function jumpTarget(instruction: Instruction | undefined): number | undefined {
  switch (instruction?.kind) {
    case 'goto':
    case 'jump':
    case 'may_goto':
      return instruction.target;
    default:
      return undefined;
  }
}
