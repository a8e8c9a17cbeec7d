import { expect, it } from 'vitest';
import { fuzzApi } from '../../tools/fuzz/api.ts';

const SEED = 20_261_122;

it(`every operation answers as documented, whatever is sent (seed ${SEED})`, async () => {
  const { faults, operations, requests, statuses } = await fuzzApi({ seed: SEED, rounds: 3 });
  expect(faults).toEqual([]);
  expect(requests).toBeGreaterThan(2 * operations);
  // Otherwise nothing was seen of what is behind the schemas.
  for (const status of [200, 201, 400, 404, 422]) expect(statuses[status]).toBeGreaterThan(0);
});
