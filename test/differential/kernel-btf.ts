import { readFileSync } from 'node:fs';
import { type Btf, parseBtf } from '../../src/object/btf/btf.ts';

let kernel: Btf | undefined;

/** Number of a function in the running kernel's BTF. */
export function kernelFunction(name: string): number {
  kernel ??= parseBtf(readFileSync('/sys/kernel/btf/vmlinux'));
  const id = kernel.findByName(name, 'func');
  if (id === undefined) throw new Error(`the running kernel has no function ${name} in its BTF`);
  return id;
}
