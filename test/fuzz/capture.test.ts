import { expect, it } from 'vitest';
import { fuzzCapture } from '../../tools/fuzz/capture.ts';
import { runFuzzer } from '../../tools/fuzz/run.ts';

it('mutated captures end in frames and at most a CaptureError, however they are cut', () => {
  const seed = 20_261_122;
  const codes = new Map<string, number>();
  let packets = 0;
  runFuzzer({
    name: 'capture',
    seed,
    count: 15_000,
    one(random, index) {
      const outcome = fuzzCapture(random, index);
      packets += outcome.packets;
      const code = (JSON.parse(outcome.summary) as { error: { code: string } | null }).error?.code ?? 'none';
      codes.set(code, (codes.get(code) ?? 0) + 1);
    },
  });
  // The mutations reach every refusal there is but the bound on the number of interfaces.
  expect([...codes.keys()].sort()).toEqual([
    'bad-block-length',
    'bad-byte-order-magic',
    'bad-captured-length',
    'bad-link-type',
    'bad-option',
    'block-length-mismatch',
    'block-too-long',
    'empty',
    'none',
    'record-too-long',
    'truncated',
    'unknown-format',
    'unknown-interface',
    'unsupported-version',
  ]);
  expect(packets).toBeGreaterThan(15_000);
});
