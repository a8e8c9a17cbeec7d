import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../base/bytes.ts';
import { decode, encode } from './codec.ts';
import { anyInstruction, hex, unhex } from './instruction.arbitrary.ts';
import type { Instruction } from './instruction.ts';
import { TABLE } from './table.ts';

const PC = 1000;
/** Decodes bytes as they would at PC, where targets stay positive. */
const decodeAtPc = (bytes: Uint8Array) =>
  decode(concatBytes([new Uint8Array(PC * 8).map((_, i) => (i % 8 === 0 ? 0x95 : 0)), bytes])).slice(PC);

describe('decode and encode', () => {
  it('give back every instruction', () => {
    fc.assert(
      fc.property(anyInstruction(PC), (instruction) => {
        const decoded = decodeAtPc(encode(instruction, PC));
        expect(decoded[0]).toEqual(instruction);
        expect(decoded.length).toBe(instruction.kind === 'imm64' ? 2 : 1);
      }),
      { numRuns: 2000 },
    );
  });

  it('give back all bytes that are an instruction, and never throw', () => {
    const opcodes = TABLE.map((row) => row.opcode);
    const slot = fc
      .tuple(
        fc.oneof(fc.nat(255), fc.constantFrom(...opcodes)),
        fc.nat(255),
        fc.constantFrom(0, 1, 8, 16, 32, 0xffff, 0x1234),
        fc.oneof(fc.constantFrom(0, 1, 16, 32, 64, 0x100, 0xe1, 0xf1), fc.nat(0xffff_ffff)),
      )
      .map(([opcode, registers, off, imm]) => {
        const bytes = new Uint8Array(8);
        const view = new DataView(bytes.buffer);
        bytes.set([opcode, registers]);
        view.setUint16(2, off, true);
        view.setUint32(4, imm, true);
        return bytes;
      });
    fc.assert(
      fc.property(slot, (bytes) => {
        const [instruction] = decode(bytes[0] === 0x18 ? concatBytes([bytes, new Uint8Array(8)]) : bytes);
        if (instruction === undefined || instruction.kind === 'invalid') return;
        const expected = bytes[0] === 0x95 ? '9500000000000000' : hex(bytes); // the off of exit carries nothing
        expect(hex(encode(instruction, 0).subarray(0, 8))).toBe(expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('has one row for each identity', () => {
    const seen = TABLE.map((row) => `${row.opcode} ${JSON.stringify(row.select)}`);
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe('bytes that are no instruction', () => {
  // As Linux 6.18 answers BPF_PROG_LOAD for a program with that instruction on its path.
  it.each<[bytes: string, code: string]>([
    ['8c00000000000000', 'unknown-opcode'],
    ['df00000010000000', 'unknown-opcode'],
    ['9900000000000000', 'unknown-opcode'],
    ['9500000001000000', 'reserved-field'],
    ['3f01020000000000', 'reserved-field'],
    ['b710000000000000', 'reserved-field'],
    ['bc00200000000000', 'reserved-field'],
    ['0600010000000000', 'reserved-field'],
    ['e510000000000000', 'reserved-field'],
    ['db0af8ff02000000', 'reserved-field'],
    ['d30af8ff00000000', 'reserved-field'],
    ['d400000011000000', 'reserved-field'],
    ['8530000000000000', 'reserved-field'],
    ['8510010000000000', 'reserved-field'],
    ['1540000000000000', 'reserved-field'],
    ['1400010001000000', 'reserved-field'],
    ['8400010000000000', 'reserved-field'],
    ['8700000001000000', 'reserved-field'],
    ['7a1af8ff00000000', 'reserved-field'],
    ['7b0af8ff01000000', 'reserved-field'],
    ['79a0f8ff01000000', 'reserved-field'],
    ['1800010000000000 0000000000000000', 'reserved-field'],
    ['1870000000000000 0000000000000000', 'reserved-field'],
    ['1810000000000000 0000000001000000', 'reserved-field'],
    ['1800000000000000', 'incomplete-imm64'],
    ['1800000000000000 0001000000000000', 'incomplete-imm64'],
    ['b70b000000000000', 'bad-register'],
    ['bfb0000000000000', 'bad-register'],
    ['950000', 'misaligned-length'],
  ])('%s is %s', (bytes, code) => {
    expect(decode(unhex(bytes))[0]).toMatchObject({ kind: 'invalid', code });
  });

  it('says which field is wrong', () => {
    const message = (bytes: string) => (decode(unhex(bytes))[0] as Instruction & { kind: 'invalid' }).message;
    expect(message('b710000000000000')).toBe('mov64 has src_reg 1: that field is reserved and must be 0');
    expect(message('3f01020000000000')).toBe('div64 has off 2, which selects nothing; known are 0, 1');
    expect(message('b70b000000000000')).toBe('dst_reg names r11; the last register is r10');
  });
});

describe('what a field selects', () => {
  it.each<[bytes: string, instruction: object]>([
    ['3700010003000000', { kind: 'alu', op: 'sdiv', width: 64, dst: 0, src: { imm: 3 } }],
    ['bf10200000000000', { kind: 'alu', op: 'movsx32', width: 64, dst: 0, src: { reg: 1 } }],
    ['d700000010000000', { kind: 'endian', op: 'bswap', bits: 16, dst: 0 }],
    ['8510000002000000', { kind: 'call', target: { type: 'local', pc: 3 } }],
    ['8520010002000000', { kind: 'call', target: { type: 'kfunc', btfId: 2, offset: 1 } }],
    ['8d03000000000000', { kind: 'call', target: { type: 'register', reg: 3 } }],
    ['d30af8ff10010000', { kind: 'atomic', op: 'store_rel', size: 1, fetch: false, dst: 10, offset: -8, src: 0 }],
    ['bf21010001000000', { kind: 'addr_space_cast', dst: 1, src: 2, to: 0, from: 1 }],
    ['9500010000000000', { kind: 'exit' }],
    ['1820000005000000 000000000c000000', { kind: 'imm64', dst: 0, value: { type: 'map-value', map: 5, offset: 12 } }],
    ['18000000ffffffff 00000000ffffffff', { kind: 'imm64', dst: 0, value: { type: 'value', value: 2n ** 64n - 1n } }],
  ])('%s', (bytes, instruction) => expect(decode(unhex(bytes))[0]).toEqual(instruction));
});

describe('encode refuses', () => {
  it.each<[string, Instruction]>([
    ['goto: 32768 does not fit off', { kind: 'goto', target: 32769, long: false }],
    ['mov64: 4294967295 does not fit imm', { kind: 'alu', op: 'mov', width: 64, dst: 0, src: { imm: 0xffff_ffff } }],
    ['load: 11 does not fit dst_reg', { kind: 'load', size: 1, signed: false, dst: 11, src: 1, offset: 0 }],
    ['no encoding for load 8 true', { kind: 'load', size: 8, signed: true, dst: 0, src: 1, offset: 0 }],
    ['no encoding for invalid', { kind: 'invalid', code: 'x', message: 'y' }],
  ])('%s', (message, instruction) => expect(() => encode(instruction, 0)).toThrow(message));
});
