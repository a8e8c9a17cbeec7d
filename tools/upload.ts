/**
 * `node tools/upload.ts --size 2G`: uploads a capture of that size to a daemon of its own, while others ask whether it
 * lives. Prints how much memory the daemon took at most (VmHWM of proc_pid_status(5)) before and after, and how long
 * the others waited.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { byteSize } from '../src/cli/options.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { generateCapture } from './generate-capture.ts';
import { connectClients, type Latencies } from './load/clients.ts';

export interface UploadReport {
  /** Of the capture, in bytes; and the packets that its summary counts. */
  readonly size: number;
  readonly packets: number;
  readonly seconds: number;
  /** The most resident memory that the daemon ever had, in bytes. */
  readonly peakBefore: number;
  readonly peak: number;
  readonly latencies: Latencies;
}

const CLIENTS = 10;
const INTERVAL = 100;

export async function upload(size: number): Promise<UploadReport> {
  const data = mkdtempSync(join(tmpdir(), 'bpfreplay-upload-'));
  const daemon = await startDaemon(data);
  try {
    const { url } = daemon;
    const clients = connectClients({ url, paths: ['/livez'], clients: CLIENTS, interval: INTERVAL });
    clients.poll();
    await setTimeout(1_000);
    const peakBefore = peakMemory(daemon);
    const start = performance.now();
    const answer = await fetch(`${url}/v1/captures`, {
      method: 'PUT',
      body: Readable.toWeb(Readable.from(capture(size))) as BodyInit,
      duplex: 'half',
    } as RequestInit);
    const seconds = (performance.now() - start) / 1000;
    const record = await answer.json();
    if (answer.status !== 201) throw new Error(`the upload was answered with ${JSON.stringify(record)}`);
    const latencies = await clients.rest();
    await clients.close();
    const { size: stored, summary } = record as { size: number; summary: { packets: number } };
    return { size: stored, packets: summary.packets, seconds, peakBefore, peak: peakMemory(daemon), latencies };
  } finally {
    await daemon.end('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

function peakMemory({ pid }: Daemon): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

/** The same packets again and again behind one header, until they are as many bytes or a few more. */
function* capture(size: number): Iterable<Uint8Array> {
  const HEADER = 24;
  const made: Uint8Array[] = [];
  generateCapture({ packets: 2000, size: 'imix', seed: 1, flows: 100, profile: 'mixed', format: 'pcap' }, (piece) => {
    made.push(piece.slice());
  });
  const whole = new Uint8Array(Buffer.concat(made));
  yield whole.subarray(0, HEADER);
  const packets = whole.subarray(HEADER);
  for (let bytes = HEADER; bytes < size; bytes += packets.length) yield packets;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { size: { type: 'string', default: '2G' } } });
  const report = await upload(byteSize(values.size));
  console.log(JSON.stringify(report, (_, value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value), 2));
  process.exitCode = report.latencies.errors === 0 && report.peak < 300 * 2 ** 20 ? 0 : 1;
}
