/**
 * Flips bytes in whole objects, or in the instructions of one program, and asks the verifier: whatever the bytes, the
 * outcome is a `LoadError` or a verdict, in time.
 *
 *   node tools/fuzz/verdicts.ts --seed 1 --count 5000
 */
import { readdirSync, readFileSync } from 'node:fs';
import { LoadError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/random.ts';
import { verifyProgram } from '../../src/engine/programs.ts';
import { readObject } from '../../src/engine/read-object.ts';
import type { ObjectSpec, ProgramSpec } from '../../src/object/spec.ts';
import { fuzzFromCommandLine } from './run.ts';

const FOLDER = new URL('../../programs/', import.meta.url);
const OBJECTS = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.bpf.o'))
  .map((name) => new Uint8Array(readFileSync(new URL(name, FOLDER))));
const MOST_FLIPS = 8;

/** What came of it: `accept`, or the code of the refusal or error. */
export function fuzzVerdict(random: Random): string {
  const bytes = OBJECTS[random.below(OBJECTS.length)]!;
  const inCode = random.below(2) === 0;
  try {
    const object = readObject(inCode ? bytes : flipped(random, bytes));
    const programs = object.programs.filter(({ type }) => type !== null);
    const program = programs[random.below(Math.max(1, programs.length))];
    if (program === undefined) return 'no-program';
    return verdictOf(object, inCode ? { ...program, instructions: flipped(random, program.instructions) } : program);
  } catch (error) {
    if (error instanceof LoadError) return error.detail.code;
    throw error;
  }
}

function verdictOf(object: ObjectSpec, program: ProgramSpec): string {
  const { verdict } = verifyProgram(object, program);
  return verdict.accepted ? 'accept' : verdict.refusal.code;
}

function flipped(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  for (let flips = 1 + random.below(MOST_FLIPS); flips > 0; flips--) {
    copy[random.below(copy.length)] = random.below(2) === 0 ? random.below(256) : 1 << random.below(8);
  }
  return copy;
}

if (import.meta.main) fuzzFromCommandLine('verdicts', fuzzVerdict);
