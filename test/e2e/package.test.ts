import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const ROOT = new URL('../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'bpfreplay-package-'));
const installed = join(folder, 'node_modules/bpfreplay');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (command: string, args: string[], cwd = folder) => execFileSync(command, args, { cwd, encoding: 'utf8' });

/** As `npm install bpfreplay` would leave it: the packed files, compiled, beside the packages that it depends on. */
beforeAll(() => {
  run('npm', ['run', 'build'], ROOT);
  run('npm', ['pack', '--pack-destination', folder, '--ignore-scripts'], ROOT);
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', join(folder, 'bpfreplay-0.1.0.tgz'), '--strip-components=1', '-C', installed]);
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
});

it('the installed command runs', () => {
  const args = [
    'run',
    join(installed, 'programs/blocklist.bpf.o'),
    join(installed, 'pcaps/dns.pcap'),
    '--format',
    'json',
  ];
  const tally = JSON.parse(run(process.execPath, [join(installed, 'bin/bpfreplay.js'), ...args])) as {
    packets: number;
  };
  expect(tally.packets).toBe(68);
});

it('the installed library loads, and replays in a worker thread', () => {
  writeFileSync(
    join(folder, 'user.js'),
    `import { startReplay } from 'bpfreplay';
     const object = ${JSON.stringify(join(installed, 'programs/blocklist.bpf.o'))};
     const capture = ${JSON.stringify(join(installed, 'pcaps/dns.pcap'))};
     const result = await startReplay({ object, capture, options: {}, maps: true }).finished;
     console.log(result.tally.packets, result.maps.length);`,
  );
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  expect(run(process.execPath, ['user.js'])).toMatch(/^68 \d+\n$/);
});
