import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type ObjectSpec, type ProgramSpec, readObject, selectProgram, verifyProgram } from '../index.ts';
import { EXIT } from './exit.ts';
import { print } from './output.ts';
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

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('tell for each program whether Linux would take it, and why not')
    .argument('<object>', 'ELF object, or classic BPF as tcpdump -ddd prints it')
    .option('--program <name>', 'only this program')
    .option('--type <type>', "program type by libbpf's name, where the section does not say it")
    .addOption(new Option('--format <format>', 'what to print').choices(['table', 'ndjson']).default('table'))
    .action((path: string, options: { program?: string; type?: string; format: 'table' | 'ndjson' }) => {
      const object = readObject(readFileSync(path));
      const programs = options.program === undefined ? object.programs : [selectProgram(object, options.program)];
      const lines = programs.map((spec) => judge(path, object, spec, options.type));
      if (options.format === 'ndjson') for (const line of lines) print(JSON.stringify(line));
      else print(verdictTable(lines));
      process.exitCode = lines.every((line) => line.verdict === 'accept') ? EXIT.done : EXIT.refused;
    });
}

function judge(file: string, object: ObjectSpec, spec: ProgramSpec, type: string | undefined): VerdictLine {
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
    return { ...about, verdict: 'reject', pc: null, code: 'unknown-program-type', message };
  }
  const { verdict } = verifyProgram(object, spec, known);
  if (verdict.accepted) return { ...about, verdict: 'accept', pc: null, code: null, message: null };
  const { pc, code, message, help, line } = verdict.refusal;
  const source = line === null ? '' : ` (${line.file}:${line.line}: ${line.text.trim()})`;
  return { ...about, verdict: 'reject', pc, code, message: `${message}${source}${help === null ? '' : `. ${help}`}` };
}

function verdictTable(lines: readonly VerdictLine[]): string {
  return table([
    ['program', 'type', 'instructions', 'verdict', 'reason'],
    ...lines.map(({ program, type, instructions, verdict, pc, code, message }) => [
      program,
      type ?? '?',
      instructions,
      verdict,
      code === null ? '' : `${code}${pc === null ? '' : ` at ${pc}`}: ${message}`,
    ]),
  ]);
}
