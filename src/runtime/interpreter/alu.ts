import type { AluOp, JumpOp, Width } from '../../isa/instruction.ts';
import type { Registers } from '../call/registers.ts';

/** Carries out one instruction and gives the pc that comes next; −1 ends the program. */
export type Step = () => number;

type AluRule = (d: number, s: number, next: number) => Step;
type JumpRule = (d: number, s: number, next: number, target: number) => Step;

/** RFC 9669, section 4.1. A store into `r` keeps the low 64 bits. */
export function alu64({ r, s: signed, w, sw }: Registers): Record<AluOp, AluRule> {
  return {
    add: (d, s, next) => () => ((r[d] = r[d]! + r[s]!), next),
    sub: (d, s, next) => () => ((r[d] = r[d]! - r[s]!), next),
    mul: (d, s, next) => () => ((r[d] = r[d]! * r[s]!), next),
    // Division by zero gives 0, modulo by zero leaves the dividend; the smallest integer divided by −1 is itself.
    div: (d, s, next) => () => ((r[d] = r[s] === 0n ? 0n : r[d]! / r[s]!), next),
    sdiv: (d, s, next) => () => ((signed[d] = signed[s] === 0n ? 0n : signed[d]! / signed[s]!), next),
    mod: (d, s, next) => () => ((r[d] = r[s] === 0n ? r[d]! : r[d]! % r[s]!), next),
    smod: (d, s, next) => () => ((signed[d] = signed[s] === 0n ? signed[d]! : signed[d]! % signed[s]!), next),
    or: (d, s, next) => () => ((r[d] = r[d]! | r[s]!), next),
    and: (d, s, next) => () => ((r[d] = r[d]! & r[s]!), next),
    xor: (d, s, next) => () => ((r[d] = r[d]! ^ r[s]!), next),
    // Shifts use the low 6 bits of the count.
    lsh: (d, s, next) => () => ((r[d] = r[d]! << (r[s]! & 63n)), next),
    rsh: (d, s, next) => () => ((r[d] = r[d]! >> (r[s]! & 63n)), next),
    arsh: (d, s, next) => () => ((signed[d] = signed[d]! >> (r[s]! & 63n)), next),
    neg: (d, _, next) => () => ((r[d] = -r[d]!), next),
    mov: (d, s, next) => () => ((r[d] = r[s]!), next),
    movsx8: (d, s, next) => () => ((signed[d] = BigInt((w[2 * s]! << 24) >> 24)), next),
    movsx16: (d, s, next) => () => ((signed[d] = BigInt((w[2 * s]! << 16) >> 16)), next),
    movsx32: (d, s, next) => () => ((signed[d] = BigInt(sw[2 * s]!)), next),
  };
}

/** RFC 9669, section 4.1: the low halves; the high half of the result is zero. */
export function alu32({ w, sw }: Registers): Record<AluOp, AluRule> {
  return {
    add: (d, s, next) => () => ((w[2 * d] = w[2 * d]! + w[2 * s]!), (w[2 * d + 1] = 0), next),
    sub: (d, s, next) => () => ((w[2 * d] = w[2 * d]! - w[2 * s]!), (w[2 * d + 1] = 0), next),
    mul: (d, s, next) => () => ((w[2 * d] = Math.imul(w[2 * d]!, w[2 * s]!)), (w[2 * d + 1] = 0), next),
    div: (d, s, next) => () => ((w[2 * d] = w[2 * s] === 0 ? 0 : w[2 * d]! / w[2 * s]!), (w[2 * d + 1] = 0), next),
    sdiv: (d, s, next) => () => ((w[2 * d] = w[2 * s] === 0 ? 0 : sw[2 * d]! / sw[2 * s]!), (w[2 * d + 1] = 0), next),
    mod: (d, s, next) => () => (
      (w[2 * d] = w[2 * s] === 0 ? w[2 * d]! : w[2 * d]! % w[2 * s]!), (w[2 * d + 1] = 0), next
    ),
    smod: (d, s, next) => () => (
      (w[2 * d] = w[2 * s] === 0 ? w[2 * d]! : sw[2 * d]! % sw[2 * s]!), (w[2 * d + 1] = 0), next
    ),
    or: (d, s, next) => () => ((w[2 * d] = w[2 * d]! | w[2 * s]!), (w[2 * d + 1] = 0), next),
    and: (d, s, next) => () => ((w[2 * d] = w[2 * d]! & w[2 * s]!), (w[2 * d + 1] = 0), next),
    xor: (d, s, next) => () => ((w[2 * d] = w[2 * d]! ^ w[2 * s]!), (w[2 * d + 1] = 0), next),
    // JavaScript's shifts use the low 5 bits of the count, as section 4.1 asks.
    lsh: (d, s, next) => () => ((w[2 * d] = w[2 * d]! << w[2 * s]!), (w[2 * d + 1] = 0), next),
    rsh: (d, s, next) => () => ((w[2 * d] = w[2 * d]! >>> w[2 * s]!), (w[2 * d + 1] = 0), next),
    arsh: (d, s, next) => () => ((w[2 * d] = sw[2 * d]! >> w[2 * s]!), (w[2 * d + 1] = 0), next),
    neg: (d, _, next) => () => ((w[2 * d] = -w[2 * d]!), (w[2 * d + 1] = 0), next),
    mov: (d, s, next) => () => ((w[2 * d] = w[2 * s]!), (w[2 * d + 1] = 0), next),
    movsx8: (d, s, next) => () => ((w[2 * d] = (w[2 * s]! << 24) >> 24), (w[2 * d + 1] = 0), next),
    movsx16: (d, s, next) => () => ((w[2 * d] = (w[2 * s]! << 16) >> 16), (w[2 * d + 1] = 0), next),
    movsx32: (d, s, next) => () => ((w[2 * d] = w[2 * s]!), (w[2 * d + 1] = 0), next),
  };
}

/** RFC 9669, section 4.2: byte order. `le` on a little-endian machine only cuts to the width. */
export function endian(
  { r, w }: Registers,
  op: 'le' | 'be' | 'bswap',
  bits: 16 | 32 | 64,
): (d: number, next: number) => Step {
  const swap16 = (x: number) => ((x & 0xff) << 8) | ((x >>> 8) & 0xff);
  const swap32 = (x: number) => (swap16(x) << 16) | swap16(x >>> 16);
  const low = (value: (x: number) => number) => (d: number, next: number) => () => {
    w[2 * d] = value(w[2 * d]!);
    w[2 * d + 1] = 0;
    return next;
  };
  if (op === 'le') {
    if (bits === 64) return (d, next) => () => ((r[d] = r[d]!), next);
    return low(bits === 16 ? (x) => x & 0xffff : (x) => x);
  }
  if (bits === 16) return low(swap16);
  if (bits === 32) return low(swap32);
  return (d, next) => () => {
    const high = swap32(w[2 * d]!);
    w[2 * d] = swap32(w[2 * d + 1]!);
    w[2 * d + 1] = high;
    return next;
  };
}

/** RFC 9669, section 4.3. */
export function jump(registers: Registers, width: Width): Record<JumpOp, JumpRule> {
  const { r, s: signed, w, sw } = registers;
  if (width === 64) {
    return {
      eq: (d, s, next, target) => () => (r[d]! === r[s]! ? target : next),
      ne: (d, s, next, target) => () => (r[d]! !== r[s]! ? target : next),
      gt: (d, s, next, target) => () => (r[d]! > r[s]! ? target : next),
      ge: (d, s, next, target) => () => (r[d]! >= r[s]! ? target : next),
      lt: (d, s, next, target) => () => (r[d]! < r[s]! ? target : next),
      le: (d, s, next, target) => () => (r[d]! <= r[s]! ? target : next),
      set: (d, s, next, target) => () =>
        (w[2 * d]! & w[2 * s]!) !== 0 || (w[2 * d + 1]! & w[2 * s + 1]!) !== 0 ? target : next,
      sgt: (d, s, next, target) => () => (signed[d]! > signed[s]! ? target : next),
      sge: (d, s, next, target) => () => (signed[d]! >= signed[s]! ? target : next),
      slt: (d, s, next, target) => () => (signed[d]! < signed[s]! ? target : next),
      sle: (d, s, next, target) => () => (signed[d]! <= signed[s]! ? target : next),
    };
  }
  return {
    eq: (d, s, next, target) => () => (w[2 * d]! === w[2 * s]! ? target : next),
    ne: (d, s, next, target) => () => (w[2 * d]! !== w[2 * s]! ? target : next),
    gt: (d, s, next, target) => () => (w[2 * d]! > w[2 * s]! ? target : next),
    ge: (d, s, next, target) => () => (w[2 * d]! >= w[2 * s]! ? target : next),
    lt: (d, s, next, target) => () => (w[2 * d]! < w[2 * s]! ? target : next),
    le: (d, s, next, target) => () => (w[2 * d]! <= w[2 * s]! ? target : next),
    set: (d, s, next, target) => () => ((w[2 * d]! & w[2 * s]!) !== 0 ? target : next),
    sgt: (d, s, next, target) => () => (sw[2 * d]! > sw[2 * s]! ? target : next),
    sge: (d, s, next, target) => () => (sw[2 * d]! >= sw[2 * s]! ? target : next),
    slt: (d, s, next, target) => () => (sw[2 * d]! < sw[2 * s]! ? target : next),
    sle: (d, s, next, target) => () => (sw[2 * d]! <= sw[2 * s]! ? target : next),
  };
}
