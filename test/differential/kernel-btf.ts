import { readFileSync } from 'node:fs';
import type { Instruction } from '../../src/isa/instruction.ts';
import { type Btf, parseBtf } from '../../src/object/btf/btf.ts';
import type { Program } from '../../src/program/program.ts';

let kernel: Btf | undefined;

/** Number of a function in the running kernel's BTF. */
function kernelFunction(name: string): number {
  kernel ??= parseBtf(readFileSync('/sys/kernel/btf/vmlinux'));
  const id = kernel.findByName(name, 'func');
  if (id === undefined) throw new Error(`the running kernel has no function ${name} in its BTF`);
  return id;
}

/** A program's bytes for the running kernel: kernel functions, called or named, by their numbers there. */
export function forKernel({ bytes, instructions, kernelSymbols }: Program): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (const [pc, instruction] of instructions.entries()) {
    const index = instruction === undefined ? undefined : symbolOf(instruction);
    if (index !== undefined) view.setInt32(pc * 8 + 4, kernelFunction(kernelSymbols[index]!.name), true);
  }
  return copy;
}

function symbolOf(instruction: Instruction): number | undefined {
  if (instruction.kind === 'imm64') return instruction.value.type === 'ksym' ? instruction.value.btfId : undefined;
  return instruction.kind === 'call' && instruction.target.type === 'kfunc' ? instruction.target.btfId : undefined;
}
