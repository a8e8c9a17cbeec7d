import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { FileSink } from './file-sink.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bpfreplay-sink-'));
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

it('a recording does not grow beyond its limit, and names the option that allows more', () => {
  const path = join(scratch, 'lines');
  const file = new FileSink(path, { bytes: 300_000, option: '--max-recording' });
  const line = 'x'.repeat(999);
  expect(() => {
    for (let i = 0; i < 1000; i++) file.line(line);
    file.close();
  }).toThrow('300000 bytes allowed; --max-recording');
  expect(readFileSync(path).length).toBeLessThanOrEqual(300_000);
});
