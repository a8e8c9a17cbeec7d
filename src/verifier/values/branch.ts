/** What a comparison decides, and what each of its outcomes teaches about both operands. */
import type { JumpOp, Width } from '../../isa/instruction.ts';
import { areDisjoint, exclude, isLess, keepLess, meet, type Order, SIGNED, UNSIGNED } from './order.ts';
import { load, type Scalar, settle } from './scalar.ts';
import { tnumAnd, tnumConst, tnumIntersect, tnumOr, tnumOverlaps, tnumSubreg, tnumWithSubreg } from './tnum.ts';
import { A, B, type Bank, putTnum, tnumAt, unbound } from './workbench.ts';

/** The operands where the outcome is possible; null where it is not. */
export type Refined = {
  readonly taken: readonly [Scalar, Scalar] | null;
  readonly fallThrough: readonly [Scalar, Scalar] | null;
};

/** Does `a op b` hold? Null where it depends. */
export function compare(op: JumpOp, width: Width, a: Scalar, b: Scalar): boolean | null {
  load(A, a);
  load(B, b);
  return RULES[op].decide(width);
}

/**
 * As `compare`, and the operands after each outcome. A decided comparison teaches nothing, as in Linux. `same`: both
 * are one register, of which Linux learns what it learns of either, although it could know better.
 */
export function refine(op: JumpOp, width: Width, a: Scalar, b: Scalar, same = false): Refined {
  const decided = compare(op, width, a, b);
  if (decided === true) return { taken: [a, b], fallThrough: null };
  if (decided === false) return { taken: null, fallThrough: [a, b] };
  return { taken: learn(op, width, a, b, true, same), fallThrough: learn(op, width, a, b, false, same) };
}

function learn(op: JumpOp, width: Width, a: Scalar, b: Scalar, holds: boolean, same: boolean): [Scalar, Scalar] {
  load(A, a);
  load(B, b);
  RULES[op].learn(width, holds);
  if (same) learnEqual(width, true);
  return [a.isConst ? a : settle(A), b.isConst ? b : settle(B)];
}

/** Both work on banks A and B. */
type Rule = {
  readonly decide: (width: Width) => boolean | null;
  readonly learn: (width: Width, holds: boolean) => void;
};

const RULES: Record<JumpOp, Rule> = {
  eq: { decide: decideEqual, learn: learnEqual },
  ne: {
    decide: (width) => negate(decideEqual(width)),
    learn: (width, holds) => learnEqual(width, !holds),
  },
  lt: less(UNSIGNED, A, B, true),
  le: less(UNSIGNED, A, B, false),
  gt: less(UNSIGNED, B, A, true),
  ge: less(UNSIGNED, B, A, false),
  slt: less(SIGNED, A, B, true),
  sle: less(SIGNED, A, B, false),
  sgt: less(SIGNED, B, A, true),
  sge: less(SIGNED, B, A, false),
  set: { decide: decideCommonBit, learn: learnCommonBit },
};

const negate = (answer: boolean | null): boolean | null => (answer === null ? null : !answer);

/** All ten comparisons of size are "small < big" or "small ≤ big", of which each is the other's opposite. */
function less(order: Record<Width, Order>, small: Bank, big: Bank, strictly: boolean): Rule {
  return {
    decide: (width) => isLess(order[width], small, big, strictly),
    learn: (width, holds) =>
      holds ? keepLess(order[width], small, big, strictly) : keepLess(order[width], big, small, !strictly),
  };
}

const bitsAt = (bank: Bank, width: Width) => (width === 64 ? tnumAt(bank) : tnumSubreg(tnumAt(bank)));

/** Equal numbers are equal in their low words, too: 64-bit operands may be told apart by those. */
function decideEqual(width: Width): boolean | null {
  const [a, b] = [bitsAt(A, width), bitsAt(B, width)];
  if (a.mask === 0n && b.mask === 0n) return a.value === b.value;
  if (!tnumOverlaps(a, b)) return false;
  if (areDisjoint(UNSIGNED[width], A, B) || areDisjoint(SIGNED[width], A, B)) return false;
  if (width === 64 && (areDisjoint(UNSIGNED[32], A, B) || areDisjoint(SIGNED[32], A, B))) return false;
  return null;
}

function learnEqual(width: Width, holds: boolean): void {
  if (holds) {
    meet(UNSIGNED[width], A, B);
    meet(SIGNED[width], A, B);
    const both = tnumIntersect(bitsAt(A, width), bitsAt(B, width));
    setBits(A, width, both);
    setBits(B, width, both);
    return;
  }
  const [other, constant] = operandAndConstant(width) ?? [];
  if (other === undefined || constant === undefined) return;
  exclude(UNSIGNED[width], other, constant);
  exclude(SIGNED[width], other, constant);
}

/** Decided by a constant on one side only. */
function decideCommonBit(width: Width): boolean | null {
  const [other, constant] = operandAndConstant(width) ?? [];
  if (other === undefined || constant === undefined) return null;
  const { value: bits } = bitsAt(constant, width);
  const { value, mask } = bitsAt(other, width);
  if ((value & bits) !== 0n) return true;
  return ((value | mask) & bits) === 0n ? false : null;
}

/**
 * No common bit: all of them are 0, and Linux forgets the bounds. Some common bit: it is known which only if there is
 * but one.
 */
function learnCommonBit(width: Width, holds: boolean): void {
  const [other, constant] = operandAndConstant(width) ?? [];
  if (other === undefined || constant === undefined) return;
  const { value: bits } = bitsAt(constant, width);
  if (!holds) {
    setBits(other, width, tnumAnd(bitsAt(other, width), tnumConst(~bits)));
    unbound(other);
  } else if ((bits & (bits - 1n)) === 0n) setBits(other, width, tnumOr(bitsAt(other, width), tnumConst(bits)));
}

/** The second operand if it is constant, else the first; and the other one. */
function operandAndConstant(width: Width): [other: Bank, constant: Bank] | null {
  if (bitsAt(B, width).mask === 0n) return [A, B];
  return bitsAt(A, width).mask === 0n ? [B, A] : null;
}

function setBits(bank: Bank, width: Width, bits: { readonly value: bigint; readonly mask: bigint }): void {
  putTnum(bank, width === 64 ? bits : tnumWithSubreg(tnumAt(bank), bits));
}
