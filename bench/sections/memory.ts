import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDaemon } from '../../tools/daemon.ts';
import { captureOf } from '../captures.ts';
import { number } from '../report.ts';
import { QUICK, type Section } from '../section.ts';
import { subjectNamed } from '../subjects.ts';

const BIN = fileURLToPath(new URL('../../bin/bpfreplay.js', import.meta.url));
const PCAP_HEADER = 24;
const MOST_MEGABYTES = 400;

/** (f) Memory, at rest and under a capture that is larger than the machine's. */
export const memory: Section = {
  letter: 'f',
  title: '(f) Memory',
  async measure(settings) {
    const resting = await daemonAtRest();
    const atRest = settings.scale < QUICK ? [] : [await commandAtRest()];
    const size = Math.round(10e9 * settings.scale ** 1.5);
    const large = await streamed(size);
    const what = `${number(size / 1e9)} GB through standard input`;
    return {
      remarks: [
        'The most memory that the process ever held resident (VmHWM of /proc), in megabytes of 10⁶ bytes. The capture is a ' +
          'mebibyte and more of frames of all sizes, again and again, written into a pipe and kept nowhere.',
      ],
      tables: [
        {
          title: 'Resident',
          columns: ['Process', 'Packets', 'Megabytes', 'Seconds'],
          rows: [
            ['daemon at rest', '', number(resting), ''],
            ...atRest,
            [`\`run\`, ${what}`, String(large.packets), number(large.megabytes), number(large.seconds)],
          ],
        },
      ],
      bars: [{ what: `${what}, megabytes`, figure: large.megabytes, most: MOST_MEGABYTES }],
    };
  },
};

async function commandAtRest(): Promise<string[]> {
  const { megabytes, seconds } = await streamed(0);
  return ['`run`, a capture without packets', '0', number(megabytes), number(seconds)];
}

/** Megabytes; 0 once the process is gone. */
function mostResident(pid: number): number {
  try {
    const kilobytes = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return (Number(kilobytes ?? 0) * 1024) / 1e6;
  } catch {
    return 0;
  }
}

async function daemonAtRest(): Promise<number> {
  const data = mkdtempSync(join(tmpdir(), 'bpfreplay-bench-'));
  const daemon = await startDaemon(data);
  const answer = await fetch(`${daemon.url}/healthz`);
  await answer.arrayBuffer();
  const megabytes = mostResident(daemon.pid);
  await daemon.end('SIGTERM');
  rmSync(data, { recursive: true });
  return megabytes;
}

async function streamed(size: number): Promise<{ megabytes: number; packets: number; seconds: number }> {
  const { object, program } = subjectNamed('map-heavy');
  const capture = readFileSync(captureOf('pcap', 'imix', 20_000));
  const start = performance.now();
  const args = [BIN, 'run', object, '-', '--program', program, '--format', 'json', '--engine', 'jit'];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let megabytes = 0;
  const watch = setInterval(() => {
    megabytes = Math.max(megabytes, mostResident(child.pid!));
  }, 20);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  await write(child, capture.subarray(0, PCAP_HEADER));
  for (let sent = PCAP_HEADER; sent < size; sent += capture.length - PCAP_HEADER)
    await write(child, capture.subarray(PCAP_HEADER));
  megabytes = Math.max(megabytes, mostResident(child.pid!));
  child.stdin.end();
  const code = await ended;
  clearInterval(watch);
  if (code !== 0) throw new Error(`the replay of ${size} bytes ended with ${code}`);
  return { megabytes, packets: JSON.parse(text).packets as number, seconds: (performance.now() - start) / 1000 };
}

const write = ({ stdin }: ChildProcess, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => stdin!.write(bytes, (error) => (error ? reject(error) : resolve())));
