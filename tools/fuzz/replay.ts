/**
 * Flips bytes in the code and the definitions of whole objects, then goes all the way: load, verify, run, although the
 * verifier refused. Whatever the bytes, the outcome is a `LoadError`, an `OptionError`, or a verdict for each packet.
 *
 *   node tools/fuzz/replay.ts --seed 1 --count 100000
 */
import { readFileSync } from 'node:fs';
import { LoadError, OptionError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/random.ts';
import { Instance } from '../../src/engine/instance.ts';
import { readObject } from '../../src/engine/read-object.ts';
import { programTypes } from '../../src/hooks/index.ts';
import { generateFrames } from '../generate-capture.ts';
import { fuzzFromCommandLine } from './run.ts';

const NAMES = [
  'blocklist',
  'vlan',
  'lb',
  'decap',
  'marker',
  'nat',
  'flowstats',
  'mapkinds',
  'redirect',
  'socket',
  'icmp_echo',
];
const OBJECTS = NAMES.map(
  (name) => new Uint8Array(readFileSync(new URL(`../../programs/${name}.bpf.o`, import.meta.url))),
);
const MOST_FLIPS = 8;
const FRAMES: Uint8Array[] = [];
generateFrames({ packets: 6, size: 128, seed: 1, flows: 6, profile: 'mixed' }, ({ bytes, start, end }) => {
  FRAMES.push(bytes.slice(start, end));
});

/** What came of it: an error's code, or the verdicts' names. */
export function fuzzReplay(random: Random): string {
  const bytes = OBJECTS[random.below(OBJECTS.length)]!.slice();
  for (let flips = 1 + random.below(MOST_FLIPS); flips > 0; flips--) {
    bytes[random.below(bytes.length)] = random.below(2) === 0 ? random.below(256) : 1 << random.below(8);
  }
  try {
    const object = readObject(bytes);
    const programs = object.programs.filter(({ type }) => type !== null && programTypes.has(type));
    const program = programs[random.below(Math.max(1, programs.length))];
    if (program === undefined) return 'no-program';
    const instance = new Instance(object, { program: program.name, verify: false, budget: 20_000, maxMemory: 2 ** 27 });
    const verdicts = FRAMES.map((frame) => {
      const result = instance.runPacket({
        bytes: frame,
        start: 0,
        end: frame.length,
        originalLength: frame.length,
        seconds: 0,
        nanoseconds: 0,
      });
      return result.error?.code ?? result.verdict;
    });
    instance.dumpMaps();
    return [...new Set(verdicts)].sort().join(' ');
  } catch (error) {
    if (error instanceof LoadError) return error.detail.code;
    if (error instanceof OptionError) return error.code;
    throw error;
  }
}

if (import.meta.main) fuzzFromCommandLine('replay', fuzzReplay);
