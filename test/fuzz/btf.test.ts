import { expect, it } from 'vitest';
import { fuzzBtf } from '../../tools/fuzz/btf.ts';
import { runFuzzer } from '../../tools/fuzz/run.ts';

it('mutated BTF is read, walked and relocated, or refused with a LoadError', () => {
  const codes = new Set<string>();
  runFuzzer({
    name: 'btf',
    seed: 20_261_122,
    count: 6_000,
    one(random) {
      for (const code of fuzzBtf(random)) codes.add(code);
    },
  });
  // What takes more than a few changed bytes (too deep, too many, ambiguous …) is tested beside the reader.
  expect([...codes].sort()).toEqual([
    'btf-cycle',
    'btf-ext-count',
    'btf-ext-record',
    'btf-flags',
    'btf-header',
    'btf-kind',
    'btf-linkage',
    'btf-magic',
    'btf-name',
    'btf-no-such-string',
    'btf-no-such-type',
    'btf-strings',
    'btf-truncated',
    'btf-type-id',
    'btf-version',
    'core-access',
    'core-anonymous',
    'core-instruction',
    'core-kind',
    'core-mismatch',
    'core-offset',
    'core-offset-range',
    'core-size',
    'none',
  ]);
});
