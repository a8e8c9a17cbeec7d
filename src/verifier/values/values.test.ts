import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AluOp, JumpOp, Width } from '../../isa/instruction.ts';
import { alu, endian } from './arithmetic.ts';
import { compare, refine } from './branch.ts';
import { coerceToSize, signExtend } from './coercion.ts';
import { fork } from './fork.ts';
import { equal, includes } from './relation.ts';
import { constant, type Scalar, signedRange, UNKNOWN, unsignedRange } from './scalar.ts';
import { type Tnum, tnumAdd, tnumContains, tnumMul, tnumOnlyBetween, tnumRange, tnumSub } from './tnum.ts';
import { holds, number64, record, recorded, scalarWithMember } from './values.arbitrary.ts';

const widths = [32, 64] as const;
const cut = (width: Width, number: bigint): bigint => BigInt.asUintN(width, number);
const sign = (width: Width, number: bigint): bigint => BigInt.asIntN(width, number);
const count = (width: Width, number: bigint): bigint => number % BigInt(width);

/** RFC 9669, section 4.1, of concrete numbers. */
const CONCRETE: Record<AluOp, (width: Width, a: bigint, b: bigint) => bigint> = {
  add: (_, a, b) => a + b,
  sub: (_, a, b) => a - b,
  mul: (_, a, b) => a * b,
  div: (w, a, b) => (cut(w, b) === 0n ? 0n : cut(w, a) / cut(w, b)),
  sdiv: (w, a, b) => (sign(w, b) === 0n ? 0n : sign(w, a) / sign(w, b)),
  mod: (w, a, b) => (cut(w, b) === 0n ? a : cut(w, a) % cut(w, b)),
  smod: (w, a, b) => (sign(w, b) === 0n ? a : sign(w, a) % sign(w, b)),
  and: (_, a, b) => a & b,
  or: (_, a, b) => a | b,
  xor: (_, a, b) => a ^ b,
  neg: (_, a) => -a,
  mov: (_, _a, b) => b,
  lsh: (w, a, b) => cut(w, a) << count(w, b),
  rsh: (w, a, b) => cut(w, a) >> count(w, b),
  arsh: (w, a, b) => sign(w, a) >> count(w, b),
  movsx8: (_, _a, b) => BigInt.asIntN(8, b),
  movsx16: (_, _a, b) => BigInt.asIntN(16, b),
  movsx32: (_, _a, b) => BigInt.asIntN(32, b),
};
const JUMPS: JumpOp[] = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'sgt', 'sge', 'slt', 'sle', 'set'];

describe('nothing that can happen is lost', () => {
  test.each(Object.keys(CONCRETE) as AluOp[])('%s', (op) => {
    fc.assert(
      fc.property(scalarWithMember, scalarWithMember, fc.constantFrom(...widths), (a, b, width) => {
        const result = alu(op, width, a.scalar, b.scalar);
        expect(result.contains(cut(width, CONCRETE[op](width, a.member, b.member)))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('shifts by each known count', () => {
    fc.assert(
      fc.property(
        scalarWithMember,
        fc.constantFrom('lsh', 'rsh', 'arsh'),
        fc.constantFrom(...widths),
        fc.nat(63),
        (a, op, width, by) => {
          if (by >= width) return;
          const result = alu(op as AluOp, width, a.scalar, constant(by));
          expect(result.contains(cut(width, CONCRETE[op as AluOp](width, a.member, BigInt(by))))).toBe(true);
        },
      ),
      { numRuns: 600 },
    );
  });

  test.each(JUMPS)('%s', (op) => {
    fc.assert(
      fc.property(scalarWithMember, scalarWithMember, fc.constantFrom(...widths), (a, b, width) => {
        const answer = holds(op, width, a.member, b.member);
        const decided = compare(op, width, a.scalar, b.scalar);
        if (decided !== null) expect(decided).toBe(answer);
        const { taken, fallThrough } = refine(op, width, a.scalar, b.scalar);
        const [first, second] = (answer ? taken : fallThrough)!;
        expect(first.contains(a.member)).toBe(true);
        expect(second.contains(b.member)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('sizes and byte orders', () => {
    fc.assert(
      fc.property(
        scalarWithMember,
        fc.constantFrom(1, 2, 4),
        fc.constantFrom(...widths),
        ({ scalar, member }, bytes, width) => {
          const [size, bits] = [bytes as 1 | 2 | 4, bytes * 8];
          expect(coerceToSize(scalar, size).contains(BigInt.asUintN(bits, member))).toBe(true);
          expect(signExtend(scalar, size, width).contains(cut(width, BigInt.asIntN(bits, member)))).toBe(true);
          const bytesOf = Buffer.alloc(8);
          bytesOf.writeBigUInt64LE(member);
          expect(endian('be', 32, scalar).contains(BigInt(bytesOf.readUInt32BE(0)))).toBe(true);
          expect(endian('bswap', 64, scalar).contains(bytesOf.readBigUInt64BE(0))).toBe(true);
          expect(endian('le', 16, scalar).contains(BigInt(bytesOf.readUInt16LE(0)))).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a walk in two covers what one walk would', () => {
    const dst = alu('arsh', 64, UNKNOWN, constant(63));
    const [ones, zero] = fork('and', dst, constant(0xff00))!;
    expect(alu('and', 64, ones, constant(0xff00)).value).toBe(0xff00n);
    expect(alu('and', 64, zero, constant(0xff00)).value).toBe(0n);
    expect(fork('xor', dst, constant(1))).toBeNull();
    expect(fork('and', UNKNOWN, constant(1))).toBeNull();
    const low = alu('arsh', 32, UNKNOWN, constant(31));
    expect(fork('or', low, constant(6))!.map((side) => alu('or', 32, side, constant(6)).value)).toEqual([
      0xffff_ffffn,
      6n,
    ]);
  });
});

describe('tristate numbers of four bits, all of them', () => {
  const all: Tnum[] = [];
  for (let mask = 0n; mask < 16n; mask++) {
    for (let value = 0n; value < 16n; value++) if ((value & mask) === 0n) all.push({ value, mask });
  }
  const numbers = Array.from({ length: 16 }, (_, number) => BigInt(number));
  const members = (a: { value: bigint; mask: bigint }) => numbers.filter((number) => tnumContains(a, number));

  test('add, sub and mul hold every result; add and sub are the best there is', () => {
    for (const a of all) {
      for (const b of all) {
        const results = { add: tnumAdd(a, b), sub: tnumSub(a, b), mul: tnumMul(a, b) };
        let [and, or] = [
          { add: ~0n, sub: ~0n },
          { add: 0n, sub: 0n },
        ];
        for (const x of members(a)) {
          for (const y of members(b)) {
            const exact = { add: x + y, sub: BigInt.asUintN(64, x - y) };
            and = { add: and.add & exact.add, sub: and.sub & exact.sub };
            or = { add: or.add | exact.add, sub: or.sub | exact.sub };
            if (!tnumContains(results.mul, x * y)) throw new Error(`${x} * ${y}`);
          }
        }
        for (const op of ['add', 'sub'] as const) {
          if (results[op].value !== and[op] || results[op].mask !== (and[op] ^ or[op])) throw new Error(op);
        }
      }
    }
  });

  test('the only number between bounds', () => {
    for (const a of all) {
      for (const min of members(a).filter((number) => number !== (a.value | a.mask))) {
        for (const max of numbers.filter((number) => number >= min)) {
          const between = members(a).filter((number) => number >= min && number <= max);
          expect(tnumOnlyBetween(a, min, max)).toBe(between.length === 1 ? between[0] : null);
        }
      }
    }
    expect(tnumRange(5n, 7n)).toEqual({ value: 4n, mask: 3n });
  });
});

test('Linux 6.18 answers the same', () => {
  const text = readFileSync(new URL('linux-6.18.golden.ndjson', import.meta.url), 'utf8');
  const rows = text.trimEnd().split('\n');
  expect(rows.length).toBeGreaterThan(500);
  const pair = (sides: readonly [Scalar, Scalar] | null) => sides?.map(record) ?? null;
  for (const row of rows) {
    const [kind, op, width, first, second, ...answer] = JSON.parse(row);
    const [a, b] = [recorded(first), recorded(second)];
    if (kind === 'alu') expect([row, record(alu(op, width, a, b))]).toEqual([row, ...answer]);
    else {
      const { taken, fallThrough } = refine(op, width, a, b);
      expect([row, pair(taken), pair(fallThrough)]).toEqual([row, ...answer]);
    }
  }
});

describe('what pruning asks', () => {
  test('a range includes its parts, not the other way round', () => {
    expect(includes(unsignedRange(0n, 100n), unsignedRange(5n, 99n))).toBe(true);
    expect(includes(unsignedRange(5n, 99n), unsignedRange(0n, 100n))).toBe(false);
    expect(includes(signedRange(-5n, 5n), constant(-5))).toBe(true);
    expect(includes(alu('lsh', 64, unsignedRange(0n, 9n), constant(2)), constant(6))).toBe(false);
    expect(includes(UNKNOWN, constant(2n ** 63n))).toBe(true);
  });

  test('what includes stands for every member', () => {
    fc.assert(
      fc.property(scalarWithMember, scalarWithMember, (a, b) => {
        if (includes(a.scalar, b.scalar)) expect(a.scalar.contains(b.member)).toBe(true);
        expect(equal(a.scalar, b.scalar)).toBe(record(a.scalar) === record(b.scalar));
      }),
    );
  });

  test('small constants exist once', () => {
    fc.assert(
      fc.property(number64, (number) => {
        expect(constant(number).value).toBe(number);
      }),
    );
    expect(alu('add', 64, constant(7), constant(-9))).toBe(constant(-2));
    expect(alu('add', 32, constant(7), constant(-9)).value).toBe(0xffff_fffen);
  });
});
