import type { Program } from '../../program/program.ts';
import type { BtfTarget } from './register.ts';

const known = new WeakMap<Program, Map<string, BtfTarget>>();

/** A structure of the kernel whose members are not known here. */
export const UNKNOWN_STRUCT: BtfTarget = { kind: 'btf', name: '', type: null };

/** What lies behind a pointer of the kernel's to no structure: any of it may be read, and none relied upon. */
export const UNTRUSTED_MEMORY: BtfTarget = { kind: 'btf', name: 'memory', type: null };

/** The BTF that describes the kernel's structures: what CO-RE was resolved against, so that offsets are its. */
export const kernelBtf = ({ targetBtf, btf }: Program) => targetBtf ?? btf;

/** A structure of the kernel by name, as that BTF has it. One value for each, to be compared. */
export function kernelStruct(program: Program, name: string): BtfTarget {
  if (name === '') return UNKNOWN_STRUCT;
  let targets = known.get(program);
  if (targets === undefined) known.set(program, (targets = new Map()));
  let target = targets.get(name);
  if (target === undefined) {
    target = { kind: 'btf', name, type: kernelBtf(program)?.findByName(name, 'struct') ?? null };
    targets.set(name, target);
  }
  return target;
}
