import { NETWORKING, type PeerObject } from './groups.ts';
import type { LinuxVerdict } from './linux.ts';
import { askOurs, type OurVerdict } from './ours.ts';

export interface Comparison {
  readonly linux: LinuxVerdict;
  readonly ours: OurVerdict;
}

export type Agreement = 'agrees' | 'false accept' | 'false refusal';

export function agreement({ linux, ours }: Comparison): Agreement {
  if (linux.accepted === ours.accepted) return 'agrees';
  return ours.accepted ? 'false accept' : 'false refusal';
}

/** Both refuse, Linux names an instruction, and we name another or none. */
export const pcDiffers = ({ linux, ours }: Comparison): boolean =>
  !linux.accepted && !ours.accepted && linux.pc !== null && linux.pc !== ours.pc;

/** Both count and the counts are more than a quarter apart; only above 1,000, as small programs say little. */
export const countDiffers = ({ linux, ours }: Comparison): boolean =>
  linux.accepted && ours.accepted && linux.processed !== null && ours.processed !== null && linux.processed > 1000 &&
  Math.abs(ours.processed / linux.processed - 1) > 0.25; // biome-ignore format: one condition a line

/** `file/program`, unique in the suite. */
export const nameOf = ({ file, program }: { readonly file: string; readonly program: string }): string =>
  `${file.replace(/\.o$/, '')}/${program}`;

/** Our verdict beside each of Linux's whose object is here. */
export function compare(verdicts: readonly LinuxVerdict[], objects: readonly PeerObject[]): Comparison[] {
  const byFile = Map.groupBy(verdicts, ({ group, file }) => `${group}/${file}`);
  return objects.flatMap((object) => {
    const ask = askOurs(object);
    const theirs = byFile.get(`${object.group}/${object.file}`) ?? [];
    return theirs.map((linux) => ({ linux, ours: ask(linux.program, linux.type) }));
  });
}

export interface Figures {
  readonly programs: number;
  readonly agree: number;
  readonly falseAccepts: number;
  readonly falseRefusals: number;
  readonly crashes: number;
  /** Refusals of both sides where Linux names an instruction. */
  readonly refusals: number;
  readonly samePc: number;
}

export function figures(comparisons: readonly Comparison[]): Figures {
  const count = (holds: (comparison: Comparison) => boolean) => comparisons.filter(holds).length;
  const refusals = count(({ linux, ours }) => !linux.accepted && !ours.accepted && linux.pc !== null);
  return {
    programs: comparisons.length,
    agree: count((one) => agreement(one) === 'agrees'),
    falseAccepts: count((one) => agreement(one) === 'false accept'),
    falseRefusals: count((one) => agreement(one) === 'false refusal'),
    crashes: count(({ ours }) => ours.code === 'crash'),
    refusals,
    samePc: refusals - count(pcDiffers),
  };
}

/** The small programs of the types that the project promises; the figures are about these. */
export const counts = ({ linux }: Comparison): boolean => linux.group === 'selftests' && NETWORKING.has(linux.type);
