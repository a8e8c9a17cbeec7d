/**
 * `node tools/crash.ts --seed S --count N`: kills the daemon (SIGKILL) N times at moments of chance, while clients
 * upload, start replays and delete them. After each restart nothing half written is to be seen and nothing that was
 * answered is to be missing; in the end every replay that was accepted must have the tally, the maps and the packet
 * records of an undisturbed run. The seed decides what clients do and when the kill comes; the machine decides the rest.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Random, seededRandom } from '../src/base/random.ts';
import { type DoneEdit, type MapDump, runReplay, type Tally } from '../src/index.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { generateCapture } from './generate-capture.ts';

export interface CrashOptions {
  readonly seed: number;
  /** How often the daemon is killed. */
  readonly count: number;
  /** Milliseconds within which the kill comes; longer where the machine is busy, or nothing is seen. */
  readonly life?: number;
  readonly say?: (line: string) => void;
}

export interface CrashReport {
  readonly kills: number;
  /** Uploads and replays that the daemon answered for, and replays that it deleted. */
  readonly uploads: number;
  readonly replays: number;
  readonly deleted: number;
  /** Edits of maps that the daemon answered for, and those of them that were done between two packets. */
  readonly edits: number;
  readonly editsWhileRunning: number;
  /** Replays that a kill interrupted. */
  readonly interrupted: number;
  /** What must not be. */
  readonly faults: readonly string[];
}

const ROOT = new URL('../', import.meta.url).pathname;
const PROGRAMS = [
  ['blocklist', 'blocklist'],
  ['flowstats', 'flowstats'],
  ['vlan', 'xdp_vlan'],
] as const;
const CAPTURE_PACKETS = [500, 20_000, 60_000, 150_000];
/** The program, by its place above, and the map of it that is edited: keys and values are of 4 bytes. */
const EDITED = { program: 0, map: 'blocked_ports', keys: 8 } as const;
/** The kill comes within so many milliseconds unless told, and clients do so much in each life of the daemon. */
const LONGEST_LIFE = 1_200;
const CLIENTS = 3;
const REPLAYS_A_LIFE = 3;
/** Of replays: each is compared with a run of its own. */
const SEEDS = 4;
const LONGEST_WAIT = 120_000;

interface Subject {
  readonly bytes: Uint8Array;
  readonly id: string;
}

interface Accepted {
  readonly id: string;
  readonly program: number;
  readonly capture: number;
  readonly seed: number;
}

interface Outcome {
  readonly tally: Tally;
  readonly maps: readonly MapDump[];
  readonly packets: string;
}

export async function crash({
  seed,
  count,
  life: longest = LONGEST_LIFE,
  say = () => {},
}: CrashOptions): Promise<CrashReport> {
  const data = mkdtempSync(join(tmpdir(), 'bpfreplay-crash-'));
  const scratch = mkdtempSync(join(tmpdir(), 'bpfreplay-crash-expected-'));
  const random = seededRandom(seed);
  const subjects = makeSubjects(seed);
  const uploaded = new Set<string>();
  const accepted = new Map<string, Accepted>();
  const deleted = new Set<string>();
  /** Answered for, by replay, in order. */
  const edited = new Map<string, DoneEdit[]>();
  const faults: string[] = [];
  const interrupted = new Set<string>();
  let uploads = 0;
  let daemon: Daemon | undefined;
  try {
    for (let life = 0; life < count; life++) {
      daemon = await startDaemon(data);
      const { url } = daemon;
      const before = faults.length;
      faults.push(...(await inspect(data, url, { uploaded, accepted, deleted })));
      const clients = Array.from({ length: CLIENTS }, (_, i) => client(url, seededRandom(random.u32()), i));
      // The first life lasts until there is something to lose.
      for (const start = Date.now(); life === 0 && accepted.size === 0 && Date.now() - start < LONGEST_WAIT; ) {
        await setTimeout(10);
      }
      await setTimeout(random.below(longest));
      for (const { id, state } of await listReplays(url)) if (state === 'running') interrupted.add(id);
      await daemon.end('SIGKILL');
      await Promise.all(clients);
      faults.push(
        ...daemon
          .log()
          .split('\n')
          .filter((line) => /"level":[56]0/.test(line)),
      );
      say(`kill ${life + 1}: ${uploads} uploads, ${accepted.size} replays so far, ${faults.length - before} faults`);
    }
    daemon = await startDaemon(data);
    faults.push(...(await inspect(data, daemon.url, { uploaded, accepted, deleted })));
    faults.push(...(await outcomes(daemon.url, [...accepted.values()], edited, subjects, scratch)));
    return {
      kills: count,
      uploads,
      replays: accepted.size + deleted.size,
      deleted: deleted.size,
      edits: [...edited.values()].flat().length,
      editsWhileRunning: [...edited.values()].flat().filter(({ before }) => before !== null).length,
      interrupted: interrupted.size,
      faults,
    };
  } finally {
    await daemon?.end('SIGKILL');
    for (const folder of [data, scratch]) rmSync(folder, { recursive: true, force: true });
  }

  /** Works until the daemon is gone. */
  async function client(url: string, random: Random, index: number): Promise<void> {
    try {
      for (let replays = 0; ; ) {
        // First, so that a short life sees some too: of replays of the lives before.
        for (let edits = 0; index === 1 && edits < 10; edits++) await editOne(url, random);
        const program = random.below(PROGRAMS.length);
        const capture = random.below(CAPTURE_PACKETS.length);
        for (const [kind, { bytes, id }] of [
          ['programs', subjects.programs[program]!],
          ['captures', subjects.captures[capture]!],
        ] as const) {
          const answer = await upload(`${url}/v1/${kind}`, bytes, random);
          if (answer.status !== 200 && answer.status !== 201) {
            throw new Error(`an upload to ${kind} was answered with ${answer.status}: ${await answer.text()}`);
          }
          uploaded.add(`${kind}/${id}`);
          uploads++;
        }
        if (replays++ < REPLAYS_A_LIFE) await submit(url, program, capture, random.below(SEEDS));
        if (index === 0) await deleteOne(url);
        await setTimeout(random.below(100));
      }
    } catch (error) {
      if (!isCut(error)) faults.push(String(error));
    }
  }

  async function submit(url: string, program: number, capture: number, seed: number): Promise<void> {
    const answer = await send(`${url}/v1/replays`, () => ({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        program: subjects.programs[program]!.id,
        capture: subjects.captures[capture]!.id,
        entry: PROGRAMS[program]![1],
        seed,
        maps: true,
        packets: true,
      }),
    }));
    const { id } = (await answer.json()) as { id: string };
    if (answer.status === 202) accepted.set(id, { id, program, capture, seed });
    else faults.push(`a replay was answered with ${answer.status}`);
  }

  /**
   * Changes an entry of a map of one of the late replays, which waits, runs, or is over. When the answer is cut off
   * nobody knows whether it was done.
   */
  async function editOne(url: string, random: Random): Promise<void> {
    const late = [...accepted.values()].filter(({ program }) => program === EDITED.program).slice(-3);
    if (late.length === 0) return;
    const { id } = late[random.below(late.length)]!;
    const key = `${random.below(EDITED.keys).toString(16).padStart(2, '0')}000000`;
    const value = random.u32().toString(16).padStart(8, '0');
    const change = random.below(3) === 0 ? undefined : JSON.stringify({ value });
    const answer = await send(`${url}/v1/replays/${id}/maps/${EDITED.map}/entries/${key}`, () => ({
      method: change === undefined ? 'DELETE' : 'PUT',
      ...(change === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: change }),
    }));
    const text = await answer.text();
    if (answer.status === 200) edited.set(id, [...(edited.get(id) ?? []), JSON.parse(text)]);
    // It waits, it was deleted meanwhile, or there is no such entry to delete.
    else if (answer.status >= 500) faults.push(`an edit of replay ${id} was answered with ${answer.status}: ${text}`);
  }

  /** One of the replays that have succeeded. When the answer is cut off nobody knows: it is no longer asked for. */
  async function deleteOne(url: string): Promise<void> {
    const done = (await listReplays(url)).find(({ id, state }) => state === 'succeeded' && accepted.has(id));
    if (done === undefined || random.below(3) !== 0) return;
    accepted.delete(done.id);
    const { status } = await send(`${url}/v1/replays/${done.id}`, () => ({ method: 'DELETE' }));
    if (status === 204) deleted.add(done.id);
    else faults.push(`replay ${done.id} could not be deleted: ${status}`);
  }
}

function makeSubjects(seed: number) {
  const subject = (bytes: Uint8Array): Subject => ({ bytes, id: sha256(bytes) });
  return {
    programs: PROGRAMS.map(([name]) => subject(readFileSync(join(ROOT, `programs/${name}.bpf.o`)))),
    captures: CAPTURE_PACKETS.map((packets, i) => {
      const pieces: Uint8Array[] = [];
      const options = { packets, size: 64, seed: seed + i, flows: 50, profile: 'mixed', format: 'pcap' } as const;
      generateCapture(options, (piece) => pieces.push(piece));
      return subject(new Uint8Array(Buffer.concat(pieces)));
    }),
  };
}

/** In pieces with pauses between them, so that a kill finds some of it on disk. */
function upload(url: string, bytes: Uint8Array, random: Random): Promise<Response> {
  const pieces = async function* () {
    const size = Math.ceil(bytes.length / 4);
    for (let at = 0; at < bytes.length; at += size) {
      yield bytes.subarray(at, at + size);
      await setTimeout(random.below(30));
    }
  };
  return send(url, () => ({
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Readable.toWeb(Readable.from(pieces())) as ReadableStream,
    duplex: 'half',
  }));
}

/** Whether an error says that the daemon went away. */
function isCut(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof Error && 'code' in error);
}

const listReplays = (url: string) => list<{ id: string; state: string }>(`${url}/v1/replays`);

async function list<T>(url: string): Promise<T[]> {
  const answer = await send(`${url}?limit=1000`);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${url} was answered with ${answer.status}: ${text}`);
  return (JSON.parse(text) as { items: T[] }).items;
}

/** A daemon that says that it is overloaded is asked again. */
async function send(url: string, init: () => RequestInit = () => ({})): Promise<Response> {
  for (;;) {
    const answer = await fetch(url, init());
    if (answer.status !== 503) return answer;
    await setTimeout(100);
  }
}

interface Answered {
  readonly uploaded: ReadonlySet<string>;
  readonly accepted: ReadonlyMap<string, Accepted>;
  readonly deleted: ReadonlySet<string>;
}

/** What is wrong in a data directory that a daemon has just taken. */
async function inspect(data: string, url: string, { uploaded, accepted, deleted }: Answered): Promise<string[]> {
  const faults: string[] = [];
  for (const name of readdirSync(join(data, 'uploads'))) faults.push(`half an upload is left: ${name}`);
  for (const [kind, ending] of [
    ['programs', '.o'],
    ['captures', '.cap'],
  ] as const) {
    const listed = (await list<{ id: string }>(`${url}/v1/${kind}`)).map(({ id }) => id).sort();
    const files = readdirSync(join(data, kind)).sort();
    if (files.join() !== listed.map((id) => id + ending).join()) {
      faults.push(`${kind} on disk and in the list differ: ${files.join()} and ${listed.join()}`);
    }
    for (const file of files) {
      if (sha256(readFileSync(join(data, kind, file))) !== file.slice(0, -ending.length)) {
        faults.push(`${kind}/${file} is not what its name says`);
      }
    }
    for (const one of uploaded) {
      const [of, id] = one.split('/');
      if (of === kind && !listed.includes(id!)) faults.push(`${one} was answered and is gone`);
    }
  }
  const states = new Map((await listReplays(url)).map(({ id, state }) => [id, state]));
  for (const id of accepted.keys()) if (!states.has(id)) faults.push(`replay ${id} was accepted and is gone`);
  for (const id of deleted) if (states.has(id)) faults.push(`replay ${id} was deleted and is back`);
  for (const name of readdirSync(join(data, 'replays'))) {
    if (!states.has(name.slice(0, 36))) faults.push(`a recording of no replay is left: ${name}`);
  }
  return faults;
}

/** Waits for every replay, and compares it with an undisturbed run. */
async function outcomes(
  url: string,
  all: readonly Accepted[],
  edited: ReadonlyMap<string, readonly DoneEdit[]>,
  subjects: ReturnType<typeof makeSubjects>,
  scratch: string,
) {
  const faults: string[] = [];
  const expected = new Map<string, Outcome>();
  for (const { id, program, capture, seed } of all) {
    const patience = AbortSignal.timeout(LONGEST_WAIT);
    const get = (path: string) => send(`${url}/v1/replays/${id}${path}`, () => ({ signal: patience }));
    let replay: { state: string; tally: Tally };
    for (;;) {
      replay = (await (await get('')).json()) as typeof replay;
      if (replay.state !== 'queued' && replay.state !== 'running') break;
      await setTimeout(20, undefined, { signal: patience });
    }
    const edits = await list<DoneEdit>(`${url}/v1/replays/${id}/edits`);
    const known = new Set(edits.map(canonical));
    for (const edit of edited.get(id) ?? []) {
      if (!known.has(canonical(edit)))
        faults.push(`an edit of replay ${id} was answered for and is gone: ${canonical(edit)}`);
    }
    const during = edits.filter(({ before }) => before !== null);
    const key = `${program} ${capture} ${seed} ${canonical(during)}`;
    const want = expected.get(key) ?? undisturbed(subjects, scratch, { program, capture, seed }, during);
    expected.set(key, want);
    const after = edits.filter(({ before }) => before === null);
    const tally = canonical(replay.tally);
    if (replay.state !== 'succeeded') faults.push(`replay ${id} ended as ${JSON.stringify(replay)}`);
    else if (tally !== canonical(want.tally)) faults.push(`replay ${id} has another tally: ${tally}`);
    else {
      const { maps } = (await (await get('/maps.json')).json()) as { maps: readonly MapDump[] };
      if (entriesOf(maps) !== entriesOf(withEdits(want.maps, after))) faults.push(`replay ${id} has other maps`);
      if (sha256(await (await get('/packets.ndjson')).bytes()) !== want.packets)
        faults.push(`replay ${id} has other packets`);
    }
  }
  return faults;
}

function undisturbed(
  { programs, captures }: ReturnType<typeof makeSubjects>,
  scratch: string,
  { program, capture, seed }: Omit<Accepted, 'id'>,
  edits: readonly DoneEdit[],
): Outcome {
  const paths = { object: join(scratch, 'object'), capture: join(scratch, 'capture') };
  writeFileSync(paths.object, programs[program]!.bytes);
  writeFileSync(paths.capture, captures[capture]!.bytes);
  const packetsFile = join(scratch, 'packets');
  const options = { program: PROGRAMS[program]![1], seed };
  const { tally, maps } = runReplay({
    ...paths,
    options,
    maps: true,
    packetsFile,
    edits: edits.map((edit) => ({ ...edit, before: edit.before ?? 0 })),
  });
  return { tally, maps, packets: sha256(readFileSync(packetsFile)) };
}

/** What the maps hold when they were edited after the run. */
function withEdits(maps: readonly MapDump[], edits: readonly DoneEdit[]): readonly MapDump[] {
  return maps.map((dump) => {
    const entries = new Map(dump.entries.map((entry) => [entry.key, entry]));
    for (const { map, key, value } of edits) {
      if (map !== dump.map) continue;
      if (value === null) entries.delete(key);
      else entries.set(key, { key, value });
    }
    return { ...dump, entries: [...entries.values()] };
  });
}

/** What the maps hold, in an order of its own: that of a hash is not of the contents alone. */
function entriesOf(maps: readonly MapDump[]): string {
  return canonical(
    maps.map(({ map, entries }) => ({
      map,
      entries: entries.map(({ key, value }) => canonical({ key, value })).sort(),
    })),
  );
}

/** The members of objects in order: JSON that says the same is the same. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '100' },
      life: { type: 'string', default: String(LONGEST_LIFE) },
    },
  });
  const { faults, ...report } = await crash({
    seed: Number(values.seed),
    count: Number(values.count),
    life: Number(values.life),
    say: (line) => console.error(line),
  });
  console.log(JSON.stringify({ seed: Number(values.seed), ...report, faults: faults.length }));
  for (const fault of faults) console.log(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
