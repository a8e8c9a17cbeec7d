import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verifyProgram } from '../../src/index.ts';
import { askVerdicts, kernelAvailable } from '../../test/differential/oracle.ts';
import { type PeerObject, peerObjects } from '../../tools/peer-suite/groups.ts';
import { figureOf, inTurns, ratioOf } from '../measure.ts';
import { spread } from '../report.ts';
import type { Section, Settings } from '../section.ts';
import { objectOf } from '../subjects.ts';

/** Instructions that Linux walks, from which on a program counts as large, and how many of the largest are measured. */
const LARGE = 1000;
const PROGRAMS = 12;

interface Candidate {
  readonly path: string;
  readonly program: string;
  readonly processed: number;
}

/** (e) Verification of large programs. */
export const verification: Section = {
  letter: 'e',
  title: '(e) Verification',
  async measure(settings) {
    const available = kernelAvailable();
    const remarks = [
      "Milliseconds by the clock, the program alone; Linux's as its verifier's log tells (level 4). The largest by " +
        'the instructions that Linux walks; of the programs of its selftests those that `npm run peer-suite` has built.',
    ];
    if (available !== true)
      return { remarks: [...remarks, `Linux could not be asked: ${available}.`], tables: [], bars: [] };
    const rows: string[][] = [];
    for (const candidate of candidates(settings)) rows.push(await rowOf(candidate, settings));
    const columns = ['Program', 'Walked by Linux', 'Walked by us', 'Ours', 'Linux', 'Ours / Linux'];
    return { remarks, tables: [{ title: 'Per program', columns, rows }], bars: [] };
  },
};

const BENCH = fileURLToPath(new URL('../programs/', import.meta.url));
const OWN = ['large', 'balancer', 'mapops'].map(
  (name): PeerObject => ({ group: 'examples', file: `${name}.bpf.o`, path: `${BENCH}${name}.bpf.o` }),
);

function candidates({ scale }: Settings): Candidate[] {
  const objects = scale < 1 ? OWN : [...OWN, ...peerObjects().filter(({ group }) => group !== 'selftests')];
  return askVerdicts(objects.map(({ path }) => path))
    .filter(({ verdict, processed = 0 }) => verdict === 'accept' && processed >= LARGE)
    .map(({ file, program, processed }) => ({ path: file, program: program!, processed: processed! }))
    .sort((one, other) => other.processed - one.processed)
    .slice(0, scale < 1 ? 2 : PROGRAMS);
}

async function rowOf({ path, program, processed }: Candidate, { rounds }: Settings): Promise<string[]> {
  const object = objectOf({ object: path });
  const spec = object.programs.find(({ name }) => name === program)!;
  let walked = '';
  const samples = await inTurns(
    {
      ours: () => {
        const start = performance.now();
        const { verdict } = verifyProgram(object, spec);
        walked = verdict.accepted ? String(verdict.processed) : verdict.refusal.code;
        return performance.now() - start;
      },
      linux: () => askVerdicts([path]).find((one) => one.program === program)!.ns! / 1e6,
    },
    rounds,
  );
  const figures = [figureOf(samples.ours), figureOf(samples.linux), ratioOf(samples.ours, samples.linux)];
  return [`${basename(path, '.o')}/${program}`, String(processed), walked, ...figures.map(spread)];
}
