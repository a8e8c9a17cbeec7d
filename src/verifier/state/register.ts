import type { MapSpec } from '../../object/spec.ts';
import { constant, type Scalar, UNKNOWN, ZERO } from '../values/scalar.ts';

/** What a register can hold. `unset` was never written, or a call clobbered it. */
export type RegisterKind =
  | 'unset'
  | 'scalar'
  | 'context'
  | 'map'
  | 'map-key'
  | 'map-value'
  | 'stack'
  | 'packet'
  | 'packet-meta'
  | 'packet-end'
  | 'memory'
  | 'flow-keys'
  | 'sock-common'
  | 'sock'
  | 'tcp-sock'
  | 'xdp-sock'
  | 'btf'
  | 'percpu-btf'
  | 'function'
  | 'dynptr'
  | 'iterator'
  | 'object';

/** Flags of a register. */
/** The pointer may be null. */
export const NULLABLE = 1;
/** The memory may not be written. */
export const READ_ONLY = 2;
/** The memory is a record of a ring buffer. */
export const RECORD = 4;
/** Something was decided by this scalar: another state replaces this one only with values within its bounds. */
export const PRECISE = 8;
/** The scalar is `offset` more than the others of its `id`, counted in 64 bits. */
export const DELTA = 16;
/** As `DELTA`, counted in 32 bits: the sum wraps there. */
export const DELTA32 = 32;
export const DELTAS = DELTA | DELTA32;
/** The structure of the kernel is there for as long as the program runs, although no reference to it is held. */
export const TRUSTED = 64;
/** The pointer was read out of a structure of the kernel: it may be read through, and is good for nothing else. */
export const UNTRUSTED = 128;
/** The object is in a list or tree, and there for as long as its lock is held. */
export const BORROWED = 256;
/** The memory is packet data that was got through a dynptr: it is void when the packet moves, and not with the dynptr. */
export const PACKET_SLICE = 1024;
/** What it points to stays until RCU's read lock is given back. */
export const RCU = 512;

/** A type of the kernel's BTF, or of the program's. */
export interface BtfTarget {
  readonly kind: 'btf';
  readonly name: string;
  /** Its structure or union in the program's BTF; null where that does not have it. */
  readonly type: number | null;
}

/** What a dynptr points into. */
export type DynptrType = 'local' | 'ringbuf' | 'skb' | 'xdp' | 'skb-meta';

/** One dynptr: its slots and the memory that was got through it have the same value of this. */
export interface DynptrTarget {
  readonly kind: 'dynptr';
  readonly type: DynptrType;
}

/** A structure of the program's own, of which it allocates objects. */
export interface ObjectTarget {
  readonly kind: 'object';
  readonly name: string;
  /** In the program's BTF. */
  readonly type: number;
  readonly size: number;
}

export type Target = MapSpec | BtfTarget | DynptrTarget | ObjectTarget;

/**
 * What is known of a register or of a spilled one. Immutable and shared between states, so that a move copies nothing.
 *
 * A pointer points to `offset` (a constant) plus `value` (the variable part) from the start of what it was made of.
 */
export class Register {
  readonly kind: RegisterKind;
  readonly flags: number;
  readonly value: Scalar;
  readonly offset: number;
  /** Who else holds the same value: linked scalars, pointers to be compared with null at once, packet pointers that share a variable part. 0 is nobody. */
  readonly id: number;
  /** The reference that it holds or depends on; 0 for none. */
  readonly reference: number;
  /** Packet: bytes from the start of its variable part that are known to be there. Stack: number of the frame. Memory: size. Function: pc. Dynptr: which half of it a slot has. */
  readonly extent: number;
  readonly target: Target | null;

  constructor(
    kind: RegisterKind,
    flags: number,
    value: Scalar,
    offset: number,
    id: number,
    reference: number,
    extent: number,
    target: Target | null,
  ) {
    this.kind = kind;
    this.flags = flags;
    this.value = value;
    this.offset = offset;
    this.id = id;
    this.reference = reference;
    this.extent = extent;
    this.target = target;
  }

  get nullable(): boolean {
    return (this.flags & NULLABLE) !== 0;
  }
  get precise(): boolean {
    return (this.flags & PRECISE) !== 0;
  }
}

export const UNSET = new Register('unset', 0, UNKNOWN, 0, 0, 0, 0, null);
export const ANYTHING = new Register('scalar', 0, UNKNOWN, 0, 0, 0, 0, null);
export const NOTHING = new Register('scalar', 0, ZERO, 0, 0, 0, 0, null);

export function scalarRegister(value: Scalar, id = 0): Register {
  if (value === UNKNOWN && id === 0) return ANYTHING;
  return new Register('scalar', 0, value, 0, id, 0, 0, null);
}

export function constantRegister(value: number | bigint): Register {
  return new Register('scalar', 0, constant(value), 0, 0, 0, 0, null);
}

interface PointerParts {
  readonly flags?: number;
  readonly id?: number;
  readonly reference?: number;
  readonly extent?: number;
  readonly offset?: number;
  readonly target?: Target | null;
}

/** A pointer to the very start (plus `offset`) of something. */
export function pointer(kind: RegisterKind, parts: PointerParts = {}): Register {
  const { flags = 0, id = 0, reference = 0, extent = 0, offset = 0, target = null } = parts;
  return new Register(kind, flags, ZERO, offset, id, reference, extent, target);
}

export function withId(from: Register, id: number): Register {
  if (from.id === id) return from;
  const { kind, flags, value, offset, reference, extent, target } = from;
  return new Register(kind, flags, value, offset, id, reference, extent, target);
}

export function withValue(from: Register, value: Scalar): Register {
  if (from.value === value) return from;
  const { kind, flags, offset, id, reference, extent, target } = from;
  return new Register(kind, flags, value, offset, id, reference, extent, target);
}

export function withExtent(from: Register, extent: number): Register {
  if (from.extent === extent) return from;
  const { kind, flags, value, offset, id, reference, target } = from;
  return new Register(kind, flags, value, offset, id, reference, extent, target);
}

export function withFlags(from: Register, flags: number): Register {
  if (from.flags === flags) return from;
  const { kind, value, offset, id, reference, extent, target } = from;
  return new Register(kind, flags, value, offset, id, reference, extent, target);
}

/** A scalar that stands alone: no id, no delta. */
export function unlinked(from: Register): Register {
  if (from.id === 0 && from.offset === 0) return from;
  return new Register('scalar', from.flags & ~DELTAS, from.value, 0, 0, 0, 0, null);
}

/** `kind` says how `delta` is counted: 0 (there is none), DELTA or DELTA32. */
export function linked(from: Register, id: number, delta = 0, kind = 0): Register {
  return new Register('scalar', (from.flags & ~DELTAS) | kind, from.value, delta, id, 0, 0, null);
}

/** Bits that a scalar needs: 64 when more than the low word may be set. */
export function widthOf(register: Register): number {
  const { umaxHigh, umaxLow } = register.value;
  return umaxHigh !== 0 ? 64 - Math.clz32(umaxHigh) : 32 - Math.clz32(umaxLow);
}

export function isPointer(register: Register): boolean {
  return register.kind !== 'scalar' && register.kind !== 'unset';
}

export function isPacket(register: Register): boolean {
  return register.kind === 'packet' || register.kind === 'packet-meta';
}

export function isZero(register: Register): boolean {
  return (
    register.kind === 'scalar' &&
    register.value.isConst &&
    register.value.valueLow === 0 &&
    register.value.valueHigh === 0
  );
}

/** Bounds as numbers: exact up to 2^53, and beyond that still on the right side of anything smaller. */
export function signedMin(value: Scalar): number {
  return value.sminHigh * 0x1_0000_0000 + (value.sminLow >>> 0);
}
export function signedMax(value: Scalar): number {
  return value.smaxHigh * 0x1_0000_0000 + (value.smaxLow >>> 0);
}
export function unsignedMin(value: Scalar): number {
  return (value.uminHigh >>> 0) * 0x1_0000_0000 + (value.uminLow >>> 0);
}
export function unsignedMax(value: Scalar): number {
  return (value.umaxHigh >>> 0) * 0x1_0000_0000 + (value.umaxLow >>> 0);
}
/** A constant as a signed number; exact up to 2^53. */
export function constantOf(value: Scalar): number {
  return (value.valueHigh | 0) * 0x1_0000_0000 + (value.valueLow >>> 0);
}
