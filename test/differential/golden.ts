/**
 * Golden answers: what Linux made of every capture, kept in `golden/` (one file an object) so that the replay is held
 * to them where no kernel can be asked. `node tools/record-golden.ts` writes them.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { fnv1a64 } from '../../src/base/fnv.ts';
import type { Engine } from '../../src/engine/instance.ts';
import { type Answer, askKernel, askReplay, firstDifference, type Subject, takenBy } from './answers.ts';
import { type Capture, ROOT } from './subjects.ts';

type Maps = Answer['maps'];

interface GoldenFile {
  /** Release of the Linux that answered. */
  readonly kernel: string;
  /** Of the object and its initial maps: the answers hold for these only. */
  readonly digest: string;
  readonly programs: Readonly<Record<string, GoldenProgram>>;
}

interface GoldenProgram {
  /** The maps before the first packet. */
  readonly before: Maps;
  readonly captures: Readonly<Record<string, GoldenRun>>;
}

interface GoldenRun {
  /** Of the capture's frames. */
  readonly frames: string;
  /** `Answer.packets`, joined by commas; `2*14` stands for fourteen times `2`. */
  readonly packets: string;
  /** Maps that are not as they were before. */
  readonly maps: Maps;
}

const path = (name: string) => join(ROOT, 'test/differential/golden', `${name}.json`);
const MOST_CHARACTERS = 1200;

/** Contents that are long are kept as how many entries there are and a hash over them. */
function bounded(maps: Maps): Record<string, readonly string[]> {
  const short = (entries: readonly string[]) => {
    const text = entries.join();
    return text.length <= MOST_CHARACTERS ? entries : [`${entries.length} entries, fnv1a64 ${hashOf(text)}`];
  };
  return Object.fromEntries(Object.entries(maps).map(([map, entries]) => [map, short(entries)]));
}

const hashOf = (text: string) => fnv1a64(Buffer.from(text));

function digestOf({ bytes, mapInit }: Subject): string {
  return hashOf(`${fnv1a64(bytes)} ${JSON.stringify(mapInit)}`);
}

function runLengths(packets: readonly string[]): string {
  const runs: { packet: string; times: number }[] = [];
  for (const packet of packets) {
    const last = runs.at(-1);
    if (last?.packet === packet) last.times++;
    else runs.push({ packet, times: 1 });
  }
  return runs.map(({ packet, times }) => (times === 1 ? packet : `${packet}*${times}`)).join();
}

function unfold(text: string): string[] {
  if (text === '') return [];
  return text.split(',').flatMap((run) => {
    const [packet = '', times = '1'] = run.split('*');
    return Array<string>(Number(times)).fill(packet);
  });
}

/** Asks the kernel and writes its answers. */
export function record(subject: Subject, captures: readonly Capture[]): void {
  const programs = subject.programs.map((program): [string, GoldenProgram] => {
    const before = bounded(askKernel(subject, program, []).maps);
    const runs = captures.map(({ name, frames, digest }): [string, GoldenRun] => {
      const answer = askKernel(subject, program, frames);
      const changed = Object.entries(bounded(answer.maps)).filter(([map, now]) => now.join() !== before[map]?.join());
      return [name, { frames: digest, packets: runLengths(answer.packets), maps: Object.fromEntries(changed) }];
    });
    return [program, { before, captures: Object.fromEntries(runs) }];
  });
  const file: GoldenFile = {
    kernel: release().split('-', 1)[0]!,
    digest: digestOf(subject),
    programs: Object.fromEntries(programs),
  };
  writeFileSync(path(subject.name), `${JSON.stringify(file, null, 1)}\n`);
}

/** Why there are no answers for this subject; undefined when there are. */
export function notRecorded(subject: Subject): string | undefined {
  if (!existsSync(path(subject.name))) return 'nothing was recorded';
  return readGolden(subject.name).digest === digestOf(subject) ? undefined : 'recorded from another object or fill';
}

const files = new Map<string, GoldenFile>();

function readGolden(name: string): GoldenFile {
  let file = files.get(name);
  if (file === undefined) files.set(name, (file = JSON.parse(readFileSync(path(name), 'utf8')) as GoldenFile));
  return file;
}

/** What the kernel said when it was asked; long maps as their hash. */
export function goldenAnswer(subject: Subject, program: string, capture: Capture): Answer {
  const golden = readGolden(subject.name).programs[program];
  const run = golden?.captures[capture.name];
  if (golden === undefined || run?.frames !== capture.digest) {
    throw new Error(`${program} over ${capture.name} was not recorded: node tools/record-golden.ts`);
  }
  return { packets: unfold(run.packets), maps: { ...golden.before, ...run.maps } };
}

/** Where the replay differs from what was recorded, capture by capture. */
export function differencesFromGolden(
  subject: Subject,
  program: string,
  captures: readonly Capture[],
  engine: Engine = 'interpreter',
): string[] {
  const stale = notRecorded(subject);
  if (stale !== undefined) return [`${subject.name}: ${stale} (node tools/record-golden.ts)`];
  return captures.flatMap((capture) => {
    const golden = goldenAnswer(subject, program, capture);
    const replay = askReplay(subject, program, capture.frames, takenBy(golden), engine);
    const difference = firstDifference(golden, { ...replay, maps: bounded(replay.maps) });
    return difference === undefined ? [] : [`${capture.name}: ${difference}`];
  });
}
