import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { PROBLEMS } from '../../src/server/problems.ts';
import { startDaemon } from '../../tools/daemon.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const TEXT = readFileSync(join(ROOT, 'docs/api.md'), 'utf8');

interface Step {
  readonly command: string;
  /** What the document says that it prints. */
  output: string;
}

function steps(): Step[] {
  const blocks = [...TEXT.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block]) => block!);
  return blocks.flatMap((block) => {
    const found: Step[] = [];
    for (const line of block.trimEnd().split('\n')) {
      if (line.startsWith('$ ')) found.push({ command: line.slice(2), output: '' });
      else found.at(-1)!.output += `${line}\n`;
    }
    return found;
  });
}

/** JSON is the same however it is broken into lines; ids of replays and of requests, and times, differ from run to run. */
function normal(text: string): string {
  const masked = text
    .replaceAll(/\r/g, '')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/"rate": ?\d+/g, '"rate":0')
    .trim();
  try {
    return JSON.stringify(JSON.parse(masked));
  } catch {
    return masked;
  }
}

const missing = ['bash', 'curl', 'gzip', 'sha256sum', 'tcpdump', 'xxd'].filter(
  (tool) => spawnSync(tool, ['--version']).error !== undefined,
);

it('every command of docs/api.md prints what stands below it', async ({ skip }) => {
  skip(missing.length > 0, `not installed: ${missing.join(', ')}`);
  const data = mkdtempSync(join(tmpdir(), 'bpfreplay-docs-'));
  const daemon = await startDaemon(data);
  try {
    const [first, ...walk] = steps();
    expect(first!.command).toMatch(/^API=/);
    const END = '--- end of a step ---';
    const script = [`API=${daemon.url}`, ...walk.map(({ command }) => `${command}\necho; echo "${END}"`)].join('\n');
    const { stdout } = spawnSync('bash', [], {
      input: script,
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) },
    });
    const printed = stdout.split(`${END}\n`);
    expect(walk.length).toBeGreaterThan(30);
    for (const [i, { command, output }] of walk.entries()) {
      expect(`${command}\n${normal(printed[i] ?? '')}`).toBe(`${command}\n${normal(output)}`);
    }
  } finally {
    await daemon.end('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
});

it('the table of codes is the table of problems', () => {
  const rows = [...TEXT.matchAll(/^\| `([\w-]+)` \| (\d{3}) \| (.*) \|$/gm)].map(([, code, status, title]) => [
    code,
    { status: Number(status), title },
  ]);
  expect(Object.fromEntries(rows)).toEqual(PROBLEMS);
});
