import { expect, it } from 'vitest';
import { load } from '../../tools/load.ts';

// How fast, the tool tells where nothing else runs; here, that nobody is turned away or forgotten.
it('clients that poll while two replays run are all answered, and the replays go on', async () => {
  const report = await load({ clients: 100, rounds: 1, seconds: 2, packets: 100_000 });
  expect(report.latencies).toMatchObject({ errors: 0, examples: [] });
  expect(report.latencies.requests).toBeGreaterThan(100);
  expect(report.with).toBeGreaterThan(0);
});
