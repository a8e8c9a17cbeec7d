/** What Linux answered holds for the JIT as for the interpreter: every example program, and xdp-tools, over every capture. */
import { describe, expect, it } from 'vitest';
import { differencesFromGolden, notRecorded } from '../differential/golden.ts';
import { allCaptures, examples, xdpTools } from '../differential/subjects.ts';

const captures = allCaptures();
const cases = [...examples(), ...xdpTools()].flatMap((subject) =>
  subject.programs.map((program) => ({ name: subject.name, program, subject })),
);

describe('golden answers on the JIT', () => {
  it.for(cases)('$name $program', ({ subject, program }, { skip }) => {
    const stale = notRecorded(subject);
    if (stale !== undefined) skip(`${stale}: another release of the package?`);
    expect(differencesFromGolden(subject, program, captures, 'jit')).toEqual([]);
  });
});
