import type { Command } from 'commander';
import {
  decode,
  disassemble,
  Instance,
  namesOf,
  type ObjectSpec,
  type ProgramSpec,
  readObjectFile,
  selectProgram,
} from '../index.ts';
import { type ObjectOptions, withObject } from './object.ts';
import { print } from './output.ts';

export function addDisasm(program: Command): void {
  withObject(program.command('disasm').description("print a program's instructions in the kernel's syntax"))
    .option('--program <name>', 'only this program')
    .option('--source', 'show the source lines between them')
    .option('--wasm', 'print the WebAssembly that --engine jit makes of them')
    .action((path: string, options: ObjectOptions & { program?: string; source?: boolean; wasm?: boolean }) => {
      const object = readObjectFile({ object: path, btf: options.btf });
      const programs = options.program === undefined ? object.programs : [selectProgram(object, options.program)];
      const text = (spec: ProgramSpec) =>
        options.wasm === true ? generated(object, spec) : listing(object, spec, options.source === true);
      print(programs.map(text).join('\n\n'));
    });
}

/** Whether or not the verifier would take it. */
function generated(object: ObjectSpec, { name }: ProgramSpec): string {
  return `; ${name}\n${new Instance(object, { program: name, engine: 'jit', verify: false }).generatedText}`;
}

function listing(object: ObjectSpec, spec: ProgramSpec, source: boolean): string {
  const names = namesOf(object);
  const functions = new Map(spec.functions.map((each) => [each.start, each]));
  const sources = new Map(source ? spec.lines.map((line) => [line.pc, line]) : []);
  const text: string[] = [];
  for (const [pc, instruction] of decode(spec.instructions).entries()) {
    const start = functions.get(pc);
    if (start !== undefined) text.push(`${start.name}: ; ${start.section}`);
    const line = sources.get(pc);
    if (line !== undefined) text.push(`; ${line.file}:${line.line}  ${line.text.trim()}`);
    if (instruction !== undefined) text.push(`${String(pc).padStart(6)}: ${disassemble(instruction, pc, names)}`);
  }
  return text.join('\n');
}
