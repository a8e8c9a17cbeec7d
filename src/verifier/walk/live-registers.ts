import type { Catalogue } from '../../abi/catalogue.ts';
import { type Instruction, slots } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';

/** Registers that some path from a pc on may read, as a bit mask; by pc. */
export type LiveRegisters = Uint16Array;

const CALLER_SAVED = 0b111111;
const ARGUMENTS = 0b111110;
const bit = (register: number): number => 1 << register;

/**
 * The classic backward data-flow analysis of liveness, over each function by itself: what a called function reads is
 * what its call passes.
 */
export function liveRegistersOf(program: Program, catalogue: Catalogue): LiveRegisters {
  const { instructions } = program;
  const count = instructions.length;
  const live = new Uint16Array(count + 2);
  const uses = new Uint16Array(count);
  const keeps = new Uint16Array(count).fill(0xffff);
  for (const [pc, instruction] of instructions.entries()) {
    if (instruction === undefined) continue;
    const { use, define } = effectsOf(instruction, program, catalogue);
    uses[pc] = use;
    keeps[pc] = ~define;
  }
  for (let changed = true; changed; ) {
    changed = false;
    for (let pc = count - 1; pc >= 0; pc--) {
      const instruction = instructions[pc];
      if (instruction === undefined) continue;
      const now = (liveAfter(live, pc, instruction) & keeps[pc]!) | uses[pc]!;
      if (now !== live[pc]) {
        live[pc] = now;
        changed = true;
      }
    }
  }
  return live;
}

function liveAfter(live: LiveRegisters, pc: number, instruction: Instruction): number {
  switch (instruction.kind) {
    case 'exit':
      return 0;
    case 'goto':
      return live[instruction.target]!;
    case 'jump':
    case 'may_goto':
      return live[pc + 1]! | live[instruction.target]!;
    default:
      return live[pc + slots(instruction)]!;
  }
}

interface Effects {
  readonly use: number;
  readonly define: number;
}

function effectsOf(instruction: Instruction, program: Program, catalogue: Catalogue): Effects {
  switch (instruction.kind) {
    case 'alu': {
      const source = 'reg' in instruction.src ? bit(instruction.src.reg) : 0;
      const isMove = instruction.op.startsWith('mov');
      return { use: isMove ? source : source | bit(instruction.dst), define: bit(instruction.dst) };
    }
    case 'endian':
      return { use: bit(instruction.dst), define: bit(instruction.dst) };
    case 'addr_space_cast':
    case 'load':
      return { use: bit(instruction.src), define: bit(instruction.dst) };
    case 'imm64':
      return { use: 0, define: bit(instruction.dst) };
    case 'store':
      return { use: bit(instruction.dst) | ('reg' in instruction.src ? bit(instruction.src.reg) : 0), define: 0 };
    case 'atomic':
      return atomicEffects(instruction);
    case 'packet':
      return { use: bit(6) | (instruction.mode === 'ind' ? bit(instruction.src) : 0), define: CALLER_SAVED };
    case 'jump':
      return { use: bit(instruction.dst) | ('reg' in instruction.src ? bit(instruction.src.reg) : 0), define: 0 };
    case 'call':
      return { use: argumentsOf(instruction, program, catalogue), define: CALLER_SAVED };
    case 'exit':
      return { use: bit(0), define: 0 };
    default:
      return { use: 0, define: 0 };
  }
}

function atomicEffects({ op, dst, src, fetch }: Extract<Instruction, { kind: 'atomic' }>): Effects {
  if (op === 'load_acq') return { use: bit(src), define: bit(dst) };
  if (op === 'cmpxchg') return { use: bit(dst) | bit(src) | bit(0), define: bit(0) };
  return { use: bit(dst) | bit(src), define: fetch ? bit(src) : 0 };
}

function argumentsOf(
  { target }: Extract<Instruction, { kind: 'call' }>,
  { kernelSymbols }: Program,
  { helpers, kfuncs }: Catalogue,
): number {
  const args =
    target.type === 'helper'
      ? helpers.get(target.id)?.prototype.args
      : target.type === 'kfunc'
        ? kfuncs.get(kernelSymbols[target.btfId]?.name ?? '')?.args
        : undefined;
  return args === undefined ? ARGUMENTS : ARGUMENTS & ((1 << (args.length + 1)) - 1);
}
