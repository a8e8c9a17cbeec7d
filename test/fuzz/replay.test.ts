import { expect, it } from 'vitest';
import { fuzzReplay } from '../../tools/fuzz/replay.ts';
import { runFuzzer } from '../../tools/fuzz/run.ts';

it('whole objects with flipped bytes are refused by name, or run to a verdict for each packet', () => {
  const outcomes = new Map<string, number>();
  runFuzzer({
    name: 'replay',
    seed: 20_261_122,
    count: 2_000,
    one(random) {
      const outcome = fuzzReplay(random);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    },
  });
  const met = [...outcomes.keys()].join('\n');
  // Both ends are reached: accesses and instructions that only the interpreter stops, and files that do not load.
  for (const outcome of ['XDP_PASS', 'bad-access', 'bad-instruction', 'TC_ACT_OK', 'bad-relocation']) {
    expect(met).toContain(outcome);
  }
});
