import { expect, it } from 'vitest';
import { runFuzzer } from '../../tools/fuzz/run.ts';
import { fuzzVerdict } from '../../tools/fuzz/verdicts.ts';

it('objects and programs with flipped bytes get a verdict, or are refused by name', () => {
  const outcomes = new Map<string, number>();
  runFuzzer({
    name: 'verdicts',
    seed: 20_261_122,
    count: 1_000,
    one(random) {
      const outcome = fuzzVerdict(random);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    },
  });
  // All the ways through are taken: the file, the shape of the code, its paths.
  const met = [...outcomes.keys()];
  for (const outcome of ['accept', 'bad-relocation', 'unknown-opcode', 'uninitialised-register', 'packet-bounds']) {
    expect(met).toContain(outcome);
  }
});
