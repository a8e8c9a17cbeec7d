import { type Engine, Instance } from '../../src/engine/instance.ts';
import { hotLoop } from '../hot-loop.ts';
import { elapsed, figureOf, inTurns, ratioOf, runsFor, slope } from '../measure.ts';
import { spread } from '../report.ts';
import type { Section, Settings } from '../section.ts';
import { input, instanceOf, objectOf, type Subject, subjectNamed } from '../subjects.ts';
import { ourLoop, Ubpf, withRuns } from '../ubpf.ts';

/** Those that need no map: uBPF has none. */
const NAMES = ['light', 'compute'];
const ENGINES: readonly Engine[] = ['interpreter', 'jit'];
const MOST = 1.5;
/** A virtual machine's speed changes from one tenth of a second to the next: so many times as many as told. */
const ROUNDS = 3;

type Timed = (runs: number) => { ns: number; retval: number };

/** (i) The interpreter, and the JIT once more, beside uBPF's. */
export const besideUbpf: Section = {
  letter: 'i',
  title: '(i) Interpreter and JIT beside uBPF',
  async measure(settings) {
    const ubpf = settings.ubpf === undefined ? undefined : new Ubpf(settings.ubpf);
    const rows: string[][] = [];
    const bars = [];
    for (const name of NAMES) {
      for (const engine of ENGINES) {
        const { cells, ratio } = await rowOf(subjectNamed(name), engine, ubpf, settings);
        rows.push(cells);
        if (ratio !== undefined && engine === 'interpreter')
          bars.push({ what: `${name}, interpreter: ours / uBPF`, figure: ratio, most: MOST });
      }
    }
    ubpf?.end();
    return {
      remarks: [
        'Nanoseconds of processor time a run. On both sides a loop of five instructions in the program itself repeats it, as ' +
          'often as its packet says, so that entering the machine does not count; our JIT is called again and again from ' +
          `WebAssembly. Both interpreters check every access. Samples are short, so there are ${ROUNDS} times as many rounds.`,
        ...(ubpf === undefined ? ['There is no ubpf_test to compare with: `--ubpf PATH` names one.'] : []),
      ],
      tables: [{ title: 'Per run', columns: ['Program', 'Engine', 'Ours', 'uBPF', 'Ours / uBPF'], rows }],
      bars,
    };
  },
};

async function rowOf(
  subject: Subject,
  engine: Engine,
  ubpf: Ubpf | undefined,
  { rounds, scale }: Settings,
): Promise<{ cells: string[]; ratio?: number }> {
  const object = objectOf(subject);
  const body = object.programs.find(({ name }) => name === subject.program)!.instructions;
  const ours =
    engine === 'jit' ? hotLoop(instanceOf(subject, { engine }), subject.frame) : looped(subject, engine, body);
  const contender = async (time: Timed, target: number) => {
    const runs = await runsFor(target, (count) => time(count).ns);
    return () => slope((count) => time(count).ns, runs);
  };
  const ourTime = await contender(ours, 150e6 * scale);
  const first = [subject.name, engine];
  if (ubpf === undefined) {
    const { ours } = await inTurns({ ours: ourTime }, rounds);
    return { cells: [...first, spread(figureOf(ours)), '–', '–'] };
  }
  const theirs = ubpf.prepare(body, subject.frame, engine === 'jit');
  const said = [theirs(2).retval, ours(2).retval];
  if (said[0] !== said[1]) throw new Error(`${subject.name}: uBPF's last run returns ${said[0]}, ours ${said[1]}`);
  const samples = await inTurns(
    { ours: ourTime, ubpf: await contender(theirs, Math.max(50e6, 150e6 * scale)) },
    ROUNDS * rounds,
  );
  const ratio = ratioOf(samples.ours, samples.ubpf);
  const cells = [...first, spread(figureOf(samples.ours)), spread(figureOf(samples.ubpf)), spread(ratio)];
  return { cells, ratio: ratio.median };
}

/** The loop stands in no object, and no verifier follows it to its end. */
function looped(subject: Subject, engine: Engine, body: Uint8Array): Timed {
  const { program, frame } = subject;
  const programs = [
    { ...objectOf(subject).programs[0]!, name: program, instructions: ourLoop(body), functions: [], lines: [] },
  ];
  const instance = new Instance(
    { ...objectOf(subject), programs },
    { program, engine, verify: false, budget: 2 ** 30 },
  );
  return (runs) => {
    const packet = input(withRuns(frame, runs));
    let retval = 0;
    const ns = elapsed(() => {
      ({ retval } = instance.runPacket(packet));
    });
    return { ns, retval };
  };
}
