import type { ArgumentKind, Helper } from '../../abi/helper.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import type { keptType } from '../regions/kept-pointers.ts';
import { type Access, bytesOf } from '../regions/region.ts';
import { describeKind, describeScalar } from '../report/words.ts';
import {
  type BtfTarget,
  constantOf,
  type DynptrTarget,
  isZero,
  READ_ONLY,
  RECORD,
  type Register,
  type RegisterKind,
  signedMin,
  UNTRUSTED,
  unsignedMax,
  unsignedMin,
} from '../state/register.ts';
import { markPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';
import { readable } from './alu.ts';
import { ANY_SOCKET, MOVED, PACKET_TYPES, RELEASES, TAKES, TAKES_PACKET } from './argument-kinds.ts';
import { checkConstantString, constantKey } from './constants.ts';
import { newDynptr, takeDynptr, takeRecord } from './dynptrs.ts';
import { type Contains, exchanged, keeper } from './graph.ts';
import { checkLock, checkTimer } from './lock.ts';
import { checkMemory, type Use } from './memory-arguments.ts';

/** A call while its arguments are checked: what the earlier ones mean for the later ones and for the result. */
export interface HelperCall {
  readonly helper: Pick<Helper, 'name'>;
  map: MapSpec | null;
  /** Of what an argument holds a reference to. */
  reference: number;
  /** Index of the register that the helper releases; 0 for none. */
  released: number;
  /** Where the timer lies that an argument points to. */
  timer: Register | null;
  /** The memory whose size comes with the next argument. */
  memory: { readonly index: number; readonly use: Use } | null;
  /** Stack that the helper writes all of. */
  buffer: { readonly access: Access; readonly offset: number } | null;
  /** Greatest size of a buffer with a size of its own. */
  largestSize: bigint | null;
  /** The first dynptr among the arguments. */
  dynptr: (Register & { readonly target: DynptrTarget }) | null;
  /** The object among the arguments, and what the list or tree holds that is among them. */
  object: Register | null;
  /** What a field keeps a pointer to. */
  kept: ReturnType<typeof keptType>;
  contains: Contains | null;
  /** Bytes of the memory that the helper returns. */
  allocated: number;
  /** The key of a lookup in an array, where it is constant. */
  key: number | null;
  /** pc of the function that the helper calls. */
  callback: number | null;
}

export function newCall(helper: Pick<Helper, 'name'>): HelperCall {
  return {
    helper,
    map: null,
    reference: 0,
    released: 0,
    timer: null,
    memory: null,
    buffer: null,
    largestSize: null,
    dynptr: null,
    object: null,
    kept: undefined,
    contains: null,
    allocated: 0,
    key: null,
    callback: null,
  };
}

/** BPF_MAX_VAR_SIZ of Linux. */
const LARGEST = 1 << 29;

type Rule = (v: Verification, call: HelperCall, index: number, register: Register) => boolean;

const fixed =
  (size: number, use: Use): Rule =>
  (v, call, index) =>
    isAlignedFor(v, index, size, use) && checkMemory(v, call, index, size, use, false);

const sized =
  (use: Use): Rule =>
  (_v, call, index) => {
    call.memory = { index, use };
    return true;
  };

const size =
  (emptyAllowed: boolean): Rule =>
  (v, call, index, register) =>
    checkSize(v, call, index, register, emptyAllowed);

const valueUse =
  (use: Use): Rule =>
  (v, call, index) => {
    if (call.map === null)
      return v.refuse('helper-argument', `r${index} is a map value, and no map was given before it`);
    // Of a bloom filter, peek asks whether the value is there.
    const asked = call.helper.name === 'map_peek_elem' && call.map.type === BLOOM_FILTER ? 'read' : use;
    return checkMemory(v, call, index, call.map.valueSize, asked, false);
  };
const BLOOM_FILTER = mapTypeId('bloom_filter');
const SOCKET_MAPS: ReadonlySet<number> = new Set([mapTypeId('sockmap'), mapTypeId('sockhash')]);

const RULES: { readonly [Kind in ArgumentKind]?: Rule } = {
  map: (v, call, index, register) => {
    if (
      call.timer !== null &&
      (call.timer.target !== register.target || !v.program.maps.includes(register.target as MapSpec))
    ) {
      return v.refuse('helper-argument', `r${index} is not the map in whose value the timer lies`);
    }
    call.map = register.target as MapSpec;
    v.accesses.noteMap(v.pc, call.map);
    return true;
  },
  key: (v, call, index) => {
    if (call.map === null) return v.refuse('helper-argument', `r${index} is a map key, and no map was given before it`);
    if (!checkMemory(v, call, index, call.map.keySize, 'read', false)) return false;
    call.key = constantKey(v, call.map, index);
    return true;
  },
  value: valueUse('read'),
  'value?': valueUse('read'),
  'value-out': valueUse('fill'),
  mem: sized('read'),
  'mem?': sized('read'),
  'mem-out': sized('fill'),
  'mem-out?': sized('fill'),
  mem20: fixed(20, 'read'),
  mem40: fixed(40, 'read'),
  'int-out': fixed(4, 'fill'),
  'long-out': fixed(8, 'fill'),
  'int-in-out': fixed(4, 'write'),
  size: size(false),
  size0: size(true),
  'alloc-size': (v, call, index, register) => {
    if (!register.value.isConst) {
      return v.refuse(
        'helper-argument',
        `r${index} is ${describeScalar(register.value)}: the size of memory to allocate is a constant`,
      );
    }
    call.allocated = constantOf(register.value);
    markPrecise(v, index);
    return true;
  },
  'const-string': (v, _call, index, register) => checkConstantString(v, index, register),
  callback: (_v, call, _index, register) => {
    call.callback = register.extent;
    return true;
  },
  record: (v, _call, index, register) =>
    (register.flags & RECORD) !== 0 || v.refuse('helper-argument', `r${index} is not a record of a ring buffer`),
  dynptr: takeDynptr,
  'dynptr-stack': takeDynptr,
  'dynptr-record': takeRecord,
  'dynptr-out': newDynptr,
  'dynptr-mem': sized('fill'),
  'btf-id': isStructure,
  'sock-common': isStructure,
  'kptr-slot': keeper,
  'kptr?': exchanged,
  'spin-lock': checkLock,
  timer: checkTimer,
};

/** Structures of the kernel that helpers take. */
const STRUCTURES: Readonly<Record<string, string>> = {
  task_pt_regs: 'task_struct',
  get_task_stack: 'task_struct',
  find_vma: 'task_struct',
  task_storage_get: 'task_struct',
  task_storage_delete: 'task_struct',
  cgrp_storage_get: 'cgroup',
  cgrp_storage_delete: 'cgroup',
};

/** A structure of the kernel is of the type that the helper takes; of sockets any. */
function isStructure(
  v: Verification,
  { helper }: HelperCall,
  index: number,
  { kind, flags, target }: Register,
): boolean {
  if (kind !== 'btf') return true;
  if ((flags & UNTRUSTED) !== 0) {
    return v.refuse(
      'helper-argument',
      `r${index} was read out of a structure of the kernel: it can only be read through`,
    );
  }
  const wanted = STRUCTURES[helper.name] ?? 'sock';
  const name = (target as BtfTarget | null)?.name ?? '';
  if (wanted === 'sock' ? /(^|_)sock(_common)?$/.test(name) : name === wanted) return true;
  return v.refuse('helper-argument', `r${index} points to a ${name}; bpf_${helper.name} takes a ${wanted}`);
}

const OPTIONAL = '?';

export function checkArgument(v: Verification, call: HelperCall, asked: ArgumentKind, index: number): boolean {
  // A value of a map of sockets is a socket.
  const isSocket = asked === 'value' && call.map !== null && SOCKET_MAPS.has(call.map.type);
  const kind = isSocket ? 'sock-common' : asked;
  const takes = TAKES[kind];
  if (takes === 'unchecked') return true;
  if (!readable(v, index)) return false;
  if (takes === 'anything') return true;
  const register = v.register(index);
  if ((register.kind === 'packet' || register.kind === 'packet-meta') && !mayTakePacket(v, call)) {
    return v.refuse(
      'helper-argument',
      `r${index} points into the packet; bpf_${call.helper.name} does not take such pointers in a program of type ${v.program.type}`,
      'Copy the bytes to the stack first',
    );
  }
  const isNull = isZero(register) && kind.includes(OPTIONAL);
  if (!isNull && !hasKind(v, call, kind, takes, index, register)) return false;
  if (!isNull && !isUnmovedWhereNeeded(v, call, index, register)) return false;
  if (kind !== 'kptr-slot' && !noteReference(v, call, index, register)) return false;
  if (isNull && !kind.startsWith('mem')) return true;
  return RULES[kind]?.(v, call, index, register) ?? true;
}

function mayTakePacket(v: Verification, { helper }: HelperCall): boolean {
  return PACKET_TYPES.has(v.program.type) && TAKES_PACKET.has(helper.name);
}

function hasKind(
  v: Verification,
  { helper }: HelperCall,
  kind: ArgumentKind,
  takes: readonly RegisterKind[],
  index: number,
  register: Register,
): boolean {
  const fits =
    (takes.includes(register.kind) || (ANY_SOCKET.has(helper.name) && TAKES['sock-common'].includes(register.kind))) &&
    (!register.nullable || kind.includes(OPTIONAL)) &&
    ((register.flags & READ_ONLY) === 0 || !(kind.includes('-out') || kind === 'record')) &&
    !(register.kind === 'memory' && kind === 'record' && (register.flags & RECORD) === 0);
  if (fits) return true;
  const help = register.nullable ? 'Compare it with null first' : null;
  const wanted = takes.map((each) => describeKind({ kind: each, nullable: false } as Register)).join(' or ');
  return v.refuse(
    'helper-argument',
    `argument ${index} of bpf_${helper.name}, r${index}, is ${describeKind(register)}: it must be ${wanted}`,
    help,
  );
}

function isUnmovedWhereNeeded(v: Verification, { helper }: HelperCall, index: number, register: Register): boolean {
  const moved = register.offset !== 0 || !register.value.isConst || constantOf(register.value) !== 0;
  if (!moved || register.kind === 'scalar') return true;
  if (MOVED.has(register.kind) && !RELEASES.has(helper.name)) return true;
  return v.refuse('helper-argument', `r${index} (${describeKind(register)}) does not point to the start of it`);
}

function noteReference(v: Verification, call: HelperCall, index: number, register: Register): boolean {
  const releases = RELEASES.has(call.helper.name) && index === 1;
  if (releases) {
    if (register.reference === 0 && !isZero(register)) {
      return v.refuse('not-acquired', `r${index} is given to bpf_${call.helper.name} and was not acquired`);
    }
    call.released = index;
  }
  if (register.reference === 0) return true;
  if (call.reference !== 0) return v.refuse('helper-argument', `two arguments hold references; one is possible`);
  call.reference = register.reference;
  return true;
}

export function checkSize(
  v: Verification,
  call: HelperCall,
  index: number,
  register: Register,
  emptyAllowed: boolean,
): boolean {
  const { value } = register;
  const { memory } = call;
  call.largestSize = value.umax;
  if (memory === null) return true;
  const what = `the size in r${index} is ${describeScalar(value)}`;
  if (signedMin(value) < 0) {
    return v.refuse('helper-argument', `${what}: it may be negative`, 'Make it unsigned, or mask it');
  }
  if (unsignedMin(value) === 0 && !emptyAllowed) {
    return v.refuse('helper-argument', `${what}: it may be 0`, 'Check that it is at least 1');
  }
  if (unsignedMax(value) >= LARGEST) {
    return v.refuse('unbounded-access', `${what}: it has no upper bound`, 'Compare it with a constant, or mask it');
  }
  // What is only perhaps written must have been initialised: a size that is not known makes a buffer one to read.
  const use: Use = memory.use === 'fill' && !value.isConst ? 'write' : memory.use;
  if (!checkMemory(v, call, memory.index, unsignedMax(value), use, emptyAllowed)) return false;
  markPrecise(v, index);
  return true;
}

/** Numbers that a helper writes are aligned. */
function isAlignedFor(v: Verification, index: number, size: number, use: Use): boolean {
  if (use === 'read') return true;
  const { offset, value, kind } = v.register(index);
  const bits = Number(value.tnum.mask & 7n) | (Number(value.tnum.value & 7n) + offset);
  if ((bits & (size - 1)) === 0 || kind === 'scalar') return true;
  return v.refuse('misaligned-access', `${bytesOf(0, size)} through r${index} are not aligned to ${size}`);
}
