/** Scalars for tests: with members to hold them to, and as a recorded text. */
import fc from 'fast-check';
import { alu } from './arithmetic.ts';
import { refine } from './branch.ts';
import { equal } from './relation.ts';
import { constant, Scalar, UNKNOWN } from './scalar.ts';
import { A, put, putTnum, S32MAX, S32MIN, SMAX, SMIN, s32, U32MAX, U32MIN, UMAX, UMIN, u32 } from './workbench.ts';

/** Numbers near the places where ranges wrap, and any others. */
export const number64 = fc
  .oneof(
    fc.bigInt({ min: -300n, max: 300n }),
    fc
      .tuple(fc.constantFrom(7n, 8n, 15n, 16n, 31n, 32n, 33n, 62n, 63n, 64n), fc.bigInt({ min: -3n, max: 3n }))
      .map(([bit, near]) => (1n << bit) + near),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  )
  .map((number) => BigInt.asUintN(64, number));

export type Member = { readonly scalar: Scalar; readonly member: bigint };

/** An abstract number and a concrete one that it stands for: knowledge gained step by step that holds for the member. */
export const scalarWithMember: fc.Arbitrary<Member> = fc
  .tuple(
    number64,
    fc.array(
      fc.tuple(fc.constantFrom('gt', 'sgt', 'lt', 'slt', 'ne', 'set', 'exact'), fc.constantFrom(32, 64), number64),
      { maxLength: 5 },
    ),
  )
  .map(([member, steps]) => {
    let scalar = UNKNOWN;
    for (const [what, width, number] of steps) {
      if (what === 'exact') {
        // Knowing the bits outside a mask: what is left after clearing, setting and adding back.
        const known = alu('and', 64, constant(member), constant(~number));
        const rest = alu('and', 64, scalar, constant(number));
        scalar = alu('or', 64, rest, known);
      } else {
        const { taken, fallThrough } = refine(what as 'gt', width as 64, scalar, constant(number));
        for (const side of [taken, fallThrough])
          if (side?.[0].contains(member) && holds(what, width, member, number) === (side === taken)) scalar = side[0];
      }
    }
    return { scalar, member };
  });

/** `a op b` of concrete numbers. */
export function holds(op: string, width: number, a: bigint, b: bigint): boolean {
  const [ua, ub, sa, sb] = [
    BigInt.asUintN(width, a),
    BigInt.asUintN(width, b),
    BigInt.asIntN(width, a),
    BigInt.asIntN(width, b),
  ];
  const answers: Record<string, boolean> = {
    eq: ua === ub,
    ne: ua !== ub,
    gt: ua > ub,
    ge: ua >= ub,
    lt: ua < ub,
    le: ua <= ub,
    sgt: sa > sb,
    sge: sa >= sb,
    slt: sa < sb,
    sle: sa <= sb,
    set: (ua & ub) !== 0n,
  };
  return answers[op]!;
}

/** What is recorded: `?` for anything, a constant, or value, mask, umin, umax, smin, smax and the four bounds of 32 bits. */
export function recorded(text: string): Scalar {
  if (text === '?') return UNKNOWN;
  const [value, mask, umin, umax, smin, smax, ...narrow] = text.split(' ').map(BigInt);
  if (mask === undefined) return constant(value!);
  putTnum(A, { value: value!, mask });
  put(A + UMIN, umin!);
  put(A + UMAX, umax!);
  put(A + SMIN, smin!);
  put(A + SMAX, smax!);
  u32[A + U32MIN] = Number(narrow[0]);
  u32[A + U32MAX] = Number(narrow[1]);
  s32[A + S32MIN] = Number(narrow[2]);
  s32[A + S32MAX] = Number(narrow[3]);
  return new Scalar(A);
}

export function record(scalar: Scalar): string {
  if (equal(scalar, UNKNOWN)) return '?';
  if (scalar.isConst && scalar.umin === scalar.umax) return `${scalar.value}`;
  const { tnum, umin, umax, smin, smax, u32min, u32max, s32min, s32max } = scalar;
  return [tnum.value, tnum.mask, umin, umax, smin, smax, u32min, u32max, s32min, s32max].join(' ');
}
