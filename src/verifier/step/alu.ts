import type { AluOp, Instruction, Width } from '../../isa/instruction.ts';
import { describeKind } from '../report/words.ts';
import {
  ANYTHING,
  constantRegister,
  DELTA,
  DELTA32,
  DELTAS,
  isPointer,
  linked,
  type Register,
  scalarRegister,
  signedMax,
  unlinked,
  unsignedMax,
  widthOf,
  withValue,
} from '../state/register.ts';
import { alu } from '../values/arithmetic.ts';
import { signExtend, zeroExtend32 } from '../values/coercion.ts';
import { fork } from '../values/fork.ts';
import { constant, type Scalar } from '../values/scalar.ts';
import { markPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';
import { movePointer } from './pointer-arithmetic.ts';

type Alu = Extract<Instruction, { kind: 'alu' }>;

const EXTENDED_BYTES: { readonly [Op in AluOp]?: 1 | 2 | 4 } = { movsx8: 1, movsx16: 2, movsx32: 4 };

/** Whether a register was written; the refusal otherwise. */
export function readable(v: Verification, index: number): boolean {
  if (v.register(index).kind !== 'unset') return true;
  return v.refuse(
    'uninitialised-register',
    `r${index} is read and was never written on this path`,
    index >= 1 && index <= 5
      ? `Calls clobber r1 to r5: keep what you need in r6 to r9 or on the stack`
      : `Give r${index} a value on every path that leads here`,
  );
}

export function stepAlu(v: Verification, instruction: Alu): boolean {
  const { op, dst, src, width } = instruction;
  if ('reg' in src && !readable(v, src.reg)) return false;
  if (op.startsWith('mov')) return move(v, instruction);
  if (!readable(v, dst)) return false;
  const target = v.register(dst);
  if (op === 'neg')
    return v.set(dst, target.kind === 'scalar' ? scalarRegister(alu(op, width, target.value, target.value)) : ANYTHING);
  const operand = 'reg' in src ? v.register(src.reg) : constantRegister(src.imm);
  if (isPointer(target)) return stepPointer(v, instruction, target, operand);
  if (isPointer(operand)) {
    markPrecise(v, dst);
    return movePointer(v, instruction, operand, target, true);
  }
  const chosen = fork(op, target.value, operand.value);
  if (chosen !== null) {
    const zero = v.fork(v.pc);
    if (zero === undefined) return false;
    zero.frame.registers[dst] = scalarRegister(chosen[1]);
    return v.set(dst, combine(op, width, scalarRegister(chosen[0]), operand));
  }
  return v.set(dst, combine(op, width, target, operand));
}

function stepPointer(v: Verification, instruction: Alu, target: Register, operand: Register): boolean {
  const { op, dst, src } = instruction;
  if (!isPointer(operand)) {
    if ('reg' in src) markPrecise(v, src.reg);
    return movePointer(v, instruction, target, operand, false);
  }
  // The distance of two pointers is a number; anything else made of two is meaningless.
  if (op === 'sub') return v.set(dst, ANYTHING);
  return v.refuse(
    'pointer-arithmetic',
    `r${dst} (${describeKind(target)}) ${op} r${'reg' in src ? src.reg : 0} (${describeKind(operand)}): of two pointers only the difference can be taken`,
  );
}

function combine(op: AluOp, width: Width, target: Register, operand: Register): Register {
  const value = alu(op, width, target.value, operand.value);
  const delta = target.id === 0 || (target.flags & DELTAS) !== 0 ? null : deltaOf(op, width, target, operand.value);
  if (delta === null) return scalarRegister(value);
  return linked(scalarRegister(value), target.id, delta, width === 64 ? DELTA : DELTA32);
}

/** Numbers a constant apart stay linked, where the constant has 32 bits; null where not. A second constant ends it. */
function deltaOf(op: AluOp, width: Width, target: Register, { isConst, valueLow, valueHigh }: Scalar): number | null {
  if ((op !== 'add' && op !== 'sub') || !isConst) return null;
  if (width === 64 ? valueHigh !== valueLow >> 31 : widthOf(target) > 32) return null;
  if (op === 'add') return valueLow;
  return valueLow === -0x8000_0000 ? null : 0 - valueLow;
}

function move(v: Verification, { op, dst, src, width }: Alu): boolean {
  if ('imm' in src) {
    const value = constant(src.imm);
    return v.set(dst, scalarRegister(width === 64 ? value : zeroExtend32(value)));
  }
  const bytes = EXTENDED_BYTES[op];
  let source = v.register(src.reg);
  if (source.kind !== 'scalar') {
    // Half a pointer is a number of which nothing is known.
    if (width === 64) return v.set(dst, bytes === undefined ? source : ANYTHING);
    return v.set(dst, scalarRegister(zeroExtend32(ANYTHING.value)));
  }
  if (width === 64 && bytes === undefined) {
    source = named(v, source, src.reg);
    return v.set(dst, source);
  }
  if (bytes !== undefined) return v.set(dst, extended(v, source, src.reg, bytes, width));
  if (unsignedMax(source.value) > 0xffff_ffff) return v.set(dst, scalarRegister(zeroExtend32(source.value)));
  source = named(v, source, src.reg);
  return v.set(dst, withValue(source, zeroExtend32(source.value)));
}

function extended(v: Verification, source: Register, from: number, bytes: 1 | 2 | 4, width: Width): Register {
  const value = signExtend(source.value, bytes, width);
  const fits = unsignedMax(source.value) < 2 ** (bytes * 8 - 1);
  if (!fits || signedMax(source.value) < 0) return scalarRegister(value);
  return withValue(named(v, source, from), value);
}

/** A scalar that is about to be copied gets a name, so that what is learned of one is learned of both. */
function named(v: Verification, source: Register, index: number): Register {
  const given = nameFor(v, source);
  if (given !== source) v.set(index, given);
  return given;
}

export function nameFor(v: Verification, source: Register): Register {
  let given = source;
  if ((given.flags & DELTAS) !== 0) given = unlinked(given);
  if (given.id === 0 && !given.value.isConst) given = linked(given, v.newId());
  return given;
}

/** `scalar` plus a constant, as the delta of linked registers adds it. */
export function plus(width: Width, value: Scalar, delta: number): Scalar {
  return alu('add', width, value, constant(delta));
}
