import type { Instruction } from '../../isa/instruction.ts';

/** Registers whose value is the same in every run, by number: a constant of at most 53 bits. */
export type Known = (number | undefined)[];

/** What is known after an instruction; `immediate` is the value of a 64-bit immediate. */
export function learn(known: Known, instruction: Instruction, immediate: (at: Instruction) => bigint): void {
  switch (instruction.kind) {
    case 'alu':
      known[instruction.dst] = sum(known, instruction);
      return;
    case 'imm64': {
      const value = immediate(instruction);
      known[instruction.dst] = value <= 0xffff_ffffn ? Number(value) : undefined;
      return;
    }
    case 'endian':
    case 'load':
    case 'addr_space_cast':
      known[instruction.dst] = undefined;
      return;
    case 'atomic':
      if (instruction.op === 'load_acq') known[instruction.dst] = undefined;
      else if (instruction.op === 'cmpxchg') known[0] = undefined;
      else if (instruction.fetch) known[instruction.src] = undefined;
      return;
    case 'packet':
      known[0] = undefined;
      return;
    case 'call':
      known[0] = undefined;
      if (instruction.target.type === 'local') known.fill(undefined, 1, 6);
      return;
  }
}

/** Copies, and sums that stay addresses. */
function sum(known: Known, { op, width, dst, src }: Instruction & { kind: 'alu' }): number | undefined {
  const second = 'reg' in src ? known[src.reg] : src.imm;
  if (width !== 64 || second === undefined) return undefined;
  if (op === 'mov') return second >= 0 ? second : undefined;
  const first = known[dst];
  if (op !== 'add' || first === undefined) return undefined;
  const result = first + second;
  return result >= 0 && result <= 0xffff_ffff ? result : undefined;
}
