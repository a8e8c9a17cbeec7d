/**
 * Random programs that the verifier takes, run by the kernel and by both engines: they answer the same value and the
 * same bytes.
 *
 *   node tools/fuzz/runs.ts --seed 1 --count 20000     prints how many agree, and those that do not
 *     --only 4711       one program of that seed
 *     --show N          differences shown in full; 5 unless told
 *
 * Left out is what no two machines agree on: a program whose answer changes here when memory is laid out otherwise and
 * stacks hold something else (it shows addresses, or bytes of its stack that it never wrote), and one to which the
 * kernel gives two answers; and what depends on clocks and chance.
 *
 * Exit status: 0 no difference, 1 there was one, 2 the kernel cannot be asked.
 */
import { parseArgs } from 'node:util';
import { helperId } from '../../src/abi/helper-names.ts';
import { LoadError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/random.ts';
import { type Engine, Instance, type InstanceOptions } from '../../src/engine/instance.ts';
import { ProgramRefused } from '../../src/engine/refused.ts';
import { decode } from '../../src/isa/codec.ts';
import { askRaw, kernelAvailable } from '../../test/differential/oracle.ts';
import { fuzzedProgram, listing } from './verifier.ts';
import { type Fuzzed, ORACLE_MAPS, objectOf } from './verifier-objects.ts';

const ETHERNET_HEADER = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
const SMALLEST = 15;
const LARGEST = 200;
/** Of one run; Linux lets `may_goto` go on for as long as it takes. */
const BUDGET = 1_000_000;
const ENDED: Answer = 'not at its end yet';
/** An answer in one line: the value, and the bytes; or why there are none. */
type Answer = string;

interface Question {
  readonly index: number;
  readonly fuzzed: Fuzzed;
  readonly frame: Uint8Array;
}

function questionOf(seed: number, index: number): Question {
  const random = seededRandom(seed ^ Math.imul(index + 1, 0x9e3779b1));
  const frame = Uint8Array.from({ length: SMALLEST + random.below(LARGEST) }, () =>
    random.below(3) === 0 ? 0 : random.below(256),
  );
  frame.set(ETHERNET_HEADER);
  frame.set(random.below(2) === 0 ? [8, 0, 0x45] : [0x88, 0xb5, 0], 12);
  return { index, fuzzed: fuzzedProgram(seed, index), frame };
}

const LOAD_IMMEDIATE = 0x18;
const MAP_SOURCES: ReadonlySet<number> = new Set([1, 2]);

/** The same program on maps of other numbers. */
function renumbered(bytes: Uint8Array, by: number): Uint8Array {
  const moved = bytes.slice();
  const view = new DataView(moved.buffer);
  for (let at = 0; at < moved.length; at += 8) {
    if (moved[at] !== LOAD_IMMEDIATE) continue;
    if (MAP_SOURCES.has(moved[at + 1]! >> 4)) view.setInt32(at + 4, view.getInt32(at + 4, true) + by, true);
    at += 8;
  }
  return moved;
}

/** Each program finds maps that none has touched. */
function askLinux(questions: readonly Question[]): Answer[] {
  const maps = questions.flatMap(() => ORACLE_MAPS);
  const asked = questions.map(({ fuzzed, frame }, i) => ({
    type: fuzzed.type,
    instructions: renumbered(fuzzed.bytes, i * ORACLE_MAPS.length),
    data: frame,
  }));
  return askRaw(asked, maps).map(({ verdict, error, retval, out, reason }) => {
    if (verdict === 'reject') return `refused: ${reason}`;
    return error === undefined ? `${retval} ${out}` : `!${error}`;
  });
}

/** Not what the verifier refuses, nor what calls a helper that is only verified. */
function runsHere(fuzzed: Fuzzed): boolean {
  try {
    return new Instance(objectOf(fuzzed), { engine: 'interpreter' }).programType !== undefined;
  } catch (error) {
    if (error instanceof ProgramRefused || error instanceof LoadError) return false;
    throw error;
  }
}

/** Regions begin at multiples of it, and the stack's length is one. */
const PAGE = 4096;

/** Other addresses, and stacks that hold something. */
const ELSEWHERE: InstanceOptions = { seat: { number: 1, seats: 2 } };
const FILLER = 0xa5;
/** Clocks and chance. */
const MACHINES = new Set(
  (['ktime_get_ns', 'ktime_get_boot_ns', 'jiffies64', 'get_prandom_u32'] as const).map(helperId),
);

function ours({ fuzzed, frame }: Question, engine: Engine, options: InstanceOptions = {}, filler = 0): Answer {
  const instance = new Instance(objectOf(fuzzed), { engine, budget: BUDGET, ...options });
  const { memory } = instance;
  if (filler !== 0) {
    for (let at = 0; at < memory.u8.length; at += PAGE) {
      if (memory.regionOf(at, 1)?.name === 'stack') memory.u8.fill(filler, at, at + PAGE);
    }
  }
  const input = { bytes: frame, start: 0, end: frame.length, originalLength: frame.length, seconds: 0, nanoseconds: 0 };
  const { error, skipped, retval, outStart, outEnd } = instance.runPacket(input);
  if (skipped !== null) return '!EINVAL';
  if (error?.code === 'budget') return ENDED;
  return error === null ? `${retval} ${memory.u8.slice(outStart, outEnd).toHex()}` : `error: ${error.message}`;
}

const asksTheMachine = ({ bytes }: Fuzzed): boolean =>
  decode(bytes).some((at) => at?.kind === 'call' && at.target.type === 'helper' && MACHINES.has(at.target.id));

/** Whether the program's answer is its own, and not that of the machine that it runs on. */
function isSteady(question: Question, theirs: Answer): boolean {
  const here = ours(question, 'interpreter');
  return (
    !asksTheMachine(question.fuzzed) &&
    ours(question, 'interpreter', ELSEWHERE, FILLER) === here &&
    askLinux([question])[0] === theirs
  );
}

export interface Difference extends Question {
  readonly linux: Answer;
  readonly engine: Engine;
  readonly ours: Answer;
}

const BATCH = 200;
const ENGINES = ['interpreter', 'jit'] as const;

/** Runs programs `first` to `first + count` of the seed. */
export function compareRuns(seed: number, first: number, count: number) {
  const found = { run: 0, unsteady: 0, differences: [] as Difference[] };
  for (let start = first; start < first + count; start += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, first + count - start) }, (_, i) => start + i);
    const questions = indices.map((index) => questionOf(seed, index)).filter(({ fuzzed }) => runsHere(fuzzed));
    for (const [i, linux] of askLinux(questions).entries()) {
      const question = questions[i]!;
      // What the kernel refuses is for the other fuzzer; and test-run takes no frame whose IP header is cut.
      if (/^(refused|!)/.test(linux)) continue;
      found.run++;
      for (const engine of ENGINES) {
        const answer = ours(question, engine);
        if (answer === linux) continue;
        if (answer === ENDED || !isSteady(question, linux)) {
          found.unsteady++;
          break;
        }
        found.differences.push({ ...question, linux, engine, ours: answer });
      }
    }
  }
  return found;
}

function main(): number {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '20000' },
      only: { type: 'string' },
      show: { type: 'string', default: '5' },
    },
  });
  const available = kernelAvailable();
  if (available !== true) {
    console.error(`the kernel cannot be asked: ${available}`);
    return 2;
  }
  const seed = Number(values.seed);
  const { run, unsteady, differences } =
    values.only === undefined ? compareRuns(seed, 0, Number(values.count)) : compareRuns(seed, Number(values.only), 1);
  for (const { index, fuzzed, frame, linux, engine, ours } of differences.slice(0, Number(values.show))) {
    console.log(`\n--seed ${seed} --only ${index}, over ${frame.toHex()}\n${listing(fuzzed)}`);
    console.log(`  Linux ${linux}\n  ${engine} ${ours}`);
  }
  console.log(`\nseed ${seed}: ${run} programs ran, ${unsteady} of them unsteady, ${differences.length} differences`);
  return differences.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main();
