import { type Random, seededRandom } from '../../src/base/random.ts';
import { encode } from '../../src/isa/codec.ts';
import { type Instruction, slots } from '../../src/isa/instruction.ts';
import { TABLE } from '../../src/isa/table.ts';

/** Helpers that every program can call: map lookup, update, delete, clock, random, processor, bpf_loop; one there is not. */
const HELPERS = [1, 2, 3, 5, 7, 8, 12, 181, 181];
const LENGTH = 40;

/**
 * Any instructions in any order, as no compiler would write them: jumps lead into loops, behind the end and into the
 * middle of immediates, functions run into each other, registers hold what they happen to hold. Most accesses are to
 * the stack, so that programs live for a while.
 */
export function anyProgram(seed: number): Uint8Array {
  const random = seededRandom(seed);
  const parts = [encode({ kind: 'alu', op: 'mov', width: 64, dst: 6, src: { reg: 1 } }, 0)];
  let pc = 1;
  while (pc < LENGTH) {
    const instruction = anyInstruction(random, pc);
    parts.push(encode(instruction, pc));
    pc += slots(instruction);
  }
  return Buffer.concat([...parts, encode({ kind: 'exit' }, pc)]);
}

const pick = <T>(random: Random, items: readonly T[]): T => items[random.below(items.length)]!;

function anyInstruction(random: Random, pc: number): Instruction {
  const number = () => pick(random, [0, 1, -1, 2, 31, 32, 63, -128, 0x7fffffff, -0x80000000, random.u32() | 0]);
  for (;;) {
    const row = pick(random, TABLE);
    const fields = { dst: random.below(10), src: random.below(11), off: 0, imm: number(), next: number() };
    const instruction = row.read({ ...fields, ...row.select }, pc);
    const target = pc + 1 + random.below(14) - 6;
    switch (instruction.kind) {
      case 'goto':
      case 'jump':
      case 'may_goto':
        return { ...instruction, target: random.below(40) === 0 ? pc + 1000 : target };
      case 'load':
        if (random.below(20) > 0) return { ...instruction, src: 10, offset: -8 * (1 + random.below(8)) };
        return { ...instruction, src: 6, offset: random.below(16) };
      case 'store':
      case 'atomic': {
        const isLoad = instruction.kind === 'atomic' && instruction.op === 'load_acq';
        if (random.below(20) === 0) return instruction;
        return { ...instruction, [isLoad ? 'src' : 'dst']: 10, offset: -8 * (1 + random.below(8)) };
      }
      case 'call': {
        if (instruction.target.type === 'kfunc') continue;
        if (instruction.target.type === 'local')
          return { kind: 'call', target: { type: 'local', pc: Math.max(0, target) } };
        if (instruction.target.type === 'register') return instruction;
        return { kind: 'call', target: { type: 'helper', id: pick(random, HELPERS) } };
      }
      case 'imm64': {
        const { value } = instruction;
        if (value.type === 'value') return instruction;
        if (random.below(2) === 0) return { ...instruction, value: { type: 'function', pc: Math.max(0, target) } };
        return { ...instruction, value: { type: 'map', map: random.below(4) } };
      }
      case 'exit':
        if (random.below(3) > 0) continue;
        return instruction;
      default:
        return instruction;
    }
  }
}
