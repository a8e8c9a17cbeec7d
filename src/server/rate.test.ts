import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRateLimit } from './rate.ts';

it('lets a burst pass, then as many as the rate, each client by itself', () => {
  const take = createRateLimit(10);
  for (let i = 0; i < 10; i++) expect(take('a', 0)).toBe(0);
  expect(take('a', 0)).toBeCloseTo(0.1);
  expect(take('b', 0)).toBe(0);
  expect(take('a', 100)).toBe(0);
  expect(take('a', 100)).toBeGreaterThan(0);
});

it('never lets more pass in a time than a burst and the rate', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 300 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), gaps, (perSecond, waits) => {
      const take = createRateLimit(perSecond);
      let now = 0;
      let passed = 0;
      for (const wait of waits) {
        now += wait;
        if (take('a', now) === 0) passed++;
      }
      expect(passed).toBeLessThanOrEqual(perSecond + (now / 1000) * perSecond + 1e-6);
    }),
  );
});

it('forgets clients that rest, and none that do not', () => {
  const take = createRateLimit(1);
  for (let i = 0; i < 50_000; i++) expect(take(`client ${i}`, i / 100)).toBe(0);
  expect(take('client 49999', 999)).toBeGreaterThan(0);
  // Swept: those of the first half second are full again, the others are not.
  expect(take('client 0', 1_001)).toBe(0);
  expect(take('client 49999', 1_002)).toBeGreaterThan(0);
  expect(take('client 49999', 3_000)).toBe(0);
});
