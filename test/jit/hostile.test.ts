/** Programs made to break a translator give an answer, the interpreter's, or a limit in words; never a crash. */
import { describe, expect, it } from 'vitest';
import { Instance } from '../../src/engine/instance.ts';
import { encode } from '../../src/isa/codec.ts';
import type { Instruction, JumpOp } from '../../src/isa/instruction.ts';
import { objectOf } from '../../tools/fuzz/verifier-objects.ts';
import { differenceOfEngines, randomPackets } from './both-engines.ts';

const EXIT: Instruction = { kind: 'exit' };
const STORE: Instruction = { kind: 'store', size: 8, dst: 6, offset: -8, src: { imm: 1 } };
const CALL = (pc: number): Instruction => ({ kind: 'call', target: { type: 'local', pc } });
const set = (dst: number, imm: number): Instruction => ({ kind: 'alu', op: 'mov', width: 64, dst, src: { imm } });
const unless = (target: number, op: JumpOp = 'eq'): Instruction => ({ kind: 'jump', op, width: 64, dst: 0, src: { imm: 1 }, target }); // biome-ignore format: one line
const many = (count: number, make: (index: number) => Instruction) => Array.from({ length: count }, (_, i) => make(i));
const object = (instructions: readonly Instruction[]) =>
  objectOf({ type: 'xdp', bytes: Buffer.concat(instructions.map((instruction, pc) => encode(instruction, pc))) });

const WIDE = 60_000;
const DEEP = 15_000;
const options = { budget: 500_000 };

describe('hostile programs', () => {
  it.each<[string, () => readonly Instruction[]]>([
    ['200,000 instructions in a row', () => [...many(200_000, (i) => set(0, i)), EXIT]],
    ['30,000 ways to one place', () => [set(0, 0), ...many(30_000, () => unless(30_001)), EXIT]],
    ['60,000 places that several ways lead to', () => [set(0, 0), ...many(WIDE, (i) => unless(Math.min(i + 20_000, WIDE + 1))), EXIT]],
    ['15,000 loops in each other', () => [set(0, 0), ...many(DEEP, () => set(1, 0)), ...many(DEEP, (i) => unless(DEEP - i)), EXIT]],
    ['cycles with many ways in', () => [set(0, 0), unless(3), ...many(5000, (i) => unless(2 + ((i * 7919) % 5000), i % 2 === 0 ? 'ne' : 'eq')), EXIT]],
    ['2,000 functions, each within the last', () => many(4000, (i) => (i % 2 === 0 ? { kind: 'call', target: { type: 'local', pc: i + 2 } } : EXIT)).concat(set(0, 3), EXIT)],
  ])('%s', (_, make) => {
    expect(differenceOfEngines({ object: object(make()), packets: randomPackets(1, 1), options })).toBeUndefined();
  }); // biome-ignore format: a table

  it.each<[string, () => readonly Instruction[]]>([
    ['a function of more bytes than V8 takes', () => [...many(200_000, () => STORE), EXIT]],
    ['more blocks than V8 takes', () => [set(0, 0), ...many(100_000, (i) => unless(Math.min(i + 3, 100_001))), EXIT]],
    ['a million instructions', () => [...many(999_999, (i) => set(0, i)), EXIT]],
    ['10,000 functions', () => [...many(10_000, (i) => CALL(i + 2)), EXIT]],
  ])('%s: refused before the first packet, with what would help', (_, make) => {
    const refused = () => new Instance(object(make()), { verify: false, engine: 'jit' });
    expect(refused).toThrow(/fuzzed is too large to be translated .* --engine interpreter/);
  }); // biome-ignore format: a table

  it('what is too large for the JIT runs on the interpreter where nobody chose an engine', () => {
    const wide = object([set(0, 0), ...many(70_000, (i) => unless(Math.min(i + 2, 70_001))), EXIT]);
    const instance = new Instance(wide, { budget: 10 });
    const [packet] = randomPackets(1, 1);
    expect([instance.runPacket(packet!).error?.code, instance.generatedText]).toEqual(['budget', '']);
  });
});
