import { fileURLToPath } from 'node:url';
import type { Instance } from '../../src/index.ts';
import { hotLoop } from '../hot-loop.ts';
import type { LinuxObject } from '../linux.ts';
import { figureOf, inTurns, ratioOf, runsFor, slope } from '../measure.ts';
import { spread } from '../report.ts';
import { QUICK, type Section, type Settings } from '../section.ts';
import { instanceOf } from '../subjects.ts';

const OBJECT = fileURLToPath(new URL('../programs/mapops.bpf.o', import.meta.url));
/** Operations of one run of its programs. */
const TIMES = 64;
const FRAME = new Uint8Array(64);
const THOUSAND = 1 << 10;
const MILLION = 1 << 20;

interface Kind {
  readonly map: 'hash' | 'lru' | 'lpm';
  readonly keys: number;
}

const word = (value: number) => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
};

/** (g) One operation on one map. */
export const mapOperations: Section = {
  letter: 'g',
  title: '(g) Map operations',
  async measure(settings) {
    const rows: string[][] = [await nothing(settings)];
    for (const map of ['hash', 'lru', 'lpm'] as const) {
      for (const keys of sizes(settings)) rows.push(...(await rowsOf({ map, keys }, settings)));
    }
    return {
      remarks: [
        'Nanoseconds of processor time an operation, by a program (bench/programs/mapops.bpf.c) that does 64 of them a run, ' +
          'each with another key, in an order that no prefetcher guesses; in Linux by BPF_PROG_TEST_RUN with `repeat`, here by ' +
          'the JIT. Finding the next key is included: the first row. Replace: delete, and put back. LRU maps have room for ' +
          'twice the keys, except for the last row of each size, where every update of a new key evicts another.',
        ...(typeof settings.linux === 'string' ? [`Linux could not be asked: ${settings.linux}.`] : []),
      ],
      tables: [
        { title: 'Per operation', columns: ['Map', 'Entries', 'Operation', 'Ours', 'Linux', 'Ours / Linux'], rows },
      ],
      bars: [],
    };
  },
};

/** A look at less than a million; what only shows that it works does with a thousand. */
function sizes({ scale }: Settings): number[] {
  if (scale < QUICK) return [THOUSAND];
  return [THOUSAND, scale < 1 ? MILLION >> 6 : MILLION];
}

async function nothing(settings: Settings): Promise<string[]> {
  const kind: Kind = { map: 'hash', keys: THOUSAND };
  const linux = await opened(kind, {}, settings);
  const row = ['none', '', '', ...(await compared('nothing', () => instanceFor(kind, {}, 'nothing'), linux, settings))];
  await linux?.close();
  return row;
}

async function rowsOf(kind: Kind, settings: Settings): Promise<string[][]> {
  const { map, keys } = kind;
  const entries = { [map]: map === 'lru' ? 2 * keys : keys };
  const linux = await opened(kind, entries, settings);
  await linux?.time(`${map}_update`, (2 * keys) / TIMES, FRAME);
  const rows: string[][] = [];
  const first = [map, keys.toLocaleString('en-US')];
  for (const operation of ['lookup', 'update', 'replace']) {
    const program = `${map}_${operation}`;
    const ours = () => {
      const instance = instanceFor(kind, entries, program);
      fill(instance, kind);
      return instance;
    };
    rows.push([...first, operation, ...(await compared(program, ours, linux, settings))]);
  }
  await linux?.close();
  if (map === 'lru') rows.push([...first, 'update, full', ...(await evicting(keys, settings))]);
  return rows;
}

/** Eight times more keys than the map has room for. */
async function evicting(room: number, settings: Settings): Promise<string[]> {
  const kind: Kind = { map: 'lru', keys: 8 * room };
  const linux = await opened(kind, { lru: room }, settings);
  await linux?.time('lru_update', (2 * room) / TIMES, FRAME);
  const ours = () => {
    const instance = instanceFor(kind, { lru: room }, 'lru_update');
    hotLoop(instance, FRAME)((2 * room) / TIMES);
    return instance;
  };
  const cells = await compared('lru_update', ours, linux, settings);
  await linux?.close();
  return cells;
}

const mapInit = ({ keys }: Kind) => ({ '.data': [{ key: '00000000', value: word(keys).toHex() }] });

async function opened(
  kind: Kind,
  entries: Readonly<Record<string, number>>,
  { linux }: Settings,
): Promise<LinuxObject | undefined> {
  return typeof linux === 'string' ? undefined : linux.open(OBJECT, mapInit(kind), entries);
}

function instanceFor(kind: Kind, entries: Readonly<Record<string, number>>, program: string): Instance {
  const subject = { name: program, object: OBJECT, program, frame: FRAME, mapInit: mapInit(kind), entries };
  return instanceOf(subject, { engine: 'jit' });
}

/** In the order in which the program goes through its keys. */
function fill(instance: Instance, { map, keys }: Kind): void {
  const target = instance.maps.find(({ spec }) => spec.name === map)!;
  const value = new Uint8Array(8);
  value[0] = 1;
  const key = new Uint8Array(8);
  const view = new DataView(key.buffer);
  for (let index = 0; index < keys; index++) {
    let at = Math.imul(index, 0x9e37_79b1) & (keys - 1);
    at ^= at >>> 7;
    at = Math.imul(at, 0x85eb_ca6b) & (keys - 1);
    view.setUint32(0, map === 'lpm' ? 24 + (at & 7) : at, true);
    view.setUint32(4, map === 'lpm' ? at << 8 : 0);
    const result = target.userUpdate(key, value, 0n);
    if (result !== 0) throw new Error(`filling ${map}: ${result}`);
  }
}

async function compared(
  program: string,
  instance: () => Instance,
  linux: LinuxObject | undefined,
  { rounds, scale }: Settings,
): Promise<string[]> {
  const target = 60e6 * scale;
  const run = hotLoop(instance(), FRAME);
  const ours = (runs: number) => checked(program, run(runs));
  const ourRuns = await runsFor(target, ours);
  const contenders = { ours: async () => (await slope(ours, ourRuns)) / TIMES };
  if (linux === undefined) return [spread(figureOf((await inTurns(contenders, rounds)).ours)), '–', '–'];
  const theirs = async (runs: number) => checked(program, await linux.time(program, runs, FRAME));
  const theirRuns = await runsFor(target, theirs);
  const samples = await inTurns({ ...contenders, linux: async () => (await slope(theirs, theirRuns)) / TIMES }, rounds);
  return [
    spread(figureOf(samples.ours)),
    spread(figureOf(samples.linux)),
    spread(ratioOf(samples.ours, samples.linux)),
  ];
}

/** All operations of the last run succeeded, on whichever side. */
function checked(program: string, { ns, retval }: { ns: number; retval: number }): number {
  if (retval !== TIMES) throw new Error(`${program}: ${retval} of ${TIMES} operations did what they were to`);
  return ns;
}
