import { expect, it } from 'vitest';
import { fuzzElf } from '../../tools/fuzz/elf.ts';
import { runFuzzer } from '../../tools/fuzz/run.ts';

it('mutated objects load into a spec that holds, or are refused with a LoadError', () => {
  const codes = new Map<string, number>();
  runFuzzer({
    name: 'elf',
    seed: 20_261_122,
    count: 10_000,
    one(random, index) {
      const code = fuzzElf(random, index);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    },
  });
  // The mutations reach every stage: the file, its maps, its functions, its relocations.
  expect([...codes.keys()]).toEqual(
    expect.arrayContaining([
      'loaded',
      'bad-function',
      'bad-header',
      'bad-map-definition',
      'bad-map-value',
      'bad-name',
      'bad-relocation',
      'bad-relocations',
      'bad-symbols',
      'not-a-function',
      'not-bpf',
      'not-relocatable',
      'sections-overlap',
      'section-out-of-bounds',
      'stray-relocation',
      'truncated',
      'unresolved-symbol',
      'unsupported-section',
    ]),
  );
  expect(codes.get('loaded')).toBeGreaterThan(2_000);
});
