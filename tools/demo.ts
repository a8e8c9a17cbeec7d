// `npm run demo`: starts the daemon, submits a program, replays a capture, prints the tally, and stays up until Ctrl-C.
// With `-- --once` it ends there.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { tallyText } from '../src/cli/tally-text.ts';
import type { Tally } from '../src/index.ts';

const PROGRAM = 'programs/ratelimit.bpf.o';
const CAPTURE = 'pcaps/syn-flood.pcap';
const PREFERRED_PORT = 8787;

const root = new URL('..', import.meta.url).pathname;
const once = process.argv.includes('--once');
const data = mkdtempSync(join(tmpdir(), 'bpfreplay-demo-'));

/** The usual port where it is free, any other where it is not. */
async function choosePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(0));
    probe.listen(PREFERRED_PORT, '127.0.0.1', () => probe.close(() => resolve(PREFERRED_PORT)));
  });
}

/** The address that the daemon's log names once it listens. */
async function address(daemon: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: daemon.stderr! })) {
    const { url } = line.startsWith('{') ? (JSON.parse(line) as { url?: string }) : {};
    if (url !== undefined) return url;
    process.stderr.write(`${line}\n`);
  }
  throw new Error('the daemon ended before it listened');
}

async function json<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

const daemon = spawn(
  process.execPath,
  [join(root, 'bin/bpfreplay.js'), 'serve', '--port', String(await choosePort()), '--data', data],
  { stdio: ['ignore', 'inherit', 'pipe'] },
);
daemon.once('exit', () => rmSync(data, { recursive: true, force: true }));
const url = await address(daemon);
daemon.stderr!.resume();
const step = (text: string) => console.log(`\n$ ${text}`);

step(`curl --data-binary @${PROGRAM} -H 'content-type: application/octet-stream' ${url}/v1/programs`);
const upload = { method: 'POST', headers: { 'content-type': 'application/octet-stream' } };
const program = await json<{ id: string; programs: { name: string; verdict: string }[] }>(
  await fetch(`${url}/v1/programs`, { ...upload, body: readFileSync(join(root, PROGRAM)) }),
);
for (const { name, verdict } of program.programs) console.log(`program ${name}: ${verdict}`);

step(`curl --data-binary @${CAPTURE} -H 'content-type: application/octet-stream' ${url}/v1/captures`);
const capture = await json<{ id: string; summary: { packets: number } }>(
  await fetch(`${url}/v1/captures`, { ...upload, body: readFileSync(join(root, CAPTURE)) }),
);
console.log(`capture ${capture.id.slice(0, 12)}…: ${capture.summary.packets} packets`);

const request = { program: program.id, capture: capture.id };
step(`curl -H 'content-type: application/json' -d '${JSON.stringify(request)}' ${url}/v1/replays`);
let replay = await json<{ id: string; state: string; tally: Tally | null; error: unknown }>(
  await fetch(`${url}/v1/replays`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  }),
);
console.log(`replay ${replay.id}: ${replay.state}`);

step(`curl ${url}/v1/replays/${replay.id}`);
while (replay.state === 'queued' || replay.state === 'running') {
  await new Promise((resolve) => setTimeout(resolve, 100));
  replay = await json(await fetch(`${url}/v1/replays/${replay.id}`));
}
console.log(`replay ${replay.id}: ${replay.state}`);
if (replay.tally === null) throw new Error(JSON.stringify(replay.error));
console.log(`\n${tallyText(replay.tally)}`);

if (once) daemon.kill();
else {
  console.log(`\nThe daemon stays up: ${url}/docs shows the API, ${url}/metrics the figures. Ctrl-C ends it.`);
  process.once('SIGINT', () => daemon.kill('SIGINT'));
}
