import type { Program } from '../../program/program.ts';
import type { BtfTarget } from '../state/register.ts';

const known = new WeakMap<Program, Map<string, BtfTarget>>();

/** A structure of the kernel by name, as large as the program's BTF says. One value for each, to be compared. */
export function kernelStruct(program: Program, name: string): BtfTarget {
  let targets = known.get(program);
  if (targets === undefined) known.set(program, (targets = new Map()));
  let target = targets.get(name);
  if (target === undefined) {
    const id = program.btf?.findByName(name, 'struct');
    const type = id === undefined ? undefined : program.btf!.typeById(id);
    target = { kind: 'btf', name, size: type?.kind === 'struct' ? type.size : 0 };
    targets.set(name, target);
  }
  return target;
}
