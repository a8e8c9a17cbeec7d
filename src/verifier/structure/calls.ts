import type { Catalogue } from '../../abi/catalogue.ts';
import { helperName } from '../../abi/helper-names.ts';
import type { Refusal } from '../../abi/verdict.ts';
import type { Program } from '../../program/program.ts';
import { OTHER_TYPES } from '../other-types.ts';
import { refuse } from '../refuse.ts';

/** Licences that Linux takes as compatible with the GPL (linux/license.h, Documentation/process/license-rules). */
const GPL_COMPATIBLE: ReadonlySet<string> = new Set([
  'GPL',
  'GPL v2',
  'GPL and additional rights',
  'Dual BSD/GPL',
  'Dual MIT/GPL',
  'Dual MPL/GPL',
]);

/** Why the instruction at `pc` is a call that cannot be made; undefined when it can, or is none. */
export function callFault(program: Program, catalogue: Catalogue, pc: number): Refusal | undefined {
  const instruction = program.instructions[pc];
  if (instruction?.kind !== 'call') return undefined;
  const { target } = instruction;
  if (target.type === 'register') {
    const help = 'Call functions by name; Linux takes no call through a register';
    return refuse(program, 'indirect-call', pc, `a call through r${target.reg}`, help);
  }
  return target.type === 'helper' ? helperFault(program, catalogue, pc, target.id) : undefined;
}

function helperFault(program: Program, catalogue: Catalogue, pc: number, id: number): Refusal | undefined {
  const name = helperName(id);
  if (name === undefined) {
    return refuse(program, 'unknown-helper', pc, `helper ${id} is called; there is none of that number`);
  }
  const prototype = catalogue.helpers.get(id)?.prototype;
  const types = prototype?.programTypes ?? [];
  const other = OTHER_TYPES[program.type]?.helpers.has(name) === true;
  if (types !== 'all' && !types.includes(program.type) && !other) {
    return refuse(program, 'helper-not-allowed', pc, `bpf_${name} is not for programs of type ${program.type}`);
  }
  if (prototype?.gplOnly === true && !GPL_COMPATIBLE.has(program.license)) {
    const message = `bpf_${name} is for programs under a licence compatible with the GPL; this one says "${program.license}"`;
    return refuse(program, 'helper-gpl-only', pc, message, 'State it: char _license[] SEC("license") = "GPL"');
  }
  return undefined;
}
