/** One answer of either side to the same question, in the same words: so that two of them can be compared as text. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapTypeName } from '../../src/abi/map-types.ts';
import { fnv1a64 } from '../../src/base/fnv.ts';
import type { Frame } from '../../src/capture/frame.ts';
import { catalogue } from '../../src/engine/catalogue.ts';
import { type Engine, Instance } from '../../src/engine/instance.ts';
import type { MapInit } from '../../src/engine/map-init.ts';
import { selectProgram } from '../../src/engine/programs.ts';
import type { ObjectSpec } from '../../src/object/spec.ts';
import { askRun, type MapEntry } from './oracle.ts';

export interface Subject {
  /** Name of the file of golden answers. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly object: ObjectSpec;
  readonly programs: readonly string[];
  readonly mapInit: MapInit;
}

/**
 * What became of each frame: `2` is the return value of a program that left the packet as it came, `3 118 <hash>` one
 * whose output is other bytes (length, FNV-1a), `!EINVAL` a frame that test-run does not take.
 */
export interface Answer {
  readonly packets: readonly string[];
  /** Sorted `key=value`; per-CPU maps the one CPU's value; events `@packet=record`; queues `=value` in popping order. */
  readonly maps: Readonly<Record<string, readonly string[]>>;
}

/**
 * Maps that cannot be compared: `.kconfig` is the running kernel's configuration; the contents of bloom filters and
 * XSKMAPs cannot be read back.
 */
const INCOMPARABLE: ReadonlySet<string> = new Set(['.kconfig', 'bloom_filter', 'xskmap']);
const comparable = (map: string, type: string) => !INCOMPARABLE.has(map) && !INCOMPARABLE.has(type);

/** Types whose packets start behind the Ethernet header give zeroes in its place. */
function hashAsItCame({ bytes }: Frame, layer: 2 | 3): string {
  return fnv1a64(layer === 2 ? bytes : bytes.with(0, 0).fill(0, 0, 14));
}

export function packetText(retval: number, length: number, hash: string, frame: Frame, layer: 2 | 3): string {
  const asItCame = length === frame.bytes.length && hash === hashAsItCame(frame, layer);
  return asItCame ? `${retval}` : `${retval} ${length} ${hash}`;
}

/** The replay's answer. Frames that `taken` does not hold are left out, as test-run leaves them out. */
export function askReplay(
  { object, mapInit }: Subject,
  program: string,
  frames: readonly Frame[],
  taken: (index: number) => boolean,
  engine: Engine = 'interpreter',
): Answer {
  const instance = new Instance(object, { program, mapInit, engine });
  const { layer } = instance.programType;
  const maps: Record<string, string[]> = {};
  for (const { spec } of instance.maps) {
    if (comparable(spec.name, mapTypeName(spec.type))) maps[spec.name] = [];
  }
  const packets = frames.map((frame, index) => {
    if (!taken(index)) return '';
    const { skipped, error, retval, outStart, outEnd } = instance.runPacket(frame);
    for (const { map, bytes } of instance.events.splice(0)) {
      maps[map]?.push(`@${index}=${bytes.toHex()}`);
    }
    if (skipped !== null) return `skipped: ${skipped}`;
    if (error !== null) return `error: ${error.message}`;
    return packetText(retval, outEnd - outStart, fnv1a64(instance.memory.u8, outStart, outEnd), frame, layer);
  });
  for (const { map, entries } of instance.dumpMaps()) maps[map]?.push(...entries.map(entryText));
  return { packets, maps: sorted(maps) };
}

/** The kernel's answer; throws when it refuses the program. */
export function askKernel(
  { name, bytes, object, mapInit }: Subject,
  program: string,
  frames: readonly Frame[],
): Answer {
  const { layer } = catalogue.programTypes.get(selectProgram(object, program).type ?? '')!;
  const folder = mkdtempSync(join(tmpdir(), 'subject-'));
  try {
    const path = join(folder, 'object.o');
    writeFileSync(path, bytes);
    const answer = askRun({ object: path, program, frames: frames.map((frame) => frame.bytes), mapInit, maps: true });
    if (answer.refusal) throw new Error(`${name} ${program}: ${answer.refusal.error} ${answer.refusal.message}`);
    const packets = answer.packets.map((packet) =>
      packet.error === undefined
        ? packetText(packet.retval, packet.out_len, packet.out_fnv1a64, frames[packet.index]!, layer)
        : `!${packet.error}`,
    );
    const maps: Record<string, string[]> = {};
    for (const { map, type, entries } of answer.maps) {
      if (comparable(map, type)) maps[map] = entries.map(entryText);
    }
    return { packets, maps: sorted(maps) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function entryText({ key, value, packet }: MapEntry): string {
  const text = value === null ? 'null' : typeof value === 'string' ? value : oneCpu(value);
  return packet === undefined ? `${key ?? ''}=${text}` : `@${packet}=${text}`;
}

/** The sum over all CPUs of values of which only the first CPU's is not zero: both sides run there alone. */
function oneCpu([first = '', ...others]: readonly string[]): string {
  if (others.some((value) => /[^0]/.test(value))) throw new Error('a program ran on a second CPU');
  return first;
}

/** Hashes have no order; events and what queues hold do. */
function sorted(maps: Readonly<Record<string, readonly string[]>>): Record<string, string[]> {
  const byKey = (entries: readonly string[]) => (/^[@=]/.test(entries[0] ?? '') ? [...entries] : [...entries].sort());
  return Object.fromEntries(
    Object.entries(maps)
      .map(([map, entries]): [string, string[]] => [map, byKey(entries)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Frames that test-run took. */
export const takenBy = (answer: Answer) => (index: number) => !answer.packets[index]!.startsWith('!');

/** Where the replay differs from what the kernel here says; undefined where it does not. */
export function differenceFromKernel(subject: Subject, program: string, frames: readonly Frame[]): string | undefined {
  const kernel = askKernel(subject, program, frames);
  return firstDifference(kernel, askReplay(subject, program, frames, takenBy(kernel)));
}

/** In words where two answers first differ; undefined where they do not. */
export function firstDifference(kernel: Answer, replay: Answer): string | undefined {
  for (const [index, told] of kernel.packets.entries()) {
    if (told.startsWith('!') || told === replay.packets[index]) continue;
    return `packet ${index}: the kernel ${told}, the replay ${replay.packets[index]}`;
  }
  const names = new Set([...Object.keys(kernel.maps), ...Object.keys(replay.maps)]);
  for (const map of names) {
    const [told, here] = [kernel.maps[map], replay.maps[map]];
    if (told === undefined || here === undefined) return `map ${map}: only the ${told ? 'kernel' : 'replay'} has it`;
    for (let i = 0; i < Math.max(told.length, here.length); i++) {
      if (told[i] !== here[i]) return `map ${map}, entry ${i}: the kernel ${told[i]}, the replay ${here[i]}`;
    }
  }
  return undefined;
}
