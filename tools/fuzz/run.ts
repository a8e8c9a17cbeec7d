import { parseArgs } from 'node:util';
import { type Random, seededRandom } from '../../src/base/random.ts';

/**
 * Every mutation draws from a random source of its own, made from the seed and the mutation's index: a failure is
 * replayed alone by these two numbers, whatever ran before it.
 */
export interface Fuzzer {
  /** The file's name in tools/fuzz, for the replay command in a failure's message. */
  readonly name: string;
  readonly seed: number;
  readonly count: number;
  /** Index of the first mutation; 0 unless a failure is replayed. */
  readonly first?: number;
  /** Runs one mutation; throws when what must hold does not. */
  one(random: Random, index: number): void;
  /** Called now and then with the number of mutations done. */
  progress?(done: number): void;
}

/** A mutation that takes longer counts as a hang: inputs are small. Of the processor: the machine may be busy. */
const SLOWEST_SECONDS = 10;

function processorSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

/**
 * Runs `count` mutations and returns the seconds it took. Throws an error that names the seed and the mutation that
 * replays it, with the failure as its cause.
 */
export function runFuzzer(fuzzer: Fuzzer): number {
  const { name, seed, count, first = 0 } = fuzzer;
  const begin = performance.now();
  let before = processorSeconds();
  for (let index = first; index < first + count; index++) {
    try {
      fuzzer.one(seededRandom(seed ^ Math.imul(index, 0x85ebca6b)), index);
      const now = processorSeconds();
      if (now - before > SLOWEST_SECONDS) throw new Error(`it took ${Math.round(now - before)} s`);
      before = now;
    } catch (cause) {
      const message = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
      throw new Error(
        `${name}: mutation ${index} failed: ${message}\nreplay: node tools/fuzz/${name}.ts --seed ${seed} --only ${index}`,
        { cause },
      );
    }
    if ((index & 0x3fff) === 0x3fff) fuzzer.progress?.(index + 1 - first);
  }
  return (performance.now() - begin) / 1000;
}

/**
 * The command line of a fuzzer: `--seed S --count N` for a long run, `--seed S --only INDEX` to replay a failure.
 * Prints the seed first, so that a hang can be replayed too, and sets exit code 1 on a failure.
 */
export function fuzzFromCommandLine(name: string, one: Fuzzer['one']): void {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '100000' },
      only: { type: 'string' },
    },
  });
  const number = (option: string, text: string) => {
    if (!/^\d+$/.test(text)) throw new Error(`--${option} takes a number, not ${text}`);
    return Number(text);
  };
  const seed = number('seed', values.seed);
  const count = values.only === undefined ? number('count', values.count) : 1;
  const first = values.only === undefined ? 0 : number('only', values.only);
  console.log(`${name}: seed ${seed}, ${count} mutations`);
  try {
    const seconds = runFuzzer({
      name,
      seed,
      count,
      first,
      one,
      progress: (done) => process.stderr.isTTY && process.stderr.write(`\r${done} of ${count}`),
    });
    console.log(`${name}: ${count} mutations held in ${seconds.toFixed(1)} s`);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
}
