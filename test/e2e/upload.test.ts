import { expect, it } from 'vitest';
import { upload } from '../../tools/upload.ts';

const MEBIBYTE = 2 ** 20;

it('an upload is not held in memory, and others are answered meanwhile', async ({ skip }) => {
  skip(process.platform !== 'linux', 'how much memory a process took at most is read from /proc');
  const { size, peak, peakBefore, latencies } = await upload(192 * MEBIBYTE);
  expect(size).toBeGreaterThanOrEqual(192 * MEBIBYTE);
  // Buffers of streams, and what the collector has not come to yet: far less than the upload.
  expect((peak - peakBefore) / MEBIBYTE).toBeLessThan(100);
  expect(latencies).toMatchObject({ errors: 0 });
  expect(latencies.requests).toBeGreaterThan(10);
});
