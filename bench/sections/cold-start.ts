import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { figureOf } from '../measure.ts';
import { type Bar, spread } from '../report.ts';
import { type Section, some } from '../section.ts';
import { packet, type Subject, subjectNamed } from '../subjects.ts';

const CHILD = fileURLToPath(new URL('../cold-start.ts', import.meta.url));
const LARGE: Subject = {
  name: 'large',
  object: fileURLToPath(new URL('../programs/large.bpf.o', import.meta.url)),
  program: 'large',
  frame: packet('10.5.4.3', '198.51.100.1', 17, 5040),
};
const MOST_MILLISECONDS = 20;

interface Cold {
  readonly translation: number;
  readonly packet: number;
  /** Both, by the clock. */
  readonly clock: number;
  readonly instructions: number;
}

/** (d) From a verified program to its first verdict, in a process that has translated nothing yet. */
export const coldStart: Section = {
  letter: 'd',
  title: '(d) Cold start',
  async measure({ rounds, scale }) {
    const rows: string[][] = [];
    const bars: Bar[] = [];
    for (const subject of some([subjectNamed('light'), subjectNamed('L4 balancer'), LARGE], { scale })) {
      const runs = Array.from({ length: rounds }, () => started(subject));
      const milliseconds = (of: (cold: Cold) => number) => figureOf(runs.map((cold) => of(cold) / 1e6));
      const whole = milliseconds(({ translation, packet }) => translation + packet);
      const { instructions } = runs[0]!;
      rows.push([
        subject.name,
        String(instructions),
        spread(milliseconds(({ translation }) => translation)),
        spread(milliseconds(({ packet }) => packet)),
        spread(whole),
        spread(milliseconds(({ clock }) => clock)),
      ]);
      if (subject === LARGE)
        bars.push({
          what: `${instructions} instructions, milliseconds`,
          figure: whole.median,
          most: MOST_MILLISECONDS,
        });
    }
    return {
      remarks: [
        `Milliseconds of processor time of the thread that waits for it, each of ${rounds} times in a new process, which has verified the program before.`,
      ],
      tables: [
        {
          title: 'Cold',
          columns: ['Program', 'Instructions', 'Translation', 'First packet', 'Together', 'By the clock'],
          rows,
        },
      ],
      bars,
    };
  },
};

function started({ object, program, frame }: Subject): Cold {
  return JSON.parse(
    execFileSync(process.execPath, [CHILD, object, program, frame.toHex()], { encoding: 'utf8' }),
  ) as Cold;
}
