/**
 * `node tools/load.ts`: what clients cost that poll a daemon while it replays. Two replays run all the time; for a few
 * seconds nobody asks, for a few seconds 200 clients do, again and again in turn, so that what else goes on on the
 * machine weighs on both alike. Prints the latencies, and the ratio of the replays' rates with and without clients.
 *
 *   --clients 200  --rounds 6  --seconds 5  --packets 1000000
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Daemon, startDaemon } from './daemon.ts';
import { generateCapture } from './generate-capture.ts';
import { type Latencies, startClients } from './load/clients.ts';

export interface LoadOptions {
  readonly clients: number;
  /** Times without and with clients. */
  readonly rounds: number;
  /** Of each. */
  readonly seconds: number;
  /** Of the capture that is replayed. */
  readonly packets: number;
}

export interface LoadReport {
  /** Packets a second, of both replays together. */
  readonly without: number;
  readonly with: number;
  /** Of the rates: 1 where clients cost nothing. */
  readonly ratio: number;
  /** Of each round. */
  readonly ratios: readonly number[];
  readonly latencies: Latencies;
}

const REPLAYS = 2;
/** Busy for some 40 µs with each packet: a replay is to last longer than the phases that are compared. */
const PROGRAM = `r1 = 100000
again:
r1 += -1
if r1 != 0 goto again
r0 = 2
exit
`;

export async function load({ clients, rounds, seconds, packets }: LoadOptions): Promise<LoadReport> {
  const data = mkdtempSync(join(tmpdir(), 'bpfreplay-load-'));
  const daemon = await startDaemon(data, ['--workers', String(REPLAYS), '--rate', '0']);
  const stop = new AbortController();
  const results: Latencies[] = [];
  try {
    const replays = await startReplays(daemon, packets);
    const feeding = replays.feed(stop.signal);
    const paths = ['/metrics', ...replays.ids.map((id) => `/v1/replays/${id}`)];
    const rate = async () => {
      const [start, before] = [performance.now(), await replayed(daemon)];
      await setTimeout(seconds * 1000);
      return (((await replayed(daemon)) - before) / (performance.now() - start)) * 1000;
    };
    // What is compiled and read for the first time is not of the measure.
    await setTimeout(2_000);
    const rates: { without: number; with: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const without = await rate();
      const polling = startClients({ url: daemon.url, paths, clients, interval: 1_000 });
      await setTimeout(500);
      rates.push({ without, with: await rate() });
      results.push(await polling.stop());
    }
    stop.abort();
    await feeding;
    const mean = (of: 'with' | 'without') => rates.reduce((sum, one) => sum + one[of], 0) / rounds;
    return {
      without: mean('without'),
      with: mean('with'),
      ratio: mean('with') / mean('without'),
      ratios: rates.map((one) => one.with / one.without),
      latencies: worst(results),
    };
  } finally {
    stop.abort();
    await daemon.end('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

/** Of all rounds the worst. */
function worst(all: readonly Latencies[]): Latencies {
  const most = (of: 'p50' | 'p99' | 'max') => Math.max(...all.map((one) => one[of]));
  const sum = (of: 'requests' | 'errors') => all.reduce((total, one) => total + one[of], 0);
  const examples = all.flatMap((one) => one.examples).slice(0, 3);
  return {
    requests: sum('requests'),
    errors: sum('errors'),
    examples,
    p50: most('p50'),
    p99: most('p99'),
    max: most('max'),
  };
}

async function replayed({ url }: Daemon): Promise<number> {
  const { replays } = await (await fetch(`${url}/v1/stats`)).json();
  return replays.packets;
}

async function startReplays({ url }: Daemon, packets: number) {
  const pieces = async function* () {
    const made: Uint8Array[] = [];
    generateCapture({ packets, size: 512, seed: 1, flows: 1000, profile: 'mixed', format: 'pcap' }, (piece) => {
      made.push(piece.slice());
    });
    yield* made;
  };
  const submit = async (path: string, body: BodyInit, type = 'application/octet-stream') => {
    const headers = { 'content-type': type };
    const answer = await fetch(url + path, { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
    return ((await answer.json()) as { id: string }).id;
  };
  const program = await submit('/v1/programs?type=xdp', PROGRAM, 'text/x-bpf-assembly');
  const capture = await submit('/v1/captures', Readable.toWeb(Readable.from(pieces())) as BodyInit);
  const replay = async () => {
    const body = JSON.stringify({ program, capture });
    const headers = { 'content-type': 'application/json' };
    return ((await (await fetch(`${url}/v1/replays`, { method: 'POST', headers, body })).json()) as { id: string }).id;
  };
  const ids = [await replay(), await replay()];
  return {
    ids,
    /** Keeps replays waiting, so that as many as may run do. */
    async feed(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        const { replays } = await (await fetch(`${url}/v1/stats`)).json();
        if (replays.queued < REPLAYS) await replay();
        await setTimeout(200, undefined, { signal }).catch(() => {});
      }
    },
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '200' },
      rounds: { type: 'string', default: '6' },
      seconds: { type: 'string', default: '5' },
      packets: { type: 'string', default: '1000000' },
    },
  });
  const report = await load({
    clients: Number(values.clients),
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    packets: Number(values.packets),
  });
  console.log(JSON.stringify(report, (_, value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value), 2));
  process.exitCode = report.latencies.errors === 0 && report.latencies.p99 < 50 && report.ratio > 0.9 ? 0 : 1;
}
