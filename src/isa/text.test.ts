import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LoadError } from '../base/errors.ts';
import { assemble } from './assemble.ts';
import { decode, encode } from './codec.ts';
import { disassemble, disassembleTokens } from './disassemble.ts';
import { anyInstruction, hex } from './instruction.arbitrary.ts';
import type { Instruction } from './instruction.ts';
import type { Names } from './syntax.ts';

const HELPERS: Record<number, string> = { 1: 'bpf_map_lookup_elem', 12: 'bpf_tail_call' };
const names: Names = {
  helper: (id) => HELPERS[id],
  map: (index) => ['counters', '.rodata', 'flows'][index],
  kfunc: (index) => ['bpf_xdp_metadata_rx_hash'][index],
};

/** Slots of 8 bytes as hex. */
const bytesOf = (text: string) => hex(assemble(text, names)).replace(/.{16}(?=.)/g, '$& ');
const textOf = (text: string) =>
  decode(assemble(text, names)).flatMap((instruction, pc) =>
    instruction === undefined ? [] : [disassemble(instruction, pc, names)],
  );
const errorOf = (text: string): LoadError => {
  try {
    assemble(text, names);
  } catch (error) {
    if (error instanceof LoadError) return error;
    throw error;
  }
  throw new Error(`no error for ${text}`);
};

describe('assemble and disassemble', () => {
  it.each([
    ['with names', names],
    ['without names', {}],
  ] as const)('give back every instruction, %s', (_, resolver) => {
    fc.assert(
      fc.property(anyInstruction(0), (instruction) => {
        const text = disassemble(instruction, 0, resolver);
        expect([text, hex(assemble(text, resolver))]).toEqual([text, hex(encode(instruction, 0))]);
        expect(decode(assemble(text, resolver))[0]).toEqual(instruction);
      }),
      { numRuns: 1500 },
    );
  });

  it('never throws anything but a LoadError, whatever the text', () => {
    const piece = fc.constantFrom(
      'r0', 'w1', 'r11', '=', '+=', 's/=', '*(', 'u32', ' *)', '(', ')', '-', '+', '4', '0x', 'goto', 'if', 'call', 'map[',
      ']', 'll', 'x:', ',', 'lock', 'atomic_fetch_add', 'cmpxchg_64', '99999999999999999999', '#', '\n', ' ', 'pc',
    ); // biome-ignore format: a list
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece).map((all) => all.join('')),
          fc.string(),
        ),
        (text) => {
          try {
            assemble(text, names);
          } catch (error) {
            expect(error).toBeInstanceOf(LoadError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('bytes are those that clang 19 assembles', () => {
  // Each text is our canonical form; the bytes are what `clang -target bpf -mcpu=v4 -c` makes of the same text.
  it.each([
    ['r0 = 1', 'b700000001000000'],
    ['w0 = 1', 'b400000001000000'],
    ['r1 = r2', 'bf21000000000000'],
    ['w1 = w2', 'bc21000000000000'],
    ['r1 += 5', '0701000005000000'],
    ['w1 += w2', '0c21000000000000'],
    ['r1 s/= r2', '3f21010000000000'],
    ['w1 s/= 7', '3401010007000000'],
    ['r1 s%= r2', '9f21010000000000'],
    ['w1 %= w2', '9c21000000000000'],
    ['r1 <<= 3', '6701000003000000'],
    ['w1 s>>= 3', 'c401000003000000'],
    ['r1 s>>= r2', 'cf21000000000000'],
    ['r1 >>= r2', '7f21000000000000'],
    ['r1 ^= r2', 'af21000000000000'],
    ['r1 |= r2', '4f21000000000000'],
    ['r1 &= -1', '57010000ffffffff'],
    ['r1 = -r1', '8701000000000000'],
    ['w1 = -w1', '8401000000000000'],
    ['r0 = (s8)r1', 'bf10080000000000'],
    ['r0 = (s16)r1', 'bf10100000000000'],
    ['r0 = (s32)r1', 'bf10200000000000'],
    ['w0 = (s8)w1', 'bc10080000000000'],
    ['w0 = (s16)w1', 'bc10100000000000'],
    ['r1 = be16 r1', 'dc01000010000000'],
    ['r1 = le32 r1', 'd401000020000000'],
    ['r1 = be64 r1', 'dc01000040000000'],
    ['r1 = bswap16 r1', 'd701000010000000'],
    ['r1 = bswap32 r1', 'd701000020000000'],
    ['r1 = bswap64 r1', 'd701000040000000'],
    ['r1 = 0x1234 ll', '1801000034120000 0000000000000000'],
    ['r1 = 0xffffffffffffffff ll', '18010000ffffffff 00000000ffffffff'],
    ['r0 = *(u8 *)(r1 + 4)', '7110040000000000'],
    ['r0 = *(u16 *)(r1 - 4)', '6910fcff00000000'],
    ['r0 = *(u32 *)(r1 + 0)', '6110000000000000'],
    ['r0 = *(u64 *)(r1 + 4)', '7910040000000000'],
    ['r0 = *(s8 *)(r1 - 1)', '9110ffff00000000'],
    ['r0 = *(s16 *)(r1 + 4)', '8910040000000000'],
    ['r0 = *(s32 *)(r1 + 4)', '8110040000000000'],
    ['*(u8 *)(r1 + 4) = r2', '7321040000000000'],
    ['*(u64 *)(r1 + 4) = r2', '7b21040000000000'],
    ['*(u32 *)(r1 + 4) = 7', '6201040007000000'],
    ['*(u64 *)(r10 - 8) = -7', '7a0af8fff9ffffff'],
    ['lock *(u64 *)(r1 + 0) += r2', 'db21000000000000'],
    ['lock *(u32 *)(r1 + 0) += w2', 'c321000000000000'],
    ['lock *(u64 *)(r1 + 0) |= r2', 'db21000040000000'],
    ['lock *(u64 *)(r1 + 0) &= r2', 'db21000050000000'],
    ['lock *(u64 *)(r1 + 0) ^= r2', 'db210000a0000000'],
    ['r2 = atomic_fetch_add((u64 *)(r1 + 0), r2)', 'db21000001000000'],
    ['w2 = atomic_fetch_add((u32 *)(r1 + 0), w2)', 'c321000001000000'],
    ['r2 = atomic_fetch_or((u64 *)(r1 + 0), r2)', 'db21000041000000'],
    ['r2 = atomic_fetch_and((u64 *)(r1 + 0), r2)', 'db21000051000000'],
    ['r2 = atomic_fetch_xor((u64 *)(r1 + 0), r2)', 'db210000a1000000'],
    ['r0 = cmpxchg_64(r1 + 0, r0, r2)', 'db210000f1000000'],
    ['w0 = cmpxchg32_32(r1 + 0, w0, w2)', 'c3210000f1000000'],
    ['r2 = xchg_64(r1 + 0, r2)', 'db210000e1000000'],
    ['w2 = xchg32_32(r1 + 0, w2)', 'c3210000e1000000'],
    ['if r1 > r2 goto +3', '2d21030000000000'],
    ['if r1 s< 7 goto +1', 'c501010007000000'],
    ['if w1 s< 7 goto +1', 'c601010007000000'],
    ['if w1 != w2 goto +1', '5e21010000000000'],
    ['if r1 & 8 goto +1', '4501010008000000'],
    ['if r1 == -1 goto -3', '1501fdffffffffff'],
    ['if w1 s>= w2 goto +1', '7e21010000000000'],
    ['if r1 <= 305419896 goto +1', 'b501010078563412'],
    ['goto +1', '0500010000000000'],
    ['goto -2', '0500feff00000000'],
    ['gotol +5', '0600000005000000'],
    ['call bpf_tail_call', '850000000c000000'],
    ['call bpf_map_lookup_elem', '8500000001000000'],
    ['callx r3', '8d03000000000000'],
    ['exit', '9500000000000000'],
    ['r0 = *(u8 *)skb[14]', '300000000e000000'],
    ['r0 = *(u16 *)skb[r2]', '4820000000000000'],
    ['r0 = *(u32 *)skb[r2]', '4020000000000000'],
    ['r0 = *(u32 *)skb[-4096]', '2000000000f0ffff'],
    ['may_goto +3', 'e500030000000000'],
    ['r1 = addr_space_cast(r2, 0, 1)', 'bf21010001000000'],
  ])('%s', (text, bytes) => {
    expect(bytesOf(text)).toBe(bytes);
    expect(textOf(text)).toEqual([text]);
  });
});

describe('forms that clang 19 has no syntax for', () => {
  it.each([
    ['r0 = *(u16 *)skb[r2 + 4]', '4820000004000000'],
    ['r1 = map[2] ll', '1811000002000000 0000000000000000', 'r1 = map[flows] ll'],
    ['r1 = map[.rodata][0]+16 ll', '1821000001000000 0000000010000000'],
    ['r1 = map_idx[3] ll', '1851000003000000 0000000000000000'],
    ['r1 = map_idx[3][0]+4 ll', '1861000003000000 0000000004000000'],
    ['r1 = ksym[7] ll', '1831000007000000 0000000000000000'],
    ['r1 = subprog[+5] ll', '1841000005000000 0000000000000000'],
    ['call pc+3', '8510000003000000'],
    ['call pc-1', '85100000ffffffff'],
    ['call kfunc[5]', '8520000005000000'],
    ['call kfunc[bpf_xdp_metadata_rx_hash]+1', '8520010000000000'],
    ['call bpf_tail_call', '850000000c000000'],
    ['w0 = load_acquire((u8 *)(r1 + 4))', 'd310040000010000'],
    ['r0 = load_acquire((u64 *)(r1 - 8))', 'db10f8ff00010000'],
    ['store_release((u16 *)(r10 - 8), w2)', 'cb2af8ff10010000'],
  ])('%s', (text, bytes, canonical = text) => {
    expect(bytesOf(text)).toBe(bytes);
    expect(textOf(text)).toEqual([canonical]);
  });
});

describe('other spellings', () => {
  it.each([
    ['r1=*(u8*)(r2+1)', 'r1 = *(u8 *)(r2 + 1)'],
    ['w1 = *(u8 *)(r2 + 0x1)', 'r1 = *(u8 *)(r2 + 1)'],
    ['r1 = *(u32 *)(r2 +4)', 'r1 = *(u32 *)(r2 + 4)'],
    ['*(u64 *)(fp - 8) = -1', '*(u64 *)(r10 - 8) = -1'],
    ['*(u8 *)(r1 + 4) = w2', '*(u8 *)(r1 + 4) = r2'],
    ['R1 += 0xffffffff', 'r1 += -1'],
    ['r1 = -1 ll', 'r1 = 0xffffffffffffffff ll'],
    ['r1 = map[counters]', 'r1 = map[counters] ll'],
    ['if r1 s< 0x7 goto pc+3', 'if r1 s< 7 goto +3'],
    ['if (w1 == w2) goto -0x2', 'if w1 == w2 goto -2'],
    ['goto 3', 'goto +3'],
    ['gotol +0x5 <.text+0x258>', 'gotol +5'],
    ['may_goto pc+3', 'may_goto +3'],
    ['r0 = *(u32 *)skb[r2 + 0]', 'r0 = *(u32 *)skb[r2]'],
    ['call bpf_tail_call#12', 'call bpf_tail_call'],
    ['call tail_call', 'call bpf_tail_call'],
    ['call unknown#200', 'call 200'],
    ['lock *(u32 *)(r1 +0) += r2', 'lock *(u32 *)(r1 + 0) += w2'],
    ['r2 = atomic64_fetch_or((u64 *)(r1 +0), r2)', 'r2 = atomic_fetch_or((u64 *)(r1 + 0), r2)'],
    ['r2 = atomic_xchg((u32 *)(r1 +0), r2)', 'w2 = xchg32_32(r1 + 0, w2)'],
    ['r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)', 'r0 = cmpxchg_64(r1 + 0, r0, r2)'],
    ['7: (b7) r0 = 1', 'r0 = 1'],
    ['3: (18) r1 = 0x1234', 'r1 = 0x1234 ll'],
    ['      59:\t2d 21 03 00 00 00 00 00\tif r1 > r2 goto +0x3 <.text+0x1f8>', 'if r1 > r2 goto +3'],
    ['r0 = 1 // one', 'r0 = 1'],
    ['r0 = 1 ; one', 'r0 = 1'],
    ['r0 = 1 # one', 'r0 = 1'],
  ])('%s', (text, canonical) => expect(textOf(text)).toEqual([canonical]));
});

it('resolves labels forward and back, over the two slots of a 64-bit immediate', () => {
  const program = `
    start:  r1 = 1 ll          // two slots
            if w0 s< 7 goto done
    again: twice: r2 = subprog[sub]
            call sub
            goto again
    done:   exit
    sub:
            gotol start
  `;
  expect(textOf(program)).toEqual([
    'r1 = 0x1 ll',
    'if w0 s< 7 goto +4',
    'r2 = subprog[+4] ll',
    'call pc+2',
    'goto -4',
    'exit',
    'gotol -9',
  ]);
});

describe('errors name the line', () => {
  it.each<[text: string, code: string, message: string]>([
    ['r0 = 0\nr1 = r11', 'bad-operand', 'assemble: there is no register r11; the last is r10 in line 2'],
    ['goto nowhere', 'unknown-label', 'assemble: there is no label nowhere in line 1'],
    ['a:\nexit\na: exit', 'duplicate-label', 'assemble: the label a is there already in line 3'],
    ['call bpf_nothing', 'unknown-name', 'assemble: there is no label or helper named bpf_nothing in line 1'],
    ['r1 = map[none] ll', 'unknown-name', 'assemble: there is no map named none in line 1'],
    ['r1 = w2', 'bad-operand', 'assemble: w2 has 32 bits where 64 are needed in line 1'],
    ['r1 = -r2', 'bad-operand', 'assemble: r1 and r2 must be the same register in line 1'],
    ['r1 = 0x100000000', 'bad-operand', 'assemble: 0x100000000 does not fit 32 bits in line 1'],
    [
      'r1 = *(u8 *)(r2 + 40000)',
      'field-out-of-range',
      'assemble: load: 40000 does not fit off, which holds -32768 to 32767 in line 1',
    ],
    ['w1 = (s32)w2', 'bad-operand', 'assemble: a move to 32 bits sign-extends from s8 or s16 in line 1'],
    [
      'r1 = *(s64 *)(r2 + 0)',
      'bad-operand',
      'assemble: there is no sign-extending load of 64 bits: write u64 in line 1',
    ],
    ['lock *(u8 *)(r1 + 0) += w2', 'bad-operand', 'assemble: the type here is u32, u64, not u8 in line 1'],
    ['r1 = = 2', 'bad-syntax', 'assemble: cannot read "r1 = = 2" in line 1'],
    ['.globl foo', 'bad-syntax', 'assemble: cannot read ".globl foo" in line 1'],
  ])('%j', (text, code, message) => {
    const error = errorOf(text);
    expect(error.message).toContain(message);
    expect(error.detail).toMatchObject({ code, stage: 'assemble', line: text.split('\n').length });
  });
});

it('what is no instruction says why', () => {
  expect(disassemble({ kind: 'invalid', code: 'unknown-opcode', message: 'opcode 0x8c is no instruction' }, 0)).toBe(
    '.invalid unknown-opcode: opcode 0x8c is no instruction',
  );
});

it('tokens tell what to style', () => {
  const tokens = (instruction: Instruction) =>
    disassembleTokens(instruction, 0, names).map(({ kind, text }) => `${kind}:${text}`);
  expect(tokens({ kind: 'jump', op: 'sgt', width: 32, dst: 1, src: { imm: 5 }, target: 4 })).toEqual([
    'mnemonic:if', 'text: ', 'register:w1', 'text: ', 'mnemonic:s>', 'text: ', 'number:5', 'text: ', 'mnemonic:goto', 'text: ',
    'label:+3',
  ]); // biome-ignore format: a list
  expect(tokens({ kind: 'load', size: 2, signed: true, dst: 0, src: 10, offset: -8 })).toEqual([
    'register:r0', 'text: = *(', 'type:s16', 'text: *)(', 'register:r10', 'text: ', 'number:- 8', 'text:)',
  ]); // biome-ignore format: a list
  expect(tokens({ kind: 'call', target: { type: 'helper', id: 12 } })).toEqual([
    'mnemonic:call',
    'text: ',
    'name:bpf_tail_call',
  ]);
});
