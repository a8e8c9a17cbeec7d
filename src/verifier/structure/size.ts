import { refuse } from '../refuse.ts';
import type { Rule } from '../verify.ts';

/** BPF_COMPLEXITY_LIMIT_INSNS: Linux loads no longer program. */
const MOST_INSTRUCTIONS = 1_000_000;

export const size: Rule = (program) => {
  const count = program.instructions.length;
  if (count === 0) return refuse(program, 'no-instructions', null, 'the program has no instruction');
  if (count > MOST_INSTRUCTIONS) {
    const message = `the program has ${count} instructions; Linux takes ${MOST_INSTRUCTIONS}`;
    return refuse(program, 'too-many-instructions', null, message, 'Split it and connect the parts by tail calls');
  }
  return undefined;
};
