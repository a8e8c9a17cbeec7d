import { type Command, Option } from 'commander';
import {
  catalogue,
  decodeProgram,
  type FactsSummary,
  type ObjectSpec,
  type ProgramSpec,
  type Report,
  readObjectFile,
  reportOf,
  reportText,
  selectProgram,
  stateLog,
  summariseFacts,
  verifyProgram,
} from '../index.ts';
import { EXIT } from './exit.ts';
import { type ObjectOptions, withObject } from './object.ts';
import { print, say } from './output.ts';
import { table } from './table.ts';

/** One line of `verify --format ndjson`; a stable shape. */
interface VerdictLine {
  readonly file: string;
  readonly program: string;
  readonly section: string;
  readonly type: string | null;
  readonly instructions: number;
  readonly verdict: 'accept' | 'reject';
  readonly pc: number | null;
  readonly code: string | null;
  readonly message: string | null;
}

interface Judgement {
  readonly line: VerdictLine;
  readonly report: Report | null;
  /** What is proved of a program that is accepted. */
  readonly facts: FactsSummary | null;
  /** Instructions followed over all paths. */
  readonly processed: number | null;
}

type Format = 'table' | 'ndjson' | 'json';

interface Options extends ObjectOptions {
  readonly program?: string;
  readonly type?: string;
  readonly format: Format;
  readonly log?: boolean;
}

export function addVerify(program: Command): void {
  withObject(program.command('verify').description('tell for each program whether Linux would take it, and why not'))
    .option('--program <name>', 'only this program')
    .option('--type <type>', "program type by libbpf's name, where the section does not say it")
    .addOption(new Option('--format <format>', 'what to print').choices(['table', 'ndjson', 'json']).default('table'))
    .option('--log', 'print each instruction that is followed and what it changes, for experts')
    .action((path: string, options: Options) => {
      const object = readObjectFile({ object: path, btf: options.btf });
      const programs = options.program === undefined ? object.programs : [selectProgram(object, options.program)];
      const judgements = programs.map((spec) => judge(path, object, spec, options.type));
      // Data on stdout stays data.
      const write = options.format === 'table' ? print : say;
      if (options.log === true) for (const spec of programs) writeLog(object, spec, options.type, write);
      PRINTERS[options.format](judgements);
      process.exitCode = judgements.every(({ line }) => line.verdict === 'accept') ? EXIT.done : EXIT.refused;
    });
}

const PRINTERS: Readonly<Record<Format, (judgements: readonly Judgement[]) => void>> = {
  table: (judgements) => {
    print(verdictTable(judgements.map(({ line }) => line)));
    for (const { report } of judgements) if (report !== null) print(`\n${reportText(report)}`);
  },
  ndjson: (judgements) => {
    for (const { line } of judgements) print(JSON.stringify(line));
  },
  json: (judgements) => {
    print(
      JSON.stringify(
        judgements.map(({ line, processed, report, facts }) => ({ ...line, processed, report, facts })),
        null,
        2,
      ),
    );
  },
};

function judge(file: string, object: ObjectSpec, spec: ProgramSpec, type: string | undefined): Judgement {
  const known = type ?? spec.type;
  const about = {
    file,
    program: spec.name,
    section: spec.section,
    type: known,
    instructions: spec.instructions.length / 8,
  };
  if (known === null) {
    const message = `section ${spec.section} names no program type; name it with --type`;
    const line: VerdictLine = { ...about, verdict: 'reject', pc: null, code: 'unknown-program-type', message };
    return { line, report: null, facts: null, processed: null };
  }
  const { program, verdict } = verifyProgram(object, spec, known);
  const processed = verdict.processed ?? null;
  if (verdict.accepted) {
    const facts = summariseFacts(program, verdict.facts, catalogue);
    return {
      line: { ...about, verdict: 'accept', pc: null, code: null, message: null },
      report: null,
      facts,
      processed,
    };
  }
  const { pc, code, message, help, line } = verdict.refusal;
  const source = line === null ? '' : ` (${line.file}:${line.line}: ${line.text.trim()})`;
  const told = `${message}${source}${help === null ? '' : `. ${help}`}`;
  return {
    line: { ...about, verdict: 'reject', pc, code, message: told },
    report: reportOf(program, catalogue, verdict.refusal),
    facts: null,
    processed,
  };
}

function writeLog(
  object: ObjectSpec,
  spec: ProgramSpec,
  type: string | undefined,
  write: (line: string) => void,
): void {
  if ((type ?? spec.type) === null) return;
  write(`${spec.name}:`);
  const program = decodeProgram(object, spec, type);
  verifyProgram(object, spec, type, { onState: stateLog(program, catalogue, write) });
}

function verdictTable(lines: readonly VerdictLine[]): string {
  return table([
    ['program', 'type', 'instructions', 'verdict', 'reason'],
    ...lines.map(({ program, type, instructions, verdict, pc, code, message }) => [
      program,
      type ?? '?',
      instructions,
      verdict,
      // What is followed by a report needs no sentence here.
      code === null ? '' : type === null ? `${code}: ${message}` : `${code}${pc === null ? '' : ` at ${pc}`}`,
    ]),
  ]);
}
