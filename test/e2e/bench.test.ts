import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SECTIONS } from '../../bench/sections/index.ts';

/** How fast it is says the benchmark itself; here it only has to measure, and to write down what it measured. */
describe('npm run bench', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bpfreplay-bench-'));
  const measure = (...args: string[]): string => {
    const output = join(folder, 'results.md');
    execFileSync(process.execPath, ['bench/bench.ts', '--smoke', '--rounds', '1', '-o', output, ...args], {
      stdio: 'pipe',
    });
    return readFileSync(output, 'utf8');
  };

  it('measures in every section', { timeout: 240_000 }, () => {
    const text = measure();
    rmSync(folder, { recursive: true });
    const parts = text.split(/^## /m).slice(1);
    expect(parts.map((part) => part.split('\n', 1)[0])).toEqual(SECTIONS.map(({ title }) => title));
    for (const part of parts) expect(part).toMatch(/^\| .*\d.* \|$|could not be asked/m);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});
