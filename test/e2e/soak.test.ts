import { expect, it } from 'vitest';
import { soak } from '../../tools/soak.ts';

// Whether memory stays what it is, the tool tells in the long run; here, that each sender is read to its end.
it('streams read what comes from one sender after the other, and what was cut off', async ({ skip }) => {
  skip(process.platform !== 'linux', 'how much memory a process has is read from /proc');
  const { resident, ...report } = await soak({ connections: 20, packets: 20_000, samples: 1 });
  expect(report).toMatchObject({ connections: 20, failed: 2, packets: 20_000 - 2 });
  expect(resident.every((bytes) => bytes > 0)).toBe(true);
});
