// How fast it is, beside Linux on the same machine and in the same minutes; writes bench/RESULTS.md.
//
//   node bench/bench.ts                       everything (a quarter of an hour)
//     --only a,b        sections by letter: a run cost, i interpreter, b replay, c workers, d cold start, e verifier,
//                       f memory, g map operations, u the command from start to end
//     --rounds N        rounds that are kept of each measurement; 7 unless told
//     --quick           small and short: to look, not to quote
//     --smoke           smaller still: to see that it works
//     --ubpf PATH       a built ubpf_test, to measure uBPF with; or the environment variable UBPF_TEST
//     -o FILE           where the results go; `-` prints them and writes nothing
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Linux } from './linux.ts';
import { machineText } from './machine.ts';
import { sectionText } from './report.ts';
import { QUICK, SMOKE } from './section.ts';
import { SECTIONS } from './sections/index.ts';

const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url));

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    quick: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    ubpf: { type: 'string' },
    output: { type: 'string', short: 'o' },
  },
});

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const letters = values.only?.split(',') ?? SECTIONS.map(({ letter }) => letter);
  const unknown = letters.find((letter) => !SECTIONS.some((section) => section.letter === letter));
  if (unknown !== undefined)
    throw new Error(`no section ${unknown}: there are ${SECTIONS.map((one) => one.letter).join()}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds is to be a whole number, not ${values.rounds}`);

  const ubpf = values.ubpf ?? process.env.UBPF_TEST;
  const linux = Linux.ask();
  const scale = values.smoke ? SMOKE : values.quick ? QUICK : 1;
  const settings = { rounds, scale, linux, ubpf };
  const texts = [machineText(settings)];
  try {
    for (const section of SECTIONS.filter(({ letter }) => letters.includes(letter))) {
      console.error(section.title);
      texts.push(sectionText(section.title, await section.measure(settings)));
    }
  } finally {
    if (typeof linux !== 'string') linux.end();
  }
  const output = values.output ?? (values.only === undefined && scale === 1 ? RESULTS : '-');
  if (output === '-') console.log(texts.join('\n\n'));
  else writeFileSync(output, `${texts.join('\n\n')}\n`);
}
