import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../tools/fuzz/runs.ts';
import { kernelAvailable } from '../differential/oracle.ts';

const SEED = 20_261_123;
const COUNT = 200;

describe('random programs that run', () => {
  it.skipIf(kernelAvailable() !== true)('answer as Linux does, on both engines', () => {
    const { run, unsteady, differences } = compareRuns(SEED, 0, COUNT);
    expect(differences.map(({ index }) => `fuzz:runs --seed ${SEED} --only ${index}`)).toEqual([]);
    expect(run).toBeGreaterThan(COUNT / 4);
    expect(unsteady).toBeLessThan(run / 4);
  });
});
