import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadTime, storeTime } from './time.ts';

const LARGEST = 9_223_372_036;

it('times come back as they were stored, and are the 64-bit nanoseconds', () => {
  const words = new Uint32Array(4);
  const longs = new BigInt64Array(words.buffer);
  const seconds = fc.oneof(
    fc.integer({ min: -LARGEST + 1, max: LARGEST - 1 }),
    fc.constantFrom(0, -1, 1, 2 ** 31, 2 ** 32, 2 ** 33 - 1, 2 ** 33, LARGEST - 1, -LARGEST + 1),
  );
  const nanoseconds = fc.oneof(fc.integer({ min: 0, max: 999_999_999 }), fc.constantFrom(0, 1, 999_999_999));
  fc.assert(
    fc.property(seconds, nanoseconds, (s, n) => {
      storeTime(words, 2, s, n);
      expect(longs[1]).toBe(BigInt(s) * 1_000_000_000n + BigInt(n));
      const time = { seconds: 0, nanoseconds: 0 };
      loadTime(words, 2, time);
      expect(time).toEqual({ seconds: s, nanoseconds: n });
    }),
    { numRuns: 2000 },
  );
});
