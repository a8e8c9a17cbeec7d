import type { Instruction, Size } from '../../isa/instruction.ts';
import type { AccessibleKind } from '../facts/accesses.ts';
import { contextRegion } from '../regions/context.ts';
import { kernelRegion } from '../regions/kernel.ts';
import { mapFieldsRegion } from '../regions/map-fields.ts';
import { mapKeyRegion, mapValueRegion } from '../regions/map-value.ts';
import { flowKeysRegion, memoryRegion } from '../regions/memory.ts';
import { objectRegion } from '../regions/object.ts';
import { packetRegion } from '../regions/packet.ts';
import type { Access, Region } from '../regions/region.ts';
import { sockCommonRegion, sockRegion, tcpSockRegion, xdpSockRegion } from '../regions/sockets.ts';
import { stackRegion } from '../regions/stack.ts';
import { describeKind, describeRegister } from '../report/words.ts';
import {
  ANYTHING,
  isPacket,
  type Register,
  type RegisterKind,
  scalarRegister,
  unlinked,
  widthOf,
  withValue,
} from '../state/register.ts';
import { coerceToSize, signExtend } from '../values/coercion.ts';
import { tnumAdd, tnumConst } from '../values/tnum.ts';
import type { Verification } from '../walk/verification.ts';
import { readable } from './alu.ts';

const REGIONS: { readonly [Kind in AccessibleKind]: Region } & { readonly [Kind in RegisterKind]?: Region } = {
  context: contextRegion,
  'map-value': mapValueRegion,
  'map-key': mapKeyRegion,
  memory: memoryRegion,
  'flow-keys': flowKeysRegion,
  packet: packetRegion,
  'packet-meta': packetRegion,
  stack: stackRegion,
  btf: kernelRegion,
  map: mapFieldsRegion,
  object: objectRegion,
  sock: sockRegion,
  'sock-common': sockCommonRegion,
  'tcp-sock': tcpSockRegion,
  'xdp-sock': xdpSockRegion,
};

/** The memory that a register points to; undefined when it is refused. */
function regionOf(v: Verification, access: Access): Region | undefined {
  const { base, index, size } = access;
  const region = base.nullable ? undefined : REGIONS[base.kind];
  if (region !== undefined) {
    if (!isAligned(v, base, index, size) || !isOneKind(v, base.kind)) return undefined;
    v.accesses.note(v.pc, v.frame.number, access, writes(v.instruction));
    return region;
  }
  if (base.nullable) {
    v.refuse(
      'null-pointer',
      `r${index} (${describeKind(base)}) is used without having been compared with null`,
      `Test it first: if (!pointer) return …`,
    );
  } else if (base.kind === 'scalar') {
    v.refuse('not-a-pointer', `r${index} is used as a pointer and holds ${describeRegister(base)}`);
  } else {
    v.refuse('not-readable', `r${index} is a ${describeKind(base)}, which cannot be accessed`);
  }
  return undefined;
}

/** Linux rewrites accesses to these kinds, each in its own way: an instruction that makes one makes no other. */
const REWRITTEN: ReadonlySet<RegisterKind> = new Set(['context', 'sock', 'sock-common', 'tcp-sock', 'xdp-sock', 'btf']);

function isOneKind(v: Verification, kind: RegisterKind): boolean {
  const before = v.accesses.kindAt(v.pc);
  if (before === undefined || before === kind || !(REWRITTEN.has(kind) || REWRITTEN.has(before))) return true;
  return v.refuse(
    'mixed-access',
    `this instruction uses a ${describeKind({ kind } as Register)} on this path and a ${describeKind({ kind: before } as Register)} on another`,
    'Make each access in a branch of its own',
  );
}

function writes(instruction: Instruction): boolean {
  return instruction.kind === 'store' || (instruction.kind === 'atomic' && instruction.op !== 'load_acq');
}

/** x86 takes unaligned accesses; the stack's slots and atomic operations do not. */
function isAligned(v: Verification, base: Register, index: number, size: number): boolean {
  const { instruction } = v;
  if (size === 1 || (base.kind !== 'stack' && instruction.kind !== 'atomic')) return true;
  const offset = 'offset' in instruction ? (instruction.offset as number) : 0;
  const { value, mask } = tnumAdd(base.value.tnum, tnumConst(BigInt(base.offset + offset)));
  if (((value | mask) & BigInt(size - 1)) === 0n) return true;
  return v.refuse(
    'misaligned-access',
    `${size} bytes through r${index} (${describeRegister(base)}${offset === 0 ? '' : ` plus ${offset}`}) are not aligned to ${size}`,
    'Accesses to the stack and atomic operations are aligned to their size',
  );
}

export function stepLoad(
  v: Verification,
  { dst, src, offset, size, signed }: Extract<Instruction, { kind: 'load' }>,
): boolean {
  if (!readable(v, src)) return false;
  const loaded = load(v, src, offset, size, signed);
  return loaded !== undefined && v.set(dst, loaded);
}

function load(v: Verification, index: number, offset: number, size: Size, signed: boolean): Register | undefined {
  const access: Access = { base: v.register(index), index, offset, size };
  const whole = regionOf(v, access)?.read(v, access);
  if (whole === undefined || whole.kind !== 'scalar' || size === 8) return whole;
  if (whole === ANYTHING) return signed ? SIGNED[size] : UNSIGNED[size];
  if (!signed) return withValue(whole, coerceToSize(whole.value, size));
  // A number that the sign extension leaves as it is stays linked.
  const kept = widthOf(whole) < size * 8 ? whole : unlinked(whole);
  return withValue(kept, signExtend(whole.value, size, 64));
}

const UNSIGNED = bySize((size) => scalarRegister(coerceToSize(ANYTHING.value, size)));
const SIGNED = bySize((size) => (size === 8 ? ANYTHING : scalarRegister(signExtend(ANYTHING.value, size, 64))));

function bySize(make: (size: Size) => Register): Record<Size, Register> {
  return { 1: make(1), 2: make(2), 4: make(4), 8: make(8) };
}

export function stepStore(
  v: Verification,
  { dst, src, offset, size }: Extract<Instruction, { kind: 'store' }>,
): boolean {
  if ('reg' in src && !readable(v, src.reg)) return false;
  if (!readable(v, dst)) return false;
  const access: Access = { base: v.register(dst), index: dst, offset, size };
  const region = regionOf(v, access);
  if (region === undefined) return false;
  return 'reg' in src ? region.write(v, access, v.register(src.reg), 0) : region.write(v, access, null, src.imm);
}

/** Where atomic operations do not reach. */
const NOT_ATOMIC: ReadonlySet<RegisterKind> = new Set([
  'map',
  'context',
  'flow-keys',
  'sock',
  'sock-common',
  'tcp-sock',
  'xdp-sock',
]);

export function stepAtomic(v: Verification, instruction: Extract<Instruction, { kind: 'atomic' }>): boolean {
  const { op, dst, src, offset, size, fetch } = instruction;
  if (op === 'load_acq') return stepAcquire(v, src, dst, offset, size);
  if (!readable(v, src) || !readable(v, dst)) return false;
  if (op === 'store_rel') return stepRelease(v, instruction);
  if (op === 'cmpxchg' && !readable(v, 0)) return false;
  if (!isAtomic(v, dst)) return false;
  const access: Access = { base: v.register(dst), index: dst, offset, size };
  const region = regionOf(v, access);
  if (region === undefined) return false;
  // The old value of a slot goes to the register, so that what depends on it is found.
  const old = load(v, dst, offset, size, false);
  if (old === undefined) return false;
  if (!region.write(v, access, null, null)) return false;
  if (!fetch) return true;
  return v.set(op === 'cmpxchg' ? 0 : src, old);
}

function isAtomic(v: Verification, index: number): boolean {
  const { kind } = v.register(index);
  if (!NOT_ATOMIC.has(kind) && !isPacket(v.register(index))) return true;
  return v.refuse('atomic-access', `r${index} (${describeKind(v.register(index))}) is no place for atomic operations`);
}

function stepAcquire(v: Verification, address: number, dst: number, offset: number, size: Size): boolean {
  if (!readable(v, address) || !isAtomic(v, address)) return false;
  const loaded = load(v, address, offset, size, false);
  return loaded !== undefined && v.set(dst, loaded);
}

function stepRelease(v: Verification, { dst, src, offset, size }: Extract<Instruction, { kind: 'atomic' }>): boolean {
  if (!isAtomic(v, dst)) return false;
  const access: Access = { base: v.register(dst), index: dst, offset, size };
  const region = regionOf(v, access);
  return region?.write(v, access, v.register(src), 0) ?? false;
}
