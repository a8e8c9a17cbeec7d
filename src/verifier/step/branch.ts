import type { Instruction, JumpOp } from '../../isa/instruction.ts';
import {
  constantRegister,
  DELTA32,
  DELTAS,
  isPacket,
  isPointer,
  isZero,
  linked,
  NULLABLE,
  type Register,
  type RegisterKind,
  TRUSTED,
  withFlags,
  withId,
  withValue,
} from '../state/register.ts';
import { FRAME_POINTER, mapRegisters, type State } from '../state/state.ts';
import { compare, refine } from '../values/branch.ts';
import { linkCode, noteLinks, SLOT_PLACE } from '../walk/history.ts';
import { markPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';
import { plus, readable } from './alu.ts';
import { resolveNull } from './null.ts';
import { learnPacketRange, packetBranch } from './packet-range.ts';

type Jump = Extract<Instruction, { kind: 'jump' }>;

/** Kinds that Linux takes as never null; of the stack, the packet and the context it does not say so. */
const NEVER_NULL: ReadonlySet<RegisterKind> = new Set([
  'sock',
  'tcp-sock',
  'sock-common',
  'map-value',
  'map-key',
  'memory',
  'map',
  'object',
]);

/** Of a structure of the kernel, one that is held or stays. */
function isNeverNull({ kind, reference, flags }: Register): boolean {
  return NEVER_NULL.has(kind) || (kind === 'btf' && (reference !== 0 || (flags & TRUSTED) !== 0));
}

export function stepJump(v: Verification, jump: Jump): boolean {
  const { dst, src, target } = jump;
  if ('reg' in src && !readable(v, src.reg)) return false;
  if (!readable(v, dst)) return false;
  const a = v.register(dst);
  const b = 'reg' in src ? v.register(src.reg) : constantRegister(src.imm);
  const decided = decide(jump, a, b);
  if (decided !== null) {
    if (!isPointer(a)) markPrecise(v, dst);
    if ('reg' in src && !isPointer(b)) markPrecise(v, src.reg);
    v.next = decided ? target : v.pc + 1;
    return true;
  }
  const links = 'reg' in src ? linksOf(v.state, a, b) : linksOf(v.state, a, null);
  if (links.length > 1) noteLinks(v.state, links);
  const taken = v.fork(target);
  if (taken === undefined) return false;
  learn(v, jump, a, b, taken);
  v.next = v.pc + 1;
  return true;
}

/** Whether the jump is taken, where only one way is possible. */
export function decide({ op, width }: Jump, a: Register, b: Register): boolean | null {
  if (a.kind === 'scalar' && b.kind === 'scalar') return compare(op, width, a.value, b.value);
  if (isAnyPacket(a) && isAnyPacket(b)) return width === 64 ? packetBranch(op, a, b) : null;
  if (width !== 64 || b.kind !== 'scalar' || !isZero(b)) return null;
  if (a.nullable || !isNeverNull(a)) return null;
  return op === 'eq' ? false : op === 'ne' ? true : null;
}

function isAnyPacket(register: Register): boolean {
  return isPacket(register) || register.kind === 'packet-end';
}

/** What each side of the branch knows more than before. `v.state` is the side that falls through. */
function learn(v: Verification, { op, width, dst, src }: Jump, a: Register, b: Register, taken: State): void {
  const { state } = v;
  if (a.kind === 'scalar' && b.kind === 'scalar') {
    const other = 'reg' in src ? src.reg : -1;
    const refined = refine(op, width, a.value, b.value, other === dst);
    if (refined.taken !== null) narrow(taken, dst, other, a, b, refined.taken);
    if (refined.fallThrough !== null) narrow(state, dst, other, a, b, refined.fallThrough);
    return;
  }
  if (width !== 64) return;
  if ('reg' in src) {
    learnPacketRange(op, [dst, src.reg], a, b, state, taken);
    learnNotNull(op, dst, src.reg, a, b, state, taken);
    return;
  }
  if (a.nullable && src.imm === 0 && (op === 'eq' || op === 'ne')) {
    resolveNull(v, state, a, op === 'ne');
    resolveNull(v, taken, a, op === 'eq');
  }
}

type Pair = readonly [Register['value'], Register['value']];

function narrow(state: State, dst: number, src: number, a: Register, b: Register, [first, second]: Pair): void {
  const { registers } = state.frame;
  const nowA = withValue(a, first);
  registers[dst] = nowA;
  if (src >= 0 && src !== dst) {
    const nowB = withValue(b, second);
    registers[src] = nowB;
    if (b.id !== 0) spread(state, nowB);
  }
  if (a.id !== 0) spread(state, nowA);
}

/** Linked scalars are equal, or a constant apart: what is learned of one is learned of all. */
function spread(state: State, known: Register): void {
  mapRegisters(state, (register) => {
    if (register.id !== known.id || register === known || register.kind !== 'scalar') return register;
    const [itsKind, knownKind] = [register.flags & DELTAS, known.flags & DELTAS];
    // A distance counted in 32 bits says nothing of one counted in 64.
    if (itsKind !== knownKind && itsKind !== 0 && knownKind !== 0) return register;
    if (register.offset === known.offset) {
      return register.value === known.value && register.flags === known.flags ? register : known;
    }
    const width = ((itsKind | knownKind) & DELTA32) !== 0 ? 32 : 64;
    const value = plus(width, known.value, register.offset - known.offset);
    return linked(withValue(known, value), register.id, register.offset, itsKind);
  });
}

/** LINKED_REGS_MAX of Linux: what is linked beyond that is forgotten. */
const MOST_LINKS = 6;

/** The places of all scalars that are linked with either operand. */
function linksOf(state: State, a: Register, b: Register | null): readonly number[] {
  const first = a.kind === 'scalar' ? a.id : 0;
  const second = b?.kind === 'scalar' ? b.id : 0;
  if (first === 0 && second === 0) return NONE;
  const found: number[] = [];
  for (const frame of state.frames) {
    for (let i = 0; i < FRAME_POINTER; i++) {
      const register = frame.registers[i]!;
      if (!isLinked(register, first, second)) continue;
      if (found.length < MOST_LINKS) found.push(linkCode(frame.number, i));
      else frame.registers[i] = linked(register, 0);
    }
    for (let i = 0; i < frame.slots.length; i++) {
      const { spilled, bytes } = frame.slots[i]!;
      if (spilled === null || !isLinked(spilled, first, second)) continue;
      if (found.length < MOST_LINKS) found.push(linkCode(frame.number, SLOT_PLACE + i));
      else frame.slots[i] = { bytes, spilled: linked(spilled, 0) };
    }
  }
  return found;
}
const NONE: readonly number[] = [];

function isLinked({ kind, id }: Register, first: number, second: number): boolean {
  return kind === 'scalar' && id !== 0 && (id === first || id === second);
}

/** A pointer that equals one that is not null is not null either. */
function learnNotNull(
  op: JumpOp,
  dst: number,
  src: number,
  a: Register,
  b: Register,
  state: State,
  taken: State,
): void {
  if ((op !== 'eq' && op !== 'ne') || !isPointer(a) || !isPointer(b) || a.nullable === b.nullable) return;
  if (a.kind === 'btf' || b.kind === 'btf') return;
  const equal = op === 'eq' ? taken : state;
  const index = a.nullable ? dst : src;
  const nullable = a.nullable ? a : b;
  equal.frame.registers[index] = withId(withFlags(nullable, nullable.flags & ~NULLABLE), nullable.id);
}
