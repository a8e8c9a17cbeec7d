import { expect, it } from 'vitest';
import { fuzzLoop } from '../../tools/fuzz/loop.ts';
import { runFuzzer } from '../../tools/fuzz/run.ts';

it('the loop of generated code tells of mutated captures what JavaScript tells, however they are cut', () => {
  const codes = new Set<string>();
  runFuzzer({
    name: 'loop',
    seed: 20_261_122,
    count: 1500,
    one: (random) => {
      codes.add(fuzzLoop(random));
    },
  });
  expect([...codes].sort()).toEqual(
    expect.arrayContaining([
      'bad-block-length',
      'bad-captured-length',
      'block-length-mismatch',
      'record-too-long',
      'truncated',
      'unknown-interface',
      'whole',
    ]),
  );
});
