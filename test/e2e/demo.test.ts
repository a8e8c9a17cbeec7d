import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('npm run demo -- --once submits, replays, prints the tally and ends', () => {
  const output = execFileSync(process.execPath, ['tools/demo.ts', '--once'], { encoding: 'utf8' });
  expect(output).toMatch(/^program ratelimit: accept$/m);
  expect(output).toMatch(/^replay [0-9a-f-]{36}: succeeded$/m);
  expect(output).toMatch(/^ratelimit \(xdp\): 871 packets/m);
  expect(output).toMatch(/^XDP_DROP +\d+/m);
});
