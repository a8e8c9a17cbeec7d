/**
 * Random programs before both judges: the running kernel's verifier and this project's.
 *
 *   node tools/fuzz/verifier.ts --seed 1 --count 20000            asks both, prints the rates and the disagreements
 *   node tools/fuzz/verifier.ts --seed 1 --only 4711 --minimise   one program of that seed, made as short as it goes
 *     --show N          disagreements shown in full; 5 unless told
 *     --places          shows programs too that both refuse, at different instructions
 *
 * Exit status: 0 no false accept, 1 there was one, 2 the kernel cannot be asked.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { helperName } from '../../src/abi/helper-names.ts';
import type { Verdict } from '../../src/abi/verdict.ts';
import { seededRandom } from '../../src/base/random.ts';
import { verifyProgram } from '../../src/engine/programs.ts';
import { decode } from '../../src/isa/codec.ts';
import { disassemble } from '../../src/isa/disassemble.ts';
import { LINUX_LIMITS, type Limits } from '../../src/verifier/walk/verification.ts';
import { askRaw, kernelAvailable, type RawAnswer } from '../../test/differential/oracle.ts';
import { failingPc } from '../peer-suite/failing-pc.ts';
import { minimise } from './verifier-code.ts';
import { generate } from './verifier-generator.ts';
import { type Fuzzed, MAP_SPECS, ORACLE_MAPS, objectOf } from './verifier-objects.ts';

/** Program `index` of a seed, whatever came before it. */
export function fuzzedProgram(seed: number, index: number): Fuzzed {
  return generate(seededRandom(seed ^ Math.imul(index + 1, 0x85ebca6b)));
}

/** Linux takes what its machine has. */
const LIMITS: Limits = { ...LINUX_LIMITS, cpus: cpus().length };

export function askOurs(fuzzed: Fuzzed): Verdict {
  const object = objectOf(fuzzed);
  return verifyProgram(object, object.programs[0], undefined, { limits: LIMITS }).verdict;
}

export function askLinux(programs: readonly Fuzzed[]): RawAnswer[] {
  return askRaw(
    programs.map(({ type, bytes }) => ({ type, instructions: bytes })),
    ORACLE_MAPS,
  );
}

export interface Outcome {
  readonly index: number;
  readonly fuzzed: Fuzzed;
  readonly linux: RawAnswer;
  readonly ours: Verdict;
}

const BATCH = 500;

/** Both verdicts on programs `first` to `first + count` of the seed. */
export function* outcomes(seed: number, first: number, count: number): Generator<Outcome> {
  for (let start = first; start < first + count; start += BATCH) {
    const size = Math.min(BATCH, first + count - start);
    const programs = Array.from({ length: size }, (_, i) => fuzzedProgram(seed, start + i));
    const answers = askLinux(programs);
    for (const [i, fuzzed] of programs.entries()) {
      yield { index: start + i, fuzzed, linux: answers[i]!, ours: askOurs(fuzzed) };
    }
  }
}

type Answers = Pick<Outcome, 'linux' | 'ours'>;
export type Disagreement = 'false accept' | 'false refusal';

export function disagreement({ linux, ours }: Answers): Disagreement | undefined {
  if ((linux.verdict === 'accept') === ours.accepted) return undefined;
  return ours.accepted ? 'false accept' : 'false refusal';
}

/** Both refuse, but not at the same instruction; of some refusals Linux does not say where. */
export function elsewhere({ linux, ours }: Answers): 'elsewhere' | undefined {
  if (linux.verdict === 'accept' || ours.accepted) return undefined;
  const pc = failingPc(linux.insn ?? -1, linux.reason ?? '');
  return pc === null || pc === ours.refusal.pc ? undefined : 'elsewhere';
}

/** The shortest program on which the two disagree in the same way. */
export function shortest(fuzzed: Fuzzed): Fuzzed {
  const kind = (bytes: Uint8Array) => {
    const shorter = { type: fuzzed.type, bytes };
    const answers = { linux: askLinux([shorter])[0]!, ours: askOurs(shorter) };
    return disagreement(answers) ?? elsewhere(answers);
  };
  const wanted = kind(fuzzed.bytes);
  return { type: fuzzed.type, bytes: minimise(fuzzed.bytes, (bytes) => kind(bytes) === wanted) };
}

export function listing({ type, bytes }: Fuzzed): string {
  const names = { helper: (id: number) => helperName(id), map: (index: number) => MAP_SPECS[index]?.name };
  const lines = decode(bytes).flatMap((instruction, pc) =>
    instruction === undefined ? [] : [`${String(pc).padStart(4)}: ${disassemble(instruction, pc, names)}`],
  );
  return `  ${type}\n${lines.join('\n')}`;
}

function show(seed: number, { index, fuzzed, linux, ours }: Outcome): void {
  const theirs = linux.verdict === 'accept' ? 'accepts' : `refuses at ${linux.insn}: ${linux.reason}`;
  const mine = ours.accepted ? 'accept' : `refuse at ${ours.refusal.pc}: ${ours.refusal.code}: ${ours.refusal.message}`;
  const kind = disagreement({ linux, ours }) ?? elsewhere({ linux, ours }) ?? 'agreement';
  console.log(`\n${kind}: --seed ${seed} --only ${index}`);
  console.log(`${listing(fuzzed)}\n  Linux ${theirs}\n  we ${mine}`);
}

function main(): number {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '20000' },
      only: { type: 'string' },
      show: { type: 'string', default: '5' },
      places: { type: 'boolean', default: false },
      minimise: { type: 'boolean', default: false },
    },
  });
  const available = kernelAvailable();
  if (available !== true) {
    console.error(`the kernel cannot be asked: ${available}`);
    return 2;
  }
  const seed = Number(values.seed);
  const first = Number(values.only ?? 0);
  const count = values.only === undefined ? Number(values.count) : 1;
  const tally = { accepted: 0, weAccept: 0, 'false accept': 0, 'false refusal': 0, elsewhere: 0, refusals: 0, cost: 0 };
  let shown = 0;
  for (const outcome of outcomes(seed, first, count)) {
    const { linux, ours } = outcome;
    if (linux.verdict === 'accept') tally.accepted++;
    if (ours.accepted) tally.weAccept++;
    if (linux.verdict === 'reject' && !ours.accepted) tally.refusals++;
    if (linux.processed === ours.processed) tally.cost++;
    const place = elsewhere(outcome);
    const kind = disagreement(outcome) ?? place;
    if (kind !== undefined) tally[kind]++;
    const counts = kind !== undefined && (kind !== place || values.places);
    if (values.only !== undefined || (counts && shown++ < Number(values.show))) {
      show(seed, outcome);
      if (values.minimise && kind !== undefined) {
        const fuzzed = shortest(outcome.fuzzed);
        show(seed, { ...outcome, fuzzed, linux: askLinux([fuzzed])[0]!, ours: askOurs(fuzzed) });
      }
    }
  }
  const share = (part: number, of = count) => `${part} (${((100 * part) / Math.max(1, of)).toFixed(2)}%)`;
  console.log(`\nseed ${seed}, ${count} programs: Linux takes ${share(tally.accepted)}, we ${share(tally.weAccept)}`);
  console.log(`false accepts ${share(tally['false accept'])}, false refusals ${share(tally['false refusal'])}`);
  console.log(
    `both refuse ${tally.refusals}, at the same instruction ${share(tally.refusals - tally.elsewhere, tally.refusals)}`,
  );
  console.log(`as many instructions followed: ${share(tally.cost)}`);
  return tally['false accept'] === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main();
