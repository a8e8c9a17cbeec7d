/** Each operation at the numbers where engines differ if they differ: results lie on the stack, which is compared. */
import { describe, expect, it } from 'vitest';
import { encode } from '../../src/isa/codec.ts';
import type { Instruction } from '../../src/isa/instruction.ts';
import { slots } from '../../src/isa/instruction.ts';
import { TABLE } from '../../src/isa/table.ts';
import { objectOf } from '../../tools/fuzz/verifier-objects.ts';
import { differenceOfEngines, randomPackets } from './both-engines.ts';

const VALUES = [0n, 1n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 31n, 2n ** 32n - 1n, 0x0123_4567_89ab_cdefn];
const IMMEDIATES = [0, 1, -1, 33, 63, 0x7fff_ffff, -0x8000_0000];
const PAIRS = VALUES.flatMap((one) => VALUES.map((other, index) => ({ one, other, imm: IMMEDIATES[index]! })));
/** As many as one frame's stack holds three words of. */
const BATCH = 20;

const load = (dst: number, value: bigint): Instruction => ({ kind: 'imm64', dst, value: { type: 'value', value } });
const store = (src: number, slot: number): Instruction => ({ kind: 'store', size: 8, dst: 10, offset: -8 * slot, src: { reg: src } }); // biome-ignore format: one line
const zero: Instruction = { kind: 'alu', op: 'mov', width: 64, dst: 0, src: { imm: 0 } };

const rows = TABLE.filter(({ read, select }) =>
  ['alu', 'endian', 'jump', 'atomic'].includes(read({ dst: 1, src: 2, off: 0, imm: 0, next: 0, ...select }, 0).kind),
);

function programOf(row: (typeof TABLE)[number], pairs: typeof PAIRS): Uint8Array {
  const parts: Uint8Array[] = [];
  let pc = 0;
  const add = (instruction: Instruction) => {
    parts.push(encode(instruction, pc));
    pc += slots(instruction);
  };
  for (const [index, { one, other, imm }] of pairs.entries()) {
    const slot = 3 * index + 1;
    for (const instruction of [load(1, one), load(2, other), load(0, other), store(1, slot)]) add(instruction);
    const fields = { dst: 1, src: 2, off: 1, imm, next: 0, ...row.select };
    const instruction = row.read(fields, pc);
    if (instruction.kind === 'atomic') {
      // The operand equals what is there for every second compare-and-exchange, and in its low half for others.
      const isLoad = instruction.op === 'load_acq';
      if (index % 2 === 0) add(load(0, one ^ (index % 4 === 0 ? 0n : 1n << 40n)));
      add({ ...instruction, [isLoad ? 'src' : 'dst']: 10, [isLoad ? 'dst' : 'src']: 2, offset: -8 * slot });
    } else add(instruction);
    if (instruction.kind === 'jump') add(zero);
    for (const result of [store(1, slot + (instruction.kind === 'atomic' ? 1 : 0)), store(2, slot + 1)]) add(result);
    add(store(0, slot + 2));
  }
  add(zero);
  add({ kind: 'exit' });
  return Buffer.concat(parts);
}

describe('operations at their edges', () => {
  it.each(rows.map((row) => [row.name, row] as const))('%s', (_, row) => {
    for (let start = 0; start < PAIRS.length; start += BATCH) {
      const object = objectOf({ type: 'xdp', bytes: programOf(row, PAIRS.slice(start, start + BATCH)) });
      expect(differenceOfEngines({ object, packets: randomPackets(1, 1) })).toBeUndefined();
    }
  });
});
