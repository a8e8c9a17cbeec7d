import { hotLoop } from '../hot-loop.ts';
import { figureOf, inTurns, ratioOf, runsFor, slope } from '../measure.ts';
import type { Bar } from '../report.ts';
import { number, spread } from '../report.ts';
import { QUICK, type Section, type Settings } from '../section.ts';
import { instanceOf, isHere, SUBJECTS, type Subject } from '../subjects.ts';

interface Row {
  readonly cells: readonly string[];
  readonly bar: Bar | undefined;
}

/** (a) What one run costs, the packet being there: beside Linux's JIT, and beside uBPF's where it can. */
export const runCost: Section = {
  letter: 'a',
  title: '(a) One run of a program',
  async measure(settings) {
    const rows: Row[] = [];
    const remarks = [
      'Nanoseconds of processor time a run takes over one packet, by the slope between two repeat counts: median of the rounds (least to most). ' +
        "Ours is what the engine makes of the program, called from WebAssembly with its fuel set anew; Linux's is " +
        'BPF_PROG_TEST_RUN with `repeat`, its loop included on both sides: see the empty program.',
    ];
    if (typeof settings.linux === 'string') remarks.push(`Linux could not be asked: ${settings.linux}.`);
    // What only shows that it works does without a map of millions.
    const subjects = SUBJECTS.filter(({ before }) => settings.scale >= QUICK || before === undefined);
    for (const subject of subjects) {
      if (!isHere(subject)) remarks.push(`${subject.name} is not here: ${subject.object} does not exist.`);
      else rows.push(await rowOf(subject, settings));
    }
    return {
      remarks,
      tables: [
        {
          title: 'Per run',
          columns: ['Program', 'Instructions', 'Ours', 'Linux', 'Ours / Linux'],
          rows: rows.map((row) => row.cells),
        },
      ],
      bars: rows.flatMap(({ bar }) => bar ?? []),
    };
  },
};

async function rowOf(subject: Subject, { rounds, scale, linux }: Settings): Promise<Row> {
  const { name, program, frame, bar } = subject;
  const target = 60e6 * scale;
  const { before = 0 } = subject;
  const instance = instanceOf(subject, { engine: 'jit' });
  const ours = hotLoop(instance, frame);
  if (before > 0) ours(before);
  const instructions = instance.executed;
  const ourRuns = await runsFor(target, (runs) => ours(runs).ns);
  const contenders = { ours: () => slope((runs) => ours(runs).ns, ourRuns) };
  const cells = (samples: readonly number[]) => [name, String(instructions), spread(figureOf(samples))];
  if (typeof linux === 'string') {
    return { cells: [...cells((await inTurns(contenders, rounds)).ours), '–', '–'], bar: undefined };
  }

  const object = await linux.open(subject.object, subject.mapInit, subject.entries);
  const theirs = async (runs: number) => (await object.time(program, runs, frame)).ns;
  if (before > 0) await theirs(before);
  const said = [(await object.time(program, 2, frame)).retval, ours(2).retval];
  if (said[0] !== said[1]) throw new Error(`${name}: Linux's last run returns ${said[0]}, ours ${said[1]}`);
  const theirRuns = await runsFor(target, theirs);
  const samples = await inTurns({ ...contenders, linux: () => slope(theirs, theirRuns) }, rounds);
  await object.close();
  const ratio = ratioOf(samples.ours, samples.linux);
  return {
    cells: [
      ...cells(samples.ours),
      spread(figureOf(samples.linux)),
      `${number(ratio.median)} (${number(ratio.least)} to ${number(ratio.most)})`,
    ],
    bar: bar === undefined ? undefined : { what: `${name}: ours / Linux`, figure: ratio.median, most: bar },
  };
}
