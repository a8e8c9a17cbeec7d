import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatsRecord } from '../../src/server/contract/stats.ts';
import { type Daemon, startDaemon } from '../../tools/daemon.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const TOKENS = { BPFREPLAY_TOKEN: 'full-0123456789abcdef', BPFREPLAY_READ_TOKEN: 'read-0123456789abcdef' };

let data: string;
let daemon: Daemon;
let tally: {
  packets: number;
  instructions: number;
  interfaces: object;
  verdicts: Record<string, { packets: number; bytes: number }>;
};

async function call(method: string, path: string, body?: Uint8Array | object) {
  const raw = body instanceof Uint8Array;
  const type = raw ? 'application/octet-stream' : 'application/json';
  const answer = await fetch(daemon.url + path, {
    method,
    headers: {
      authorization: `Bearer ${TOKENS.BPFREPLAY_TOKEN}`,
      ...(body === undefined ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
  });
  return await answer.text();
}

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'bpfreplay-metrics-'));
  daemon = await startDaemon(join(data, 'd'), [], TOKENS);
  const submit = async (path: string, file: string) =>
    JSON.parse(await call('POST', path, readFileSync(join(ROOT, file)))).id as string;
  const program = await submit('/v1/programs', 'programs/blocklist.bpf.o');
  const capture = await submit('/v1/captures', 'pcaps/mixed.pcap');
  const mapInit = JSON.parse(readFileSync(join(ROOT, 'programs/blocklist.maps.json'), 'utf8'));
  const { id } = JSON.parse(await call('POST', '/v1/replays', { program, capture, mapInit, maps: true }));
  for (;;) {
    const replay = JSON.parse(await call('GET', `/v1/replays/${id}`));
    if (replay.finishedAt !== null) {
      ({ tally } = replay);
      break;
    }
    await setTimeout(20);
  }
});
afterAll(async () => {
  await daemon?.end('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

/** What a dashboard panel asks. */
function queries(): { readonly panel: string; readonly query: string }[] {
  const text = readFileSync(join(ROOT, 'dashboards/bpfreplay.json'), 'utf8');
  const { panels, templating } = JSON.parse(text) as {
    panels: { title: string; targets: { expr: string }[] }[];
    templating: { list: { name: string; query: string | { query: string } }[] };
  };
  const variables = templating.list.flatMap(({ name, query }) =>
    typeof query === 'string' ? [] : [{ panel: name, query: /^label_values\((.*), \w+\)$/.exec(query.query)![1]! }],
  );
  const asked = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ panel: title, query: expr })));
  return [...variables, ...asked].map(({ panel, query }) => ({
    panel,
    query: query.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*'),
  }));
}

describe('the metrics', () => {
  it('say what the tally says, by program, and hold no id', async () => {
    const text = await call('GET', '/metrics');
    for (const [verdict, { packets, bytes }] of Object.entries(tally.verdicts)) {
      const labels = `{program="blocklist",program_type="xdp",verdict="${verdict}"}`;
      expect(text).toContain(`bpfreplay_packets_total${labels} ${packets}\n`);
      expect(text).toContain(`bpfreplay_packet_bytes_total${labels} ${bytes}\n`);
    }
    expect(text).toContain(`bpfreplay_instructions_total ${tally.instructions}\n`);
    expect(text).toContain(`bpfreplay_replayed_packets_total ${tally.packets}\n`);
    expect(text).toContain('bpfreplay_replay_duration_seconds_count{state="succeeded"} 1\n');
    expect(text).toContain(
      `bpfreplay_interface_packets_total{interface="${Object.keys(tally.interfaces)[0]}"} ${tally.packets}\n`,
    );
    expect(text).toContain('bpfreplay_replay_wait_seconds_count 1\n');
    expect(text).toContain('bpfreplay_verification_duration_seconds_count 1\n');
    expect(text).toContain('bpfreplay_data_bytes{kind="capture"} 47106\n');
    expect(text).not.toMatch(/[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-/);
  });

  it('are the same as JSON', async () => {
    const stats = JSON.parse(await call('GET', '/v1/stats')) as StatsRecord;
    expect(
      Object.fromEntries(stats.verdicts.map(({ verdict, packets, bytes }) => [verdict, { packets, bytes }])),
    ).toEqual(tally.verdicts);
    expect(stats.replays).toMatchObject({ ended: { succeeded: 1 }, packets: tally.packets, queued: 0, workers: 1 });
    expect(stats.data).toMatchObject({ programs: 1, captures: 1, files: { capture: { files: 1, bytes: 47106 } } });
    expect(stats.replays.wait.buckets.at(-1)!.count).toBe(1);
  });

  it('are all there that the dashboard names', async () => {
    const text = await call('GET', '/metrics');
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
    const series = [...types].flatMap(([name, type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
    );
    const named = queries().flatMap(({ query }) => query.match(/\b[a-z_0-9]+(?=\{)/g) ?? []);
    expect(named.length).toBeGreaterThan(30);
    expect([...new Set(named)].filter((name) => name !== 'up' && !series.includes(name))).toEqual([]);
  });

  it('promtool finds nothing wrong with', async ({ skip }) => {
    skip(!has('promtool'), 'promtool is not installed; it is in the Debian package prometheus');
    const input = await call('GET', '/metrics');
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
  });
});

describe('a Prometheus', () => {
  it('scrapes the daemon with the token that reads, and answers what the dashboard asks', async ({ skip }) => {
    skip(!has('prometheus'), 'prometheus is not installed; it is a Debian package');
    const server = await startPrometheus();
    try {
      const packets = 'bpfreplay_packets_total{job="bpfreplay",verdict="XDP_DROP",program="blocklist"}';
      await expect
        .poll(async () => (await server.ask(packets))[0]?.value[1], { timeout: 30_000, interval: 100 })
        .toBe(String(tally.verdicts.XDP_DROP!.packets));
      const [ended] = await server.ask('sum by (state) (bpfreplay_replays_total)');
      expect(ended).toMatchObject({ metric: { state: 'succeeded' }, value: [expect.any(Number), '1'] });
      for (const { panel, query } of queries()) {
        await expect(server.ask(query), `${panel}: ${query}`).resolves.toBeInstanceOf(Array);
      }
      expect(await server.ask('up{job="bpfreplay"}')).toMatchObject([{ value: [expect.any(Number), '1'] }]);
    } finally {
      await server.end();
    }
  });
});

function has(tool: string): boolean {
  return spawnSync(tool, ['--version']).error === undefined;
}

async function startPrometheus() {
  const config = join(data, 'prometheus.yml');
  writeFileSync(join(data, 'token'), TOKENS.BPFREPLAY_READ_TOKEN);
  writeFileSync(
    config,
    `scrape_configs:
  - job_name: bpfreplay
    scrape_interval: 1s
    authorization:
      credentials_file: ${join(data, 'token')}
    static_configs:
      - targets: ['${new URL(daemon.url).host}']
`,
  );
  const port = await freePort();
  const options = [`--config.file=${config}`, `--storage.tsdb.path=${join(data, 'tsdb')}`];
  const child = spawn('prometheus', [...options, `--web.listen-address=127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  return {
    /** The instant vector that an expression gives now. */
    async ask(query: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
      // Until it listens there is nothing.
      const answer = await fetch(url).catch(() => undefined);
      if (child.exitCode !== null) throw new Error(`prometheus ended: ${log}`);
      if (answer === undefined || answer.status === 503) return [];
      const { status, error, data } = await answer.json();
      if (status !== 'success') throw new Error(error);
      return data.result;
    },
    async end() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
