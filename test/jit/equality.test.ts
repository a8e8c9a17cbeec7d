import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { generate } from '../../tools/fuzz/verifier-generator.ts';
import { objectOf } from '../../tools/fuzz/verifier-objects.ts';
import { differenceOfEngines, instructionsOf, randomPackets, type Trial } from './both-engines.ts';
import { anyProgram } from './random-programs.ts';

const SEED = 20_261_122;
const COUNT = 250;

/** Programs as a compiler might write them: maps, helpers, loops, functions, packet bytes. */
const likely = (index: number): Trial => ({
  object: objectOf(generate(seededRandom(SEED + index))),
  packets: randomPackets(index, 3),
});
const unlikely = (index: number): Trial => ({
  object: objectOf({ type: index % 2 === 0 ? 'xdp' : 'sched_cls', bytes: anyProgram(SEED + index) }),
  packets: randomPackets(index, 2),
});

describe.each([
  ['programs of the generator', likely],
  ['any instructions in any order', unlikely],
])(`%s (seed ${SEED})`, (_, trial) => {
  it(`give the same on both engines: result, error, bytes and instruction count`, () => {
    const differences = Array.from({ length: COUNT }, (__, index) => {
      const difference = differenceOfEngines(trial(index));
      return difference === undefined ? [] : [`program ${index}, ${difference}`];
    });
    expect(differences.flat()).toEqual([]);
  });

  it('end alike with the fuel cut at every instruction', () => {
    const differences = Array.from({ length: 15 }, (__, index) => {
      const whole = trial(index);
      const last = Math.min(instructionsOf(whole), 100);
      return Array.from({ length: last }, (___, spent) => {
        const difference = differenceOfEngines({ ...whole, options: { budget: spent + 1 } });
        return difference === undefined ? [] : [`program ${index}, budget ${spent + 1}, ${difference}`];
      }).flat();
    });
    expect(differences.flat()).toEqual([]);
  });
});
