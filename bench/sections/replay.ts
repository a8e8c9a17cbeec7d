import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import { runReplay } from '../../src/index.ts';
import { captureOf, copiesOf, memoryFolder, scratch } from '../captures.ts';
import type { LinuxObject } from '../linux.ts';
import { type Contender, elapsed, figureOf, inTurns, processorTime, ratioOf } from '../measure.ts';
import { type Bar, number, spread, type Table } from '../report.ts';
import type { Section, Settings } from '../section.ts';
import { type Subject, subjectNamed } from '../subjects.ts';

const CHUNK = 1024 * 1024;
/** Frame sizes, how many of them, and how many times faster than Linux at least: light and map-heavy, and compute. */
const SIZES = [
  { size: 64, packets: 1_000_000, faster: [20, 20, 12] },
  { size: 512, packets: 400_000, faster: [6, 6, 6] },
  { size: 1500, packets: 200_000, faster: [3, 3, 3] },
] as const;
/** Of each capture: how a file lies in memory differs, and so what reading it takes. */
const COPIES = 3;
/** Of a record, for its header and padding, at most. */
const RECORD_OVERHEAD = 40;
const NAMES = ['light', 'map-heavy', 'compute'];
/** Of light programs at 1500 bytes, over bare reading. */
const MOST_OVER_READING = 1.25;
/** Of pcapng over pcap. */
const MOST_OVER_PCAP = 1.15;
/** Of `--packets` and of `--write` over neither, at 64 bytes. */
const MOST_TO_RECORD = 5;

interface Found {
  readonly rows: string[][];
  readonly bars: Bar[];
}

/** (b) A capture from the page cache, beside reading it and beside asking Linux packet by packet. */
export const replay: Section = {
  letter: 'b',
  title: '(b) Replay of a capture',
  async measure(settings) {
    const { linux } = settings;
    const found: Found = { rows: [], bars: [] };
    const bytes = SIZES.map(({ size, packets }) => scaled(packets, size, settings) * (size + RECORD_OVERHEAD));
    using folder = memoryFolder(2 * COPIES * bytes.reduce((sum, each) => sum + each));
    for (const [index, name] of NAMES.entries()) {
      const subject = subjectNamed(name);
      const object = typeof linux === 'string' ? undefined : await linux.open(subject.object);
      for (const { size, packets, faster } of SIZES) {
        await plain(
          {
            subject,
            size,
            packets: scaled(packets, size, settings),
            faster: faster[index]!,
            object,
            folder: folder.path,
          },
          settings,
          found,
        );
      }
      await object?.close();
    }
    const onDisk = await fromDisk(settings, found.bars);
    const recorded = await recording(settings, found.bars);
    return {
      remarks: [
        'Nanoseconds of processor time a packet, of the thread that replays: from the first mebibyte of a capture to its ' +
          `end. Of each capture there are ${COPIES} copies in ${folder.isInMemory ? '/dev/shm' : 'a folder on the disk'}, and a ` +
          'sample is their mean: what reading costs depends on where a file lies in memory. Reading: the same files in pieces ' +
          'of a mebibyte, and nothing done with them. Linux: one ' +
          'BPF_PROG_TEST_RUN a packet, asked from C, the packets in memory and nothing asked back.',
        ...(typeof linux === 'string' ? [`Linux could not be asked: ${linux}.`] : []),
      ],
      tables: [
        {
          title: 'Replay',
          columns: [
            'Program',
            'Bytes',
            'Reading',
            'pcap',
            'pcapng',
            'Linux',
            'Times faster than Linux',
            'pcap / reading',
            'pcapng / pcap',
          ],
          rows: found.rows,
        },
        onDisk,
        recorded,
      ],
      bars: found.bars,
    };
  },
};

/** Two pieces of the file at least. */
const scaled = (packets: number, size: number, { scale }: Settings) =>
  Math.ceil(Math.max(packets * scale, (2 * CHUNK) / size));

interface Case {
  readonly subject: Subject;
  readonly size: number;
  readonly packets: number;
  readonly faster: number;
  readonly object: LinuxObject | undefined;
  readonly folder: string;
}

async function plain(
  { subject, size, packets, faster, object, folder }: Case,
  { rounds }: Settings,
  { rows, bars }: Found,
): Promise<void> {
  const copies = (format: 'pcap' | 'pcapng') => copiesOf(captureOf(format, size, packets), COPIES, folder);
  const [pcap, pcapng] = [copies('pcap'), copies('pcapng')];
  const linux = object && (() => object.each(subject.program, pcap[0]!));
  const samples = await inTurns(
    {
      reading: mean(pcap, (path) => () => reading(path) / packets),
      pcap: mean(pcap, (path) => replaying(subject, path)),
      pcapng: mean(pcapng, (path) => replaying(subject, path)),
      ...(linux && { linux }),
    } as Record<string, Contender>,
    rounds,
  );
  const over = (one: string, other: string) => ratioOf(samples[one]!, samples[other]!);
  const overReading = over('pcap', 'reading');
  const overPcap = over('pcapng', 'pcap');
  const times = linux && over('linux', 'pcap');
  rows.push([
    subject.name,
    String(size),
    ...['reading', 'pcap', 'pcapng'].map((one) => spread(figureOf(samples[one]!))),
    linux === undefined ? '–' : spread(figureOf(samples.linux!)),
    times === undefined ? '–' : spread(times),
    number(overReading.median),
    number(overPcap.median),
  ]);
  const what = `${subject.name}, ${size} bytes`;
  if (times !== undefined) bars.push({ what: `${what}: times faster than Linux`, figure: times.median, least: faster });
  bars.push({ what: `${what}: pcapng / pcap`, figure: overPcap.median, most: MOST_OVER_PCAP });
  if (size === 1500 && subject.name === 'light')
    bars.push({ what: `${what}: pcap / reading`, figure: overReading.median, most: MOST_OVER_READING });
}

/** The captures of the largest frames, from the page cache of the disk. */
async function fromDisk(settings: Settings, bars: Bar[]): Promise<Table> {
  const subject = subjectNamed('light');
  const { size, ...largest } = SIZES.at(-1)!;
  const packets = scaled(largest.packets, size, settings);
  const rows: string[][] = [];
  for (const format of ['pcap', 'pcapng'] as const) {
    const capture = captureOf(format, size, packets);
    const { bare, ours } = await inTurns(
      {
        bare: mean([capture], (path) => () => reading(path) / packets),
        ours: mean([capture], (path) => replaying(subject, path)),
      },
      settings.rounds,
    );
    const over = ratioOf(ours, bare);
    rows.push([format, String(size), spread(figureOf(bare)), spread(figureOf(ours)), spread(over)]);
    if (format === 'pcap') {
      const what = `${subject.name}, ${size} bytes, from the disk's page cache: pcap / reading`;
      bars.push({ what, figure: over.median, most: MOST_OVER_READING });
    }
  }
  const columns = ['Capture', 'Bytes', 'Reading', 'Replay', 'Replay / reading'];
  return { title: "From the disk's page cache (light)", columns, rows };
}

/** `--packets` and `--write`, each beside neither. */
async function recording(settings: Settings, bars: Bar[]): Promise<Table> {
  const subject = subjectNamed('light');
  const rows: string[][] = [];
  const [packetsFile, writeFile] = [scratch('packets.ndjson'), scratch('written.pcapng')];
  for (const { size, packets } of SIZES) {
    for (const format of ['pcap', 'pcapng'] as const) {
      const capture = captureOf(format, size, scaled(packets / 4, size, settings));
      const { neither, told, written } = await inTurns(
        {
          neither: replaying(subject, capture),
          told: replaying(subject, capture, { packetsFile }),
          written: replaying(subject, capture, { writeFile }),
        },
        settings.rounds,
      );
      const [toTell, toWrite] = [ratioOf(told, neither), ratioOf(written, neither)];
      const each = [neither, told, written].map((samples) => spread(figureOf(samples)));
      rows.push([format, String(size), ...each, number(toTell.median), number(toWrite.median)]);
      if (size !== 64) continue;
      const what = `neither, ${format}, 64 bytes`;
      bars.push({ what: `--packets / ${what}`, figure: toTell.median, most: MOST_TO_RECORD });
      bars.push({ what: `--write / ${what}`, figure: toWrite.median, most: MOST_TO_RECORD });
    }
  }
  for (const path of [packetsFile, writeFile]) rmSync(path);
  const columns = ['Capture', 'Bytes', 'Neither', '--packets', '--write', '--packets / neither', '--write / neither'];
  return { title: 'What each packet did, written to a file (light)', columns, rows };
}

/** From the first report of progress on, so that what is done once does not count. */
function replaying(
  { object, program }: Subject,
  capture: string,
  files: { packetsFile?: string; writeFile?: string } = {},
): Contender {
  return () => {
    let start: { time: number; packets: number } | undefined;
    const { tally } = runReplay(
      { object, capture, options: { program, engine: 'jit' }, maps: false, ...files },
      ({ packets }) => {
        start ??= { time: processorTime(), packets };
      },
    );
    return (processorTime() - start!.time) / (tally.packets - start!.packets);
  };
}

/** The mean over several files, each read as often: what reading takes depends on what else is read at the time. */
const mean =
  (paths: readonly string[], contender: (path: string) => Contender): Contender =>
  async () => {
    let sum = 0;
    for (let pass = 0; pass < COPIES; pass++) sum += await contender(paths[pass % paths.length]!)();
    return sum / COPIES;
  };

function reading(path: string): number {
  const buffer = new Uint8Array(CHUNK);
  const file = openSync(path, 'r');
  const took = elapsed(() => {
    while (readSync(file, buffer) > 0);
  });
  closeSync(file);
  return took;
}
