import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import type { VerdictAnswer } from '../../test/differential/oracle.ts';
import { compiler } from './build.ts';
import { failingPc } from './failing-pc.ts';
import type { Group, PeerObject } from './groups.ts';
import { ORACLE, RECORDED } from './places.ts';

/** What Linux says to a plain privileged load of one program, alone, by libbpf. */
export interface LinuxVerdict {
  readonly group: Group;
  readonly file: string;
  readonly program: string;
  readonly section: string;
  /** libbpf's name. */
  readonly type: string;
  readonly accepted: boolean;
  /** Errno's name; null when accepted. */
  readonly errno: string | null;
  /** Instruction at which a refused program was stopped; null when Linux does not say. */
  readonly pc: number | null;
  /** Slots of the linked program. */
  readonly instructions: number;
  /** Instructions that the verifier walked; null when it never began. */
  readonly processed: number | null;
  /** Microseconds in the verifier; null where it was not worth the record. */
  readonly microseconds: number | null;
}

const COLUMNS = ['group', 'file', 'program', 'section', 'type', 'accepted', 'errno', 'pc', 'instructions', 'processed', 'microseconds'] as const satisfies readonly (keyof LinuxVerdict)[]; // biome-ignore format: the order of a row
/** Below this the kernel's time is noise. */
const WORTH_TIMING = 1000;

/** One line of text a verdict, so that a change of one is a change of one line. */
interface Recording {
  readonly kernel: string;
  readonly compiler: string;
  /** Names of the words in a line. */
  readonly columns: string;
  readonly verdicts: readonly string[];
}

/** Linux's sentence on a refusal: shown, never recorded. */
export type Answer = LinuxVerdict & { readonly reason: string };

/** Asks the running kernel about each program of each object. */
export function askLinux(objects: readonly PeerObject[]): Answer[] {
  const byPath = new Map(objects.map((object) => [object.path, object]));
  const result = spawnSync(ORACLE, ['verdicts', ...byPath.keys()], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`the kernel cannot be asked: ${result.error?.message ?? result.stderr}`);
  return result.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as VerdictAnswer)
    .map((answer) => verdictOf(byPath.get(answer.file)!, answer));
}

function verdictOf(object: PeerObject, answer: VerdictAnswer): Answer {
  const { program, section = '', type = '', instructions = 0, processed = -1, ns = -1, reason } = answer;
  if (program === undefined) throw new Error(`libbpf does not open ${object.file}: ${answer.reason}`);
  const accepted = answer.verdict === 'accept';
  return {
    group: object.group,
    file: object.file,
    program,
    section,
    type,
    accepted,
    errno: answer.errno,
    pc: accepted ? null : failingPc(answer.insn ?? -1, reason),
    instructions,
    processed: processed < 0 ? null : processed,
    microseconds: processed >= WORTH_TIMING && ns >= 0 ? Math.round(ns / 1000) : null,
    reason,
  };
}

export function recordedVerdicts(): LinuxVerdict[] | undefined {
  if (!existsSync(RECORDED)) return undefined;
  const { columns, verdicts } = JSON.parse(readFileSync(RECORDED, 'utf8')) as Recording;
  const names = columns.split(' ');
  return verdicts.map((line) => {
    const words = line.split(' ');
    const values = names.map((name, i) => [name, TEXT.has(name) ? words[i] : JSON.parse(words[i]!)] as const);
    const verdict = Object.fromEntries(values) as unknown as LinuxVerdict;
    return { ...verdict, errno: verdict.accepted ? null : verdict.errno };
  });
}

/** Columns whose words are taken as they stand; the others are numbers, booleans or null. */
const TEXT: ReadonlySet<string> = new Set(['group', 'file', 'program', 'section', 'type', 'errno']);

export function recordVerdicts(verdicts: readonly LinuxVerdict[]): void {
  const lines = verdicts.map((verdict) => COLUMNS.map((name) => String(verdict[name])).join(' '));
  const recording: Recording = {
    kernel: release().replace(/-.*/, ''),
    compiler: compiler(),
    columns: COLUMNS.join(' '),
    verdicts: lines,
  };
  writeFileSync(RECORDED, `${JSON.stringify(recording, null, 2)}\n`);
}
