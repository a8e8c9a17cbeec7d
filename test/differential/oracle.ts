/**
 * Asks the running kernel, through tools/kernel-oracle (whose README describes the answers). Everything here is
 * synchronous: a test asks, the kernel answers. Nothing is attached, and all that was loaded goes with the process.
 */

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUILD = join(ROOT, '.tmp/kernel-oracle');
export const ORACLE = join(BUILD, 'oracle');
const MAX_OUTPUT = 1 << 30;

/** What a map holds: per-CPU maps have one value a CPU; queues and stacks no key. Hex, as the kernel stores it. */
export interface MapEntry {
  readonly key?: string;
  readonly value: string | readonly string[];
  /** For records of a ring buffer or perf event array: the packet that made them. */
  readonly packet?: number;
}

export interface MapAnswer {
  readonly map: string;
  /** libbpf's name: `hash`, `percpu_array`, … */
  readonly type: string;
  readonly entries: readonly MapEntry[];
}

/** Entries to put in before the run, by map. `program:NAME` and `map:NAME` stand for the fds of the object's own. */
export type MapInit = Readonly<Record<string, readonly { key?: string; value: string | readonly string[] }[]>>;

/** One packet: either what the program made of it, or the errno's name with which test-run did not take the frame. */
export type PacketAnswer =
  | {
      readonly index: number;
      readonly error?: undefined;
      /** The program's return value as u32. */
      readonly retval: number;
      readonly out_len: number;
      readonly out_fnv1a64: string;
      readonly out?: string;
      readonly ctx_out?: string;
    }
  | { readonly index: number; readonly error: string };

export interface RunQuestion {
  /** Path of the object. */
  readonly object: string;
  readonly program: string;
  /** Ethernet frames, in order. */
  readonly frames: Iterable<Uint8Array>;
  readonly mapInit?: MapInit;
  /** Ask for the maps' final contents. */
  readonly maps?: boolean;
  /** libbpf's name of the program type, where the section does not say. */
  readonly type?: string;
  readonly repeat?: number;
  /** ctx_in for every packet: `struct xdp_md` (data_end 0 means the frame's end) or `struct __sk_buff`. */
  readonly ctx?: Uint8Array;
  readonly ctxOut?: boolean;
  readonly dataOut?: boolean;
  /** Ask for the verifier's log. */
  readonly log?: boolean;
}

export interface RunAnswer {
  /** Set when the object could not be opened or the kernel refused it; then there are no packets and no maps. */
  readonly refusal: { readonly stage: 'open' | 'load'; readonly error: string; readonly message: string } | null;
  readonly packets: readonly PacketAnswer[];
  readonly maps: readonly MapAnswer[];
  readonly log: string;
}

export interface VerdictAnswer {
  readonly file: string;
  readonly program?: string;
  readonly section?: string;
  readonly type?: string;
  readonly instructions?: number;
  readonly verdict: 'accept' | 'reject' | 'open-error';
  readonly errno: string | null;
  /** Time in the verifier, instructions it walked, states it kept; -1 when the log does not say. */
  readonly ns?: number;
  readonly processed?: number;
  readonly states?: number;
  /** Index of the instruction at which a refused program was stopped; -1 when unknown. */
  readonly insn?: number;
  readonly reason: string;
}

/** Maps of a raw question; instructions name them by their position (ld_imm64, src_reg 1 or 2, imm = position). */
export interface RawMap {
  readonly type: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  readonly entries?: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
}

export interface RawQuestion {
  /** `TYPE[@ATTACH_TYPE][+frags]` in libbpf's names: `xdp+frags`, `cgroup_skb@cgroup_inet_egress`. */
  readonly type: string;
  readonly instructions: Uint8Array;
  /** The frame to run on; without it only the verdict is asked. */
  readonly data?: Uint8Array;
  /** ctx_in; the answer then has ctx_out. */
  readonly ctx?: Uint8Array;
}

export interface RawAnswer {
  readonly verdict: 'accept' | 'reject';
  readonly processed: number;
  /** Of a refused program: errno, where, and the log's last sentence. */
  readonly errno?: string;
  readonly insn?: number;
  readonly reason?: string;
  /** Of an accepted one that was run: errno of test-run, or its outcome. */
  readonly error?: string;
  readonly retval?: number;
  readonly out?: string;
  readonly ctx_out?: string;
}

let availability: true | string | undefined;

/** True when the kernel can be asked here (the tool is built on the first call), otherwise the reason why not. */
export function kernelAvailable(): true | string {
  return (availability ??= findOut());
}

function findOut(): true | string {
  if (process.platform !== 'linux') return `no Linux kernel on ${process.platform}`;
  if (process.getuid?.() !== 0) return 'loading programs needs root';
  mkdirSync(BUILD, { recursive: true });
  // Several test files may come here at once: one builds, the others wait.
  const make = spawnSync(
    'flock',
    [join(BUILD, 'lock'), 'make', '-s', '-C', join(ROOT, 'tools/kernel-oracle'), `OUT=${BUILD}`],
    { encoding: 'utf8' },
  );
  if (make.status !== 0) {
    return `tools/kernel-oracle does not build (gcc, make, libbpf-dev, libelf-dev, zlib1g-dev): ${lastLine(make)}`;
  }
  const R0_IS_2_EXIT = Uint8Array.of(0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
  const probe = spawnSync(ORACLE, ['raw'], {
    input: rawLine({ type: 'xdp', instructions: R0_IS_2_EXIT, data: new Uint8Array(14) }),
    encoding: 'utf8',
  });
  if (probe.status === 0 && (JSON.parse(probe.stdout) as RawAnswer).retval === 2) return true;
  return `BPF_PROG_TEST_RUN does not answer: ${probe.stdout || lastLine(probe)}`.trim();
}

function lastLine(result: SpawnSyncReturns<string>): string {
  return result.error?.message ?? result.stderr?.trim().split('\n').at(-1) ?? `signal ${result.signal}`;
}

function ask(args: readonly string[], input = '', namespace?: string): SpawnSyncReturns<string> {
  const available = kernelAvailable();
  if (available !== true) throw new Error(`the kernel cannot be asked: ${available}`);
  const [command, ...before] = namespace === undefined ? [ORACLE] : ['ip', 'netns', 'exec', namespace, ORACLE];
  const result = spawnSync(command!, [...before, ...args], { input, encoding: 'utf8', maxBuffer: MAX_OUTPUT });
  if (result.error) throw result.error;
  // 1 is an answer too: refused. 2 is our own mistake, and a signal is the tool's.
  if (result.status !== 0 && result.status !== 1) {
    throw new Error(`oracle ${args.join(' ')}: ${result.stderr || `signal ${result.signal}`}`);
  }
  return result;
}

function readLines<T>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Runs `program` on every frame, in order, with the maps kept from one to the next. */
export function askRun(question: RunQuestion): RunAnswer {
  const folder = mkdtempSync(join(tmpdir(), 'kernel-oracle-'));
  try {
    const capture = join(folder, 'frames.pcap');
    writeFileSync(capture, pcapOf(question.frames));
    const args = ['run', question.object, question.program, capture];
    if (question.mapInit) {
      const init = join(folder, 'map-init');
      writeFileSync(init, mapInitLines(question.mapInit));
      args.push('--map-init', init);
    }
    if (question.type !== undefined) args.push('--type', question.type);
    if (question.repeat !== undefined) args.push('--repeat', String(question.repeat));
    if (question.ctx) args.push('--ctx-hex', hex(question.ctx));
    if (question.maps) args.push('--maps');
    if (question.ctxOut) args.push('--ctx-out');
    if (question.dataOut) args.push('--data-out');
    if (question.log) args.push('--log');
    const { stdout, stderr } = ask(args);
    const lines = readLines<PacketAnswer | MapAnswer | NonNullable<RunAnswer['refusal']>>(stdout);
    return {
      refusal: lines.find((line) => 'stage' in line) ?? null,
      packets: lines.filter((line) => 'index' in line),
      maps: lines.filter((line) => 'map' in line),
      log: stderr,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Classic pcap, little-endian, microseconds, Ethernet: the one form that the tool reads. */
function pcapOf(frames: Iterable<Uint8Array>): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16);
  header.writeUInt32LE(1, 20);
  const parts: Uint8Array[] = [header];
  for (const frame of frames) {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    parts.push(record, frame);
  }
  return Buffer.concat(parts);
}

export function mapInitLines(init: MapInit): string {
  const lines = Object.entries(init).flatMap(([map, entries]) =>
    entries.map(({ key, value }) => `${map} ${key || '-'} ${typeof value === 'string' ? value : value.join(',')}\n`),
  );
  return lines.join('');
}

/** Whether the kernel accepts each program of each object, loaded by itself. */
export function askVerdicts(files: readonly string[]): VerdictAnswer[] {
  return readLines(ask(['verdicts', ...files]).stdout);
}

/** Small questions about bare instructions; all of them see the same maps, in a network namespace by its name. */
export function askRaw(
  questions: readonly RawQuestion[],
  maps: readonly RawMap[] = [],
  namespace?: string,
): RawAnswer[] {
  const prelude = maps.flatMap((map, number) => [
    `map ${map.type} ${map.keySize} ${map.valueSize} ${map.maxEntries} ${map.flags ?? 0}\n`,
    ...(map.entries ?? []).map(({ key, value }) => `set ${number} ${hex(key)} ${hex(value)}\n`),
  ]);
  const answers = readLines<RawAnswer & { map?: number; message?: string }>(
    ask(['raw'], [...prelude, ...questions.map(rawLine)].join(''), namespace).stdout,
  );
  const wrong = answers.findIndex((answer, i) => answer.message || (i < prelude.length && answer.error));
  if (wrong !== -1) throw new Error(`oracle raw, line ${wrong + 1}: ${JSON.stringify(answers[wrong])}`);
  return answers.slice(prelude.length);
}

function rawLine({ type, instructions, data, ctx }: RawQuestion): string {
  return `${type} ${hex(instructions) || '-'} ${data ? hex(data) : '-'} ${ctx ? hex(ctx) : ''}\n`;
}

/**
 * Operations on maps (tools/kernel-oracle/maps.c says which), one answer a line. Empty slots of arrays of devices,
 * which Linux lists with no value, are left out of dumps.
 */
export function askMaps(lines: readonly string[]): string[] {
  const answers = ask(['maps'], `${lines.join('\n')}\n`)
    .stdout.trimEnd()
    .split('\n');
  return answers.map((answer) => answer.replaceAll(/\["[0-9a-f]*",null\],?/g, '').replace(',]}', ']}'));
}
