import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { Instance } from '../../src/engine/instance.ts';
import { Replay } from '../../src/replay/replay.ts';
import { allCaptures, capturePath, examples, xdpTools } from '../differential/subjects.ts';

const FILES = allCaptures().map(({ name }) => name);
/** Captures that each program meets: others than its neighbours, so that together they meet them all. */
const CAPTURES_EACH = 4;
const SEED = 20_261_122;

/** The tally and the maps; the capture comes in pieces of the sizes that are given. */
function replayed(instance: Instance, capture: Uint8Array, size: () => number): string {
  const replay = new Replay(instance);
  for (let at = 0; at < capture.length; ) {
    const end = at + size();
    replay.push(capture.subarray(at, end));
    at = end;
  }
  return JSON.stringify({ ...replay.end(), maps: instance.dumpMaps() });
}

describe('a replay by generated code', () => {
  const subjects = [...examples(), ...xdpTools()];
  const programs = subjects.flatMap(({ name, object, mapInit, programs }) =>
    programs.map((program) => ({ name, object, mapInit, program })),
  );

  it.each(programs.map((each, index) => ({ ...each, index })))(
    '$name $program: tells what the interpreter tells, one packet after the other',
    ({ object, mapInit, program, index }) => {
      const random = seededRandom(SEED + index);
      const cpus = 1 + (index % 3);
      const [reference, fast] = (['interpreter', 'jit'] as const).map(
        (engine) => new Instance(object, { program, mapInit, engine, cpus }),
      ) as [Instance, Instance];
      for (let i = 0; i < CAPTURES_EACH; i++) {
        const file = FILES[(index * CAPTURES_EACH + i) % FILES.length]!;
        const capture = readFileSync(capturePath(file));
        const most = random.below(2) === 0 ? 700 : 100_000;
        const here = replayed(fast, capture, () => 1 + random.below(most));
        expect(here, file).toBe(replayed(reference, capture, () => capture.length));
      }
    },
  );
});
