import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { encodeUtf8 } from '../../src/base/bytes.ts';
import { fnv1a64 } from '../../src/base/fnv.ts';
import { creations, runScript, SUBJECTS, scriptOf } from './map-script.ts';
import { askMaps, kernelAvailable } from './oracle.ts';

/** What Linux answered, so that it can be compared everywhere: four hex digits of each answer's hash. */
interface Golden {
  readonly kernel: string;
  readonly cpus: number;
  readonly scripts: Readonly<Record<string, { readonly script: string; readonly answers: string }>>;
}

const GOLDEN = fileURLToPath(new URL('golden/maps.json', import.meta.url));
const SEED = 1;
const OPERATIONS = 250;

const available = kernelAvailable();
const hash = (text: string) => fnv1a64(encodeUtf8(text));
const digest = (answer: string) => hash(answer).slice(0, 4);
const online = availableParallelism();
const possible = available === true ? (JSON.parse(askMaps(['cpus'])[0]!) as { cpus: number }).cpus : 0;

/** Every script by name; creation first. */
function scripts(seed: number, cpus: number, online: number): (readonly [name: string, lines: string[]])[] {
  return SUBJECTS.map((subject) => [subject.name, scriptOf(subject, seed, OPERATIONS, cpus, online)] as const);
}

/** Only whether it is made: Linux's errno has no place in a refusal in words. */
function made(answers: readonly string[]): boolean[] {
  return answers.map((answer) => answer.startsWith('{"result":0'));
}

/** Kernels differ in the CPUs that they can have (NR_CPUS), and so in the longest CPU map. */
function creationLines(): string[] {
  return creations().filter((line) => !/^create cpumap 4 4 (2048|8192|12288) /.test(line));
}

// `RECORD_GOLDEN=1 npx vitest run test/differential/maps.test.ts` asks the kernel anew, with two CPUs.
if (process.env['RECORD_GOLDEN'] !== undefined && available === true && possible === 2) {
  const recorded: Record<string, { script: string; answers: string }> = {};
  for (const [name, lines] of scripts(SEED, 2, 2)) {
    recorded[name] = { script: hash(lines.join('\n')), answers: askMaps(lines).map(digest).join('') };
  }
  const lines = creationLines();
  const answers = made(askMaps(lines)).map(Number).join('');
  recorded.creation = { script: hash(lines.join('\n')), answers };
  mkdirSync(dirname(GOLDEN), { recursive: true });
  const golden: Golden = { kernel: release(), cpus: 2, scripts: recorded };
  writeFileSync(GOLDEN, `${JSON.stringify(golden, null, 2)}\n`);
}

describe.runIf(existsSync(GOLDEN))('as Linux answered when it was recorded', () => {
  const golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Golden;

  test.each(scripts(SEED, golden.cpus, golden.cpus))('%s', (name, lines) => {
    const { script, answers } = golden.scripts[name]!;
    expect(hash(lines.join('\n')), 'the script changed: record the answers again').toBe(script);
    const ours = runScript(lines, golden.cpus).map((answer, index) => [digest(answer), lines[index], answer]);
    const wrong = ours.find(([code], index) => code !== answers.slice(index * 4, index * 4 + 4));
    expect(wrong).toBeUndefined();
    expect(answers.length).toBe(ours.length * 4);
  });

  test('creation', () => {
    const lines = creationLines();
    const { script, answers } = golden.scripts.creation!;
    expect(hash(lines.join('\n')), 'the script changed: record the answers again').toBe(script);
    const ours = made(lines.flatMap((line) => runScript([line], golden.cpus)));
    expect(lines.filter((_, index) => ours[index] !== (answers[index] === '1'))).toEqual([]);
  });
});

describe.runIf(available === true)('as Linux answers here', () => {
  test.each([2, 3])('seed %i', (seed) => {
    for (const [name, lines] of scripts(seed, possible, Math.min(online, possible))) {
      const linux = askMaps(lines);
      const ours = runScript(lines, possible);
      const wrong = lines.findIndex((_, index) => ours[index] !== linux[index]);
      expect(
        wrong < 0 ? 'equal' : { name, seed, line: wrong, asked: lines[wrong], ours: ours[wrong], linux: linux[wrong] },
      ).toBe('equal');
    }
  });

  test('creation', () => {
    const lines = creationLines();
    const linux = made(askMaps(lines));
    const ours = made(lines.flatMap((line) => runScript([line], possible)));
    expect(lines.filter((_, index) => ours[index] !== linux[index])).toEqual([]);
  });
});

test.runIf(available !== true)(`Linux is not asked here: ${available}`, () => {
  expect(existsSync(GOLDEN)).toBe(true);
});
