import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Series } from './series.ts';

it('a series has every packet in the window of its time, and is bounded', () => {
  const packet = fc.record({ time: fc.nat(20_000), verdict: fc.constantFrom('XDP_PASS', 'XDP_DROP') });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 3000, minLength: 1, size: 'max' }), (packets) => {
      const series = new Series();
      const verdicts: Record<string, { packets: number; bytes: number }> = {};
      for (const [i, { time, verdict }] of packets.entries()) {
        const count = (verdicts[verdict] ??= { packets: 0, bytes: 0 });
        count.packets++;
        count.bytes += 60;
        series.add(time, { packets: i + 1, bytes: (i + 1) * 60, verdicts });
      }
      const { seconds, windows } = series.data;
      expect(windows.length).toBeLessThanOrEqual(600);
      for (const { index, packets: sum, verdicts: by } of windows) {
        const own = packets.filter(({ time }) => Math.floor(time / seconds) === index);
        expect(sum).toBe(own.length);
        expect(by.XDP_DROP?.packets ?? 0).toBe(own.filter(({ verdict }) => verdict === 'XDP_DROP').length);
      }
      expect(windows.reduce((sum, window) => sum + window.packets, 0)).toBe(packets.length);
    }),
    { numRuns: 20 },
  );
});
