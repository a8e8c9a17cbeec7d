/**
 * `node tools/soak.ts`: what is left in a daemon's memory of senders that come and go. Captures are sent to two streams
 * in turn, one by HTTP and one by PCAP-over-IP, each over a connection of its own; every tenth is cut off in the middle
 * of its last packet. Prints the resident memory (VmRSS of proc_pid_status(5)) on the way, each time behind a full
 * garbage collection in every thread, and by how much it grew.
 *
 *   --connections 500  --packets 10000000
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startDaemon } from './daemon.ts';
import { generateCapture } from './generate-capture.ts';

export interface SoakOptions {
  readonly connections: number;
  /** Over all connections. */
  readonly packets: number;
  /** How often memory is looked at on the way. */
  readonly samples: number;
}

export interface SoakReport {
  /** As the streams tell them. */
  readonly connections: number;
  readonly failed: number;
  readonly packets: number;
  readonly seconds: number;
  /** Resident bytes, at the start and on the way, after as many connections each time. */
  readonly resident: readonly number[];
  /** Bytes by which the last third of them, in the middle, is above the first behind the warm-up. */
  readonly growth: number;
}

const OBJECT = readFileSync(new URL('../programs/flowstats.bpf.o', import.meta.url));
const PORT = 57_199;
const CUT_EVERY = 10;
/** Milliseconds between two collections, which every thread of the daemon makes by itself. */
const COLLECT = 500;
const COLLECTING = `--expose-gc --import=data:text/javascript,setInterval(gc,${COLLECT}).unref()`;

export async function soak({ connections, packets, samples }: SoakOptions): Promise<SoakReport> {
  const data = mkdtempSync(join(tmpdir(), 'bpfreplay-soak-'));
  const daemon = await startDaemon(data, ['--stream-ports', String(PORT)], { NODE_OPTIONS: COLLECTING });
  try {
    const call = async (method: string, path: string, body?: BodyInit, type = 'application/octet-stream') => {
      const sent = body === undefined ? {} : { body, headers: { 'content-type': type } };
      for (;;) {
        const response = await fetch(daemon.url + path, { method, ...sent });
        const answer = await response.json();
        if (response.ok || answer.code === 'bad-capture') return answer;
        // The machine is busy.
        if (answer.code !== 'overloaded') throw new Error(JSON.stringify(answer));
        await setTimeout(200);
      }
    };
    const { id: program } = await call('POST', '/v1/programs', OBJECT);
    const start = async (source: object): Promise<string> => {
      const request = JSON.stringify({ program, entry: 'flowstats', source });
      return (await call('POST', '/v1/streams', request, 'application/json')).id;
    };
    const http = await start({ kind: 'http' });
    const listening = await start({ kind: 'listen', port: PORT });
    const idle = async (id: string, captures: number) => {
      for (;;) {
        const { feed } = await call('GET', `/v1/streams/${id}`);
        if (feed.connections === captures && !feed.connected) return;
        await setTimeout(5);
      }
    };
    const send = async (index: number, bytes: Uint8Array<ArrayBuffer>) => {
      if (index % 2 === 0) return call('PUT', `/v1/streams/${http}/capture`, bytes);
      const socket = connect(PORT, '127.0.0.1').on('error', () => {});
      socket.end(bytes);
      return idle(listening, (index + 1) / 2);
    };

    const capture = captureOf(Math.round(packets / connections));
    const resident = [await residentMemory(daemon.pid)];
    const began = performance.now();
    for (let index = 0; index < connections; index++) {
      // Both streams meet some that are cut.
      const isCut = index % CUT_EVERY === Math.floor(index / CUT_EVERY) % 2;
      await send(index, isCut ? capture.subarray(0, -1) : capture);
      if ((index + 1) % Math.ceil(connections / samples) === 0) resident.push(await residentMemory(daemon.pid));
    }
    const seconds = (performance.now() - began) / 1000;
    const streams = await Promise.all([http, listening].map((id) => call('GET', `/v1/streams/${id}`)));
    const sum = (of: (stream: (typeof streams)[number]) => number) => streams.reduce((all, one) => all + of(one), 0);
    return {
      connections: sum(({ feed }) => feed.connections),
      failed: sum(({ feed }) => feed.failed),
      packets: sum(({ frames }) => frames),
      seconds,
      resident,
      growth: growthOf(resident.slice(2)),
    };
  } finally {
    await daemon.end('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

function captureOf(packets: number): Uint8Array<ArrayBuffer> {
  const made: Uint8Array[] = [];
  generateCapture({ packets, size: 64, seed: 1, flows: 1000, profile: 'mixed', format: 'pcap' }, (piece) => {
    made.push(piece.slice());
  });
  return new Uint8Array(Buffer.concat(made));
}

/** Behind collections. */
async function residentMemory(pid: number): Promise<number> {
  await setTimeout(3 * COLLECT);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}

function growthOf(samples: readonly number[]): number {
  const third = Math.ceil(samples.length / 3);
  return middle(samples.slice(-third)) - middle(samples.slice(0, third));
}

function middle(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '500' },
      packets: { type: 'string', default: '10000000' },
    },
  });
  const report = await soak({ connections: Number(values.connections), packets: Number(values.packets), samples: 10 });
  console.log(JSON.stringify(report, (_, value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value), 2));
  process.exitCode = report.growth < 20 * 2 ** 20 ? 0 : 1;
}
