import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { generate } from '../../tools/fuzz/verifier-generator.ts';
import { objectOf } from '../../tools/fuzz/verifier-objects.ts';
import { canRun, differenceOfEngines, instructionsOf, randomPackets, type Trial } from './both-engines.ts';
import { anyProgram } from './random-programs.ts';

const SEED = 20_261_122;
const COUNT = 200;

/** Programs as a compiler might write them: maps, helpers, loops, functions, packet bytes. */
const likely = (index: number): Trial => ({
  object: objectOf(generate(seededRandom(SEED + index))),
  packets: randomPackets(index, 3),
});
const verified = (index: number): Trial => ({ ...likely(index), options: { verify: true } });
const unlikely = (index: number): Trial => ({
  object: objectOf({ type: index % 2 === 0 ? 'xdp' : 'sched_cls', bytes: anyProgram(SEED + index) }),
  packets: randomPackets(index, 2),
});

/** The first `count` that can run. */
function trials(make: (index: number) => Trial, count: number): Trial[] {
  const found: Trial[] = [];
  for (let index = 0; found.length < count; index++) {
    const trial = make(index);
    if (canRun(trial.object, trial.options?.verify ?? false)) found.push(trial);
  }
  return found;
}

describe.each([
  ['programs of the generator', likely],
  ['those that the verifier takes', verified],
  ['any instructions in any order', unlikely],
])(`%s (seed ${SEED})`, (_, make) => {
  it(`give the same on both engines: result, error, bytes and instruction count`, () => {
    const differences = trials(make, COUNT).map((trial, index) => {
      const difference = differenceOfEngines(trial);
      return difference === undefined ? [] : [`program ${index}, ${difference}`];
    });
    expect(differences.flat()).toEqual([]);
  });

  it('end alike with the fuel cut at every instruction', () => {
    const differences = trials(make, 8).map((whole, index) => {
      const last = Math.min(instructionsOf(whole), 100);
      return Array.from({ length: last }, (__, spent) => {
        const difference = differenceOfEngines({ ...whole, options: { ...whole.options, budget: spent + 1 } });
        return difference === undefined ? [] : [`program ${index}, budget ${spent + 1}, ${difference}`];
      }).flat();
    });
    expect(differences.flat()).toEqual([]);
  });
});
