import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import {
  decode,
  disassemble,
  helperName,
  type ObjectSpec,
  type ProgramSpec,
  readObject,
  selectProgram,
} from '../index.ts';
import { print } from './output.ts';

export function addDisasm(program: Command): void {
  program
    .command('disasm')
    .description("print a program's instructions in the kernel's syntax")
    .argument('<object>', 'ELF object, or classic BPF as tcpdump -ddd prints it')
    .option('--program <name>', 'only this program')
    .option('--source', 'show the source lines between them')
    .action((path: string, options: { program?: string; source?: boolean }) => {
      const object = readObject(readFileSync(path));
      const programs = options.program === undefined ? object.programs : [selectProgram(object, options.program)];
      print(programs.map((spec) => listing(object, spec, options.source === true)).join('\n\n'));
    });
}

function listing(object: ObjectSpec, spec: ProgramSpec, source: boolean): string {
  const names = {
    helper: (id: number) => {
      const name = helperName(id);
      return name === undefined ? undefined : `bpf_${name}`;
    },
    map: (index: number) => object.maps[index]?.name,
    kfunc: (index: number) => object.kernelSymbols[index]?.name,
  };
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
