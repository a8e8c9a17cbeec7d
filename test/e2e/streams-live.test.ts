import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Bench, type Body } from './stream-bench.ts';

/** Two machines on one wire: network namespaces, joined by a pair of veth interfaces. */
const CLIENT = `bpfreplay-c${process.pid}`;
const SERVER = `bpfreplay-s${process.pid}`;
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
const within = (namespace: string, ...command: string[]) => ['netns', 'exec', namespace, ...command];

const TOOLS = ['ip', 'ping', 'curl', 'dig'];
const isMissing = (tool: string) => spawnSync(tool, ['-V']).error !== undefined;

let folder: string;
let bench: Bench;
let isWired = false;
const servers: ReturnType<typeof spawn>[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bpfreplay-live-'));
  isWired = TOOLS.every((tool) => !isMissing(tool)) && wire();
  if (!isWired) return;
  await farEnd();
  const options = ['--stream-interface', 'veth0', '--stream-interface', 'gone0'];
  bench = await Bench.start(join(folder, 'data'), options, ['ip', ...within(CLIENT)]);
});
afterAll(async () => {
  if (isWired) await bench.daemon.end('SIGKILL');
  for (const server of servers) server.kill('SIGKILL');
  for (const namespace of [CLIENT, SERVER]) spawnSync('ip', ['netns', 'del', namespace]);
  rmSync(folder, { recursive: true, force: true });
});

function wire(): boolean {
  try {
    for (const namespace of [CLIENT, SERVER]) ip('netns', 'add', namespace);
    ip('-n', CLIENT, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth0', 'netns', SERVER);
    for (const [namespace, address] of [
      [CLIENT, '10.99.0.1/24'],
      [SERVER, '10.99.0.2/24'],
    ] as const) {
      ip('-n', namespace, 'address', 'add', address, 'dev', 'veth0');
      for (const name of ['lo', 'veth0']) ip('-n', namespace, 'link', 'set', name, 'up');
    }
    return true;
  } catch {
    return false;
  }
}

/** HTTP and DNS at the far end of the wire, in one process. */
const FAR_END = `
  import { createSocket } from 'node:dgram';
  import { createServer } from 'node:http';
  createServer((_, response) => response.end('x'.repeat(3000))).listen(80, '10.99.0.2', () => {
    const dns = createSocket('udp4');
    dns.on('message', (query, { port, address }) => {
      const answer = Buffer.from(query);
      answer[2] |= 0x80;
      answer[3] = 3;
      dns.send(answer, port, address);
    });
    dns.bind(53, '10.99.0.2', () => console.log('up'));
  });`;

async function farEnd(): Promise<void> {
  const child = spawn('ip', within(SERVER, process.execPath, '--input-type=module', '-e', FAR_END));
  servers.push(child);
  await new Promise((resolve) => child.stdout!.once('data', resolve));
}

/** What crosses the wire: so much that each protocol has packets. */
function traffic(): void {
  const run = (...command: string[]) => expect(spawnSync('ip', within(CLIENT, ...command)).status).toBe(0);
  run('ping', '-c', '3', '-i', '0.2', '10.99.0.2');
  run('curl', '-s', '-o', '/dev/null', 'http://10.99.0.2/');
  run('dig', '+tries=1', '+noedns', '@10.99.0.2', 'www.example.test');
}

const seen = ({ tally }: Body) => {
  const { protocols } = tally;
  return [protocols['IPv4 ICMP'], protocols['IPv4 TCP'], protocols['IPv4 UDP']].map((count) => count?.packets ?? 0);
};

it.for(['tcpdump', 'dumpcap'] as const)(
  'HTTP, DNS and ping that cross a wire are tallied as %s captures them, and it is started again when it ends',
  async (tool, { skip }) => {
    skip(isMissing(tool), `${tool} is not installed`);
    skip(!isWired, `needs root, network namespaces and ${TOOLS.join(', ')}`);
    const id = await bench.stream({ kind: 'interface', interface: 'veth0', tool, filter: 'ip' });
    traffic();
    const { feed, tally } = await bench.until(id, (stream) => {
      const [icmp, tcp, udp] = seen(stream);
      return icmp === 6 && udp === 2 && tcp! >= 9;
    });
    expect(feed).toMatchObject({ connected: true, from: `${tool} on veth0`, dropped: 0, failed: 0 });
    expect(tally.verdicts.XDP_PASS.packets).toBe(tally.packets);
    const { windows } = (await bench.call('GET', `/v1/streams/${id}/windows`)).body;
    expect(windows.length).toBeGreaterThan(0);
    const maps = await bench.maps(id);
    // A flow each way and protocol; the ports of ping are 0.
    expect(maps.find(({ map }: { map: string }) => map === 'flows').entries).toHaveLength(6);

    const [child] = childrenOf(bench.daemon.pid);
    process.kill(child!, 'SIGKILL');
    const { feed: broken } = await bench.until(id, ({ feed }) => feed.connections === 2);
    expect(broken.lastError).toMatchObject({ code: 'capture-tool-ended' });
    traffic();
    await bench.until(id, (stream) => seen(stream)[0] === 12);

    expect((await bench.call('DELETE', `/v1/streams/${id}`)).body.state).toBe('stopped');
    expect(childrenOf(bench.daemon.pid)).toEqual([]);
  },
);

it('an interface that was not given, is not there, or a filter that is none, is refused in words', async ({ skip }) => {
  skip(!isWired || isMissing('tcpdump'), `needs root, network namespaces, tcpdump and ${TOOLS.join(', ')}`);
  const refused = async (source: object) =>
    (await bench.call('POST', '/v1/streams', { program: bench.program, entry: 'flowstats', source })).body;
  const kind = 'interface';
  expect(await refused({ kind, interface: 'lo' })).toMatchObject({
    code: 'unknown-source',
    option: '--stream-interface',
  });
  expect(await refused({ kind, interface: '-w/tmp/x' })).toMatchObject({ code: 'unknown-source' });
  expect(await refused({ kind, interface: 'gone0' })).toMatchObject({
    code: 'source-unavailable',
    detail: expect.stringMatching(/gone0.*No such device/),
  });
  expect(await refused({ kind, interface: 'veth0', filter: 'tcp prot 80' })).toMatchObject({
    code: 'source-unavailable',
    detail: expect.stringContaining('filter expression'),
  });
  expect(await refused({ kind, interface: 'veth0', filter: '-w /tmp/x' })).toMatchObject({
    code: 'source-unavailable',
  });
  expect(childrenOf(bench.daemon.pid)).toEqual([]);
});

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}
