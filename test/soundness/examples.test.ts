/** The example programs over the captures, some of their bytes changed: all that runs do is as the facts say. */
import { describe, expect, it } from 'vitest';
import { Instance } from '../../src/engine/instance.ts';
import { selectProgram, verifyProgram } from '../../src/engine/programs.ts';
import { ProgramRefused } from '../../src/engine/refused.ts';
import { allCaptures, examples, inOneRow, mutated } from '../differential/subjects.ts';
import { FactsWatch } from './facts.ts';

const SEED = 7;
const MOST_FRAMES = 600;
const frames = mutated(inOneRow(allCaptures()), SEED);
const spread = frames.filter((_, index) => index % Math.ceil(frames.length / MOST_FRAMES) === 0);

describe(`every example program (seed ${SEED})`, () => {
  const cases = examples().flatMap(({ name, programs, ...rest }) =>
    programs.map((program) => ({ name, program, ...rest })),
  );

  it.each(cases)('$name $program', ({ object, program, mapInit }) => {
    const { verdict } = verifyProgram(object, selectProgram(object, program));
    if (!verdict.accepted) throw new ProgramRefused(program, verdict.refusal);
    let wrong: string | undefined;
    const instance: Instance = new Instance(object, {
      program,
      mapInit,
      cpus: 2,
      engine: 'interpreter',
      observe: (running, pc, frame, registers) => {
        // Of a program that a tail call leads to, these facts say nothing.
        if (running.program !== instance.program) return;
        const message = watch.wrongAt(pc, frame, registers);
        if (message !== undefined) wrong ??= `at ${pc}: ${message}`;
      },
    });
    const watch = new FactsWatch(verdict.facts, instance);
    for (const [index, input] of spread.entries()) {
      watch.begin();
      instance.cpu = index % 2;
      instance.runPacket(input);
    }
    expect(wrong).toBeUndefined();
  });
});
