import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { captureOf } from '../captures.ts';
import { figureOf, inTurns } from '../measure.ts';
import { spread } from '../report.ts';
import { type Section, some } from '../section.ts';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PROGRAMS = [
  ['blocklist', 'blocklist'],
  ['synflood', 'synflood'],
  ['vlan', 'xdp_vlan'],
] as const;
const PACKETS = 1_000_000;

/** (u) What a user sees who starts the command, from its start to its end. */
export const commandLine: Section = {
  letter: 'u',
  title: '(u) The command as a user starts it',
  async measure({ rounds, scale }) {
    const packets = PACKETS * scale;
    const capture = captureOf('pcap', 64, packets);
    const run = (object: string, program: string, engine: string) => () => {
      const start = performance.now();
      const args = [at('bin/bpfreplay.js'), 'run', at(`programs/${object}.bpf.o`), capture, '--program', program];
      execFileSync(process.execPath, [...args, '--engine', engine], { stdio: 'pipe' });
      return (performance.now() - start) / 1000;
    };
    const rows: string[][] = [];
    for (const [object, program] of some(PROGRAMS, { scale })) {
      const seconds = await inTurns(
        { interpreter: run(object, program, 'interpreter'), jit: run(object, program, 'jit') },
        rounds,
      );
      for (const engine of ['interpreter', 'jit'] as const) {
        const figure = figureOf(seconds[engine]);
        rows.push([program, engine, spread(figure), Math.round(packets / figure.median).toLocaleString('en-US')]);
      }
    }
    return {
      remarks: [
        `Seconds by the clock of \`bpfreplay run\`, its start included, on ${packets.toLocaleString('en-US')} packets of 64 bytes.`,
      ],
      tables: [{ title: 'Whole runs', columns: ['Program', 'Engine', 'Seconds', 'Packets a second'], rows }],
      bars: [],
    };
  },
};
