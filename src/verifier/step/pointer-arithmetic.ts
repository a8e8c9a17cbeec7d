import type { Instruction } from '../../isa/instruction.ts';
import { describeKind } from '../report/words.ts';
import { ANYTHING, constantOf, isPacket, Register, type RegisterKind, signedMin } from '../state/register.ts';
import { alu } from '../values/arithmetic.ts';
import { type Scalar, ZERO } from '../values/scalar.ts';
import type { Verification } from '../walk/verification.ts';

type Alu = Extract<Instruction, { kind: 'alu' }>;

/** BPF_MAX_VAR_OFF: no offset of a pointer reaches this. */
const FARTHEST = 1 << 29;

/** How far a pointer of each kind may be moved; those that are missing not at all. */
const MOVABLE: { readonly [Kind in RegisterKind]?: 'anyhow' | 'by-constant' } = {
  context: 'anyhow',
  'map-value': 'anyhow',
  'map-key': 'anyhow',
  stack: 'anyhow',
  packet: 'anyhow',
  'packet-meta': 'anyhow',
  memory: 'anyhow',
  btf: 'anyhow',
  object: 'anyhow',
  function: 'anyhow',
  dynptr: 'anyhow',
  'flow-keys': 'by-constant',
};

/** `pointer ± scalar`, or `scalar + pointer` (`reversed`). */
export function movePointer(
  v: Verification,
  { op, dst, width }: Alu,
  from: Register,
  by: Register,
  reversed: boolean,
): boolean {
  const what = `r${dst} (${describeKind(from)})`;
  if (width === 32) {
    if (op === 'sub') return v.set(dst, ANYTHING);
    return v.refuse('pointer-arithmetic', `32-bit ${op} on ${what}`, 'Pointers have 64 bits: use 64-bit arithmetic');
  }
  if (from.nullable) {
    return v.refuse('pointer-arithmetic', `${what} may be null and is moved`, 'Compare it with null first');
  }
  const known = by.value.isConst;
  const movable = MOVABLE[from.kind];
  const isNothing = known && op === 'add' && constantOf(by.value) === 0;
  if (movable === undefined || (movable === 'by-constant' && !known)) {
    if (!(isNothing && (from.kind === 'map' || from.kind === 'flow-keys'))) {
      return v.refuse('pointer-arithmetic', `${what} is moved: a pointer of this kind cannot be`);
    }
  }
  // Linux counts the number's distance from those that it is linked with as an offset.
  if (!isSane(v, dst, from, by.value, by.offset) || !isSane(v, dst, from, from.value, from.offset)) return false;
  if (op !== 'add' && op !== 'sub') {
    return v.refuse('pointer-arithmetic', `${what} ${op} a number: a pointer can only be added to and subtracted from`);
  }
  if (op === 'sub' && reversed) {
    return v.refuse('pointer-arithmetic', `a pointer (${describeKind(from)}) is subtracted from the number in r${dst}`);
  }
  if (op === 'sub' && from.kind === 'stack') {
    return v.refuse(
      'pointer-arithmetic',
      `${what}: nothing can be subtracted from a stack pointer`,
      'Add a negative constant',
    );
  }
  const moved = op === 'add' ? plus(v, from, by.value) : minus(v, from, by.value);
  if (!isSane(v, dst, moved, moved.value, moved.offset)) return false;
  return v.set(dst, moved);
}

function plus(v: Verification, from: Register, by: Scalar): Register {
  if (by.isConst) {
    const offset = from.offset + constantOf(by);
    if (offset === (offset | 0)) return at(from, offset, from.value, from.id, from.extent);
  }
  return variable(v, from, sum(from.value, by, 'add'), false);
}

function minus(v: Verification, from: Register, by: Scalar): Register {
  if (by.isConst) {
    const offset = from.offset - constantOf(by);
    if (offset === (offset | 0)) return at(from, offset, from.value, from.id, from.extent);
  }
  return variable(v, from, sum(from.value, by, 'sub'), signedMin(by) >= 0);
}

/** A packet pointer with another variable part is a new one: nothing is known to be there yet. */
function variable(v: Verification, from: Register, value: Scalar, keepsRange: boolean): Register {
  if (!isPacket(from)) return at(from, from.offset, value, from.id, from.extent);
  return at(from, from.offset, value, v.newId(), keepsRange ? from.extent : 0);
}

function at({ kind, flags, reference, target }: Register, offset: number, value: Scalar, id: number, extent: number) {
  return new Register(kind, flags, value, offset, id, reference, extent, target);
}

function sum(value: Scalar, by: Scalar, op: 'add' | 'sub'): Scalar {
  if (value === ZERO && op === 'add') return by;
  return alu(op, 64, value, by);
}

/** No part of an offset may be so large that sums of a few could overflow. */
function isSane(v: Verification, dst: number, from: Register, value: Scalar, offset = 0): boolean {
  if (Math.abs(offset) >= FARTHEST) return tooFar(v, dst, from, offset);
  if (value.isConst) return Math.abs(constantOf(value)) < FARTHEST || tooFar(v, dst, from, constantOf(value));
  const least = signedMin(value);
  if (value.sminHigh === -0x8000_0000 && value.sminLow === 0) {
    return v.refuse(
      'pointer-unbounded',
      `r${dst} (${describeKind(from)}) is moved by a number without a lower bound`,
      'Compare the number with its least and greatest value first',
    );
  }
  return (least > -FARTHEST && least < FARTHEST) || tooFar(v, dst, from, least);
}

function tooFar(v: Verification, dst: number, from: Register, by: number): boolean {
  return v.refuse(
    'pointer-too-far',
    `r${dst} (${describeKind(from)}) is moved by ${by}; less than ${FARTHEST} is possible`,
  );
}
