/**
 * `node tools/load.ts`: what clients cost that poll a daemon while it replays. Two replays run all the time; for a few
 * seconds nobody asks, for a few seconds 200 clients do, again and again in turn, so that what else goes on on the
 * machine weighs on both alike. Prints the latencies, the ratio of the replays' rates with and without clients, of each
 * round and of all, and what a request costs in processor time: the daemon, and the clients. The clients run on this
 * machine, and what they take is in the ratio too; they are written to take little, as they take nothing in earnest.
 *
 *   --clients 200  --rounds 6  --seconds 5  --packets 1000000
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Daemon, startDaemon } from './daemon.ts';
import { generateCapture } from './generate-capture.ts';
import { connectClients, type Latencies } from './load/clients.ts';

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
  /** Microseconds of processor time, a request. */
  readonly cost: {
    /** Of the thread that answers, beyond what it takes when nobody asks; null where it cannot be told. */
    readonly daemon: number | null;
    readonly clients: number;
  };
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
    const pace = async (): Promise<Pace> => {
      const [start, before, used] = [performance.now(), await replayed(daemon), answering(daemon)];
      await setTimeout(seconds * 1000);
      const elapsed = (performance.now() - start) / 1000;
      return { rate: ((await replayed(daemon)) - before) / elapsed, busy: (answering(daemon) - used) / elapsed };
    };
    const all = connectClients({ url: daemon.url, paths, clients, interval: 1_000 });
    // What is compiled and read for the first time is not of the measure.
    all.poll();
    await setTimeout(2_000);
    await all.rest();
    const phases: { without: Pace; with: Pace }[] = [];
    for (let round = 0; round < rounds; round++) {
      const without = await pace();
      all.poll();
      phases.push({ without, with: await pace() });
      results.push(await all.rest());
    }
    await all.close();
    stop.abort();
    await feeding;
    const mean = (of: 'with' | 'without', what: keyof Pace) =>
      phases.reduce((sum, one) => sum + one[of][what], 0) / rounds;
    const latencies = worst(results);
    const daemonSeconds = (mean('with', 'busy') - mean('without', 'busy')) * seconds * rounds;
    return {
      without: mean('without', 'rate'),
      with: mean('with', 'rate'),
      ratio: mean('with', 'rate') / mean('without', 'rate'),
      ratios: phases.map((one) => one.with.rate / one.without.rate),
      latencies,
      cost: {
        daemon: Number.isNaN(daemonSeconds) ? null : (daemonSeconds / latencies.requests) * 1e6,
        clients: (latencies.seconds / latencies.requests) * 1e6,
      },
    };
  } finally {
    stop.abort();
    await daemon.end('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

/** Of a few seconds. */
interface Pace {
  /** Packets a second, of both replays together. */
  readonly rate: number;
  /** Seconds of processor time a second, of the thread that answers. */
  readonly busy: number;
}

/** Seconds of processor time that the daemon's first thread, which answers, has had; NaN where Linux does not tell. */
function answering({ pid }: Daemon): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
  } catch {
    return Number.NaN;
  }
}

/** Of all rounds the worst, and what adds up. */
function worst(all: readonly Latencies[]): Latencies {
  const most = (of: 'p50' | 'p99' | 'max') => Math.max(...all.map((one) => one[of]));
  const sum = (of: 'requests' | 'errors' | 'seconds') => all.reduce((total, one) => total + one[of], 0);
  const examples = all.flatMap((one) => one.examples).slice(0, 3);
  return {
    requests: sum('requests'),
    errors: sum('errors'),
    examples,
    p50: most('p50'),
    p99: most('p99'),
    max: most('max'),
    seconds: sum('seconds'),
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
  process.exitCode = report.latencies.errors === 0 && report.latencies.p99 < 50 && report.ratio >= 0.9 ? 0 : 1;
}
