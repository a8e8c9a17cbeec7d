import { expect, it } from 'vitest';
import { crash } from '../../tools/crash.ts';

const SEED = 20_261_122;

it(`survives kill -9 at moments of chance, and ends every replay as if undisturbed (seed ${SEED})`, async () => {
  const { faults, kills, uploads, replays } = await crash({ seed: SEED, count: 5 });
  expect(faults).toEqual([]);
  expect(kills).toBe(5);
  // Otherwise nothing was seen.
  expect(uploads).toBeGreaterThan(0);
  expect(replays).toBeGreaterThan(0);
});
