import { describe, expect, it } from 'vitest';
import { helperName } from '../../abi/helper-names.ts';
import { catalogue } from '../../engine/catalogue.ts';
import { mapSpecOf } from '../../engine/testing.ts';
import { decode } from '../../isa/codec.ts';
import { type Program, programFromAssembly } from '../../program/program.ts';
import { REFUSAL_CODES } from '../refuse.ts';
import { verify } from '../verify.ts';

const maps = [mapSpecOf({ name: 'counters', type: 2, maxEntries: 1 }), mapSpecOf({ name: 'flows', type: 1 })];

function program(text: string, options: { license?: string; type?: string } = {}): Program {
  const helper = (id: number) => `bpf_${helperName(id)}`;
  return programFromAssembly(text, { type: 'xdp', maps, helper, ...options });
}

/** `code at pc`, or `accept`. */
function judge(subject: Program): string {
  const verdict = verify(subject, catalogue);
  return verdict.accepted ? 'accept' : `${verdict.refusal.code} at ${verdict.refusal.pc}`;
}

/** A program of raw bytes: what no assembler writes. */
function raw(hex: string): Program {
  const bytes = Uint8Array.fromHex(hex.replaceAll(' ', ''));
  const base = program('r0 = 0\nexit');
  const instructions = decode(bytes);
  return { ...base, bytes, instructions, functions: [{ ...base.functions[0]!, length: instructions.length }] };
}

const EXIT = '9500000000000000';

describe('the structure of a program', () => {
  it.each([
    ['the smallest program', 'r0 = 0\nexit', 'accept'],
    ['a loop', 'r0 = 10\nl: r0 += -1\nif r0 != 0 goto l\nexit', 'accept'],
    ['a fall off the end', 'r0 = 0\nr1 = 0', 'falls-through at 1'],
    ['a jump past the end', 'if r1 == 0 goto +5\nr0 = 0\nexit', 'bad-jump at 0'],
    ['a jump before the start', 'r0 = 0\ngoto -5\nexit', 'bad-jump at 1'],
    ['a jump into a 64-bit immediate', 'if r1 == 0 goto +1\nr0 = 5 ll\nexit', 'bad-jump at 0'],
    ['code that nothing reaches', 'r0 = 0\ngoto +1\nr0 = 1\nexit', 'unreachable-instruction at 2'],
    ['a write to the frame pointer', 'r10 = 0\nr0 = 0\nexit', 'frame-pointer-write at 0'],
    ['a load into the frame pointer', 'r10 = *(u32 *)(r1 + 0)\nr0 = 0\nexit', 'frame-pointer-write at 0'],
    ['division by the constant 0', 'r0 = 1\nr0 /= 0\nexit', 'division-by-zero at 1'],
    ['a shift by 64', 'r0 = 1\nr0 <<= 64\nexit', 'bad-shift at 1'],
    ['a shift of 32 bits by 32', 'w0 = 1\nw0 >>= 32\nexit', 'bad-shift at 1'],
    ['a helper of another type', 'r1 = 0\ncall bpf_skb_load_bytes\nexit', 'helper-not-allowed at 1'],
    ['a helper that is none', 'call 9999\nexit', 'unknown-helper at 0'],
    ['a call through a register', 'r2 = 5\ncallx r2\nexit', 'indirect-call at 1'],
    ['recursion', 'call f\nexit\nf: call g\nexit\ng: call f\nexit', 'recursion at 4'],
    ['a function that calls the program', 'call f\nexit\nf: call pc-3\nexit', 'recursion at 2'],
    ['a map that is not there', 'r1 = map[7] ll\nr0 = 0\nexit', 'bad-map at 0'],
    ['the value of a hash', 'r1 = map[flows][0]+0 ll\nr0 = 0\nexit', 'bad-map-value at 0'],
    ['a byte behind the value', 'r1 = map[counters][0]+8 ll\nr0 = 0\nexit', 'bad-map-value at 0'],
  ])('%s', (_, text, verdict) => expect(judge(program(text))).toBe(verdict));

  it.each([
    ['an unknown opcode', `ff00000000000000 ${EXIT}`, 'unknown-opcode at 0'],
    ['a reserved field', `b700010000000000 ${EXIT}`, 'reserved-field at 0'],
    ['register 11', `b70b000000000000 ${EXIT}`, 'bad-register at 0'],
    ['half an immediate', `b700000000000000 1800000000000000`, 'falls-through at 1'],
    ['no instruction', '', 'no-instructions at null'],
  ])('%s', (_, hex, verdict) => expect(judge(raw(hex))).toBe(verdict));

  it('a GPL-only helper asks for the licence', () => {
    const text = 'r1 = r10\nr1 += -8\n*(u64 *)(r10 - 8) = 0\nr2 = 8\ncall bpf_trace_printk\nr0 = 0\nexit';
    expect(judge(program(text))).toBe('accept');
    expect(judge(program(text, { license: 'Proprietary' }))).toBe('helper-gpl-only at 4');
  });

  it('a refusal says what would help', () => {
    const verdict = verify(program('r0 = 1\nr0 <<= 64\nexit'), catalogue);
    expect(verdict).toMatchObject({ refusal: { message: 'a shift by 64 of 64 bits', help: 'Shift by 0 to 63' } });
  });

  it('each code has a meaning', () => {
    for (const [code, meaning] of Object.entries(REFUSAL_CODES)) {
      expect(code).toMatch(/^[a-z0-9-]+$/);
      expect(meaning.length).toBeGreaterThan(10);
    }
  });
});
