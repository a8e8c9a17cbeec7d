import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { captureOf, memoryFolder, repeated } from '../captures.ts';
import { figureOf, inTurns, ratioOf, type Samples } from '../measure.ts';
import { type Bar, spread } from '../report.ts';
import { type Section, some } from '../section.ts';
import { subjectNamed } from '../subjects.ts';

const BIN = fileURLToPath(new URL('../../bin/bpfreplay.js', import.meta.url));
const LEAST = 1.7;
/** How often the long capture holds the short one. */
const TIMES = 6;
/** A virtual machine's speed changes from second to second, and the clock tells: so many times as many as told. */
const ROUNDS = 3;
/** Of a packet of 64 bytes in a capture. */
const RECORD_BYTES = 80;

const cli = (...args: string[]) => execFileSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });

/** (c) One worker and two, by the clock. */
export const workers: Section = {
  letter: 'c',
  title: '(c) Workers',
  async measure({ rounds, scale }) {
    const rows: string[][] = [];
    const bars: Bar[] = [];
    const few = 4_000_000 * scale;
    const many = TIMES * few;
    using folder = memoryFolder((few + many) * RECORD_BYTES);
    const short = captureOf('pcap', 64, few, folder.path);
    const long = repeated(short, TIMES, folder.path);
    for (const name of some(['light', 'compute'], { scale })) {
      const { object, program } = subjectNamed(name);
      const time = (capture: string, count: number) => {
        const start = performance.now();
        cli(
          'run',
          object,
          capture,
          '--program',
          program,
          '--format',
          'json',
          '--engine',
          'jit',
          '--workers',
          String(count),
        );
        return 1e6 * (performance.now() - start);
      };
      const times = await inTurns(
        {
          fewByOne: () => time(short, 1),
          fewByTwo: () => time(short, 2),
          manyByOne: () => time(long, 1),
          manyByTwo: () => time(long, 2),
        },
        ROUNDS * rounds,
      );
      // From the first four million on, where all threads run, so that starting up does not count. It is that of all rounds:
      // a short run that the machine kept waiting would make the long one of its round look like nothing.
      const each = (most: Samples, least: Samples) => {
        const { median } = figureOf(least);
        return most.map((took) => (took - median) / (many - few));
      };
      const [one, two] = [each(times.manyByOne, times.fewByOne), each(times.manyByTwo, times.fewByTwo)];
      const faster = ratioOf(one, two);
      rows.push([name, spread(figureOf(one)), spread(figureOf(two)), spread(faster)]);
      bars.push({ what: `${name}, 64 bytes: two workers over one`, figure: faster.median, least: LEAST });
    }
    return {
      remarks: [
        'Nanoseconds by the clock a packet of 64 bytes, of `bpfreplay run` with `--workers`: the difference between a capture of ' +
          '24 million packets and one of four million, the same ones, so that starting up does not count. ' +
          `There are ${ROUNDS} times as many rounds. ` +
          `The captures lie ${folder.isInMemory ? 'in /dev/shm' : 'on the disk, or in its page cache'}. On a machine that does ` +
          'something else meanwhile it says nothing.',
      ],
      tables: [{ title: 'Per packet', columns: ['Program', '1 worker', '2 workers', 'Times faster'], rows }],
      bars,
    };
  },
};
