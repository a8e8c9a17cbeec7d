import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignUp, OutOfBounds, Reader } from './bytes.ts';
import { LoadError } from './errors.ts';
import { fnv1a64 } from './fnv.ts';
import { seededRandom } from './random.ts';

describe('fnv1a64', () => {
  it('gives the published values', () => {
    const of = (text: string) => fnv1a64(new TextEncoder().encode(text));
    expect(of('')).toBe('cbf29ce484222325');
    expect(of('a')).toBe('af63dc4c8601ec8c');
    expect(of('foobar')).toBe('85944171f73967e8');
  });

  it('equals the definition on 64-bit integers', () => {
    const reference = (bytes: Uint8Array) => {
      let hash = 0xcbf29ce484222325n;
      for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
      return hash.toString(16).padStart(16, '0');
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(fnv1a64(bytes)).toBe(reference(bytes));
      }),
    );
  });
});

describe('Reader', () => {
  const reader = new Reader(Uint8Array.of(1, 2, 3, 4, 0x61, 0));

  it('reads both byte orders', () => {
    expect(reader.u32(0)).toBe(0x04030201);
    expect(new Reader(reader.bytes, false).u32(0)).toBe(0x01020304);
    expect(reader.string(4)).toBe('a');
  });

  it.each([
    ['past the end', () => reader.u32(3)],
    ['before the start', () => reader.u8(-1)],
    ['at no number', () => reader.u8(Number.NaN)],
    ['an unterminated string', () => new Reader(Uint8Array.of(0x61)).string(0)],
  ])('refuses a read %s', (_, read) => expect(read).toThrow(OutOfBounds));
});

it('a seed replays its sequence', () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 5 }, () => random.u32());
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  const die = seededRandom(1);
  for (let i = 0; i < 1000; i++) expect(die.below(6)).toBeLessThan(6);
});

it('alignUp rounds up to a power of two', () => {
  expect([0, 1, 8, 9].map((n) => alignUp(n, 8))).toEqual([0, 8, 8, 16]);
});

it('a LoadError says what, where and what would help', () => {
  const error = new LoadError('string table is missing', {
    code: 'x',
    stage: 'elf',
    section: '.strtab',
    offset: 16,
    help: 'Compile again',
  });
  expect(error.message).toBe('elf: string table is missing in section .strtab at offset 0x10. Compile again');
});
