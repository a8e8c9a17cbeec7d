import type { ContextField } from '../../abi/context.ts';
import type { ContextPointer } from '../../abi/program-type.ts';
import { ANYTHING, constantOf, NULLABLE, pointer, type Register, type RegisterKind } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { type Access, bytesOf, type Region } from './region.ts';

const POINTERS: Record<ContextPointer, RegisterKind> = {
  packet: 'packet',
  'packet-end': 'packet-end',
  'packet-meta': 'packet-meta',
  'sock-common?': 'sock-common',
  'flow-keys': 'flow-keys',
};

/** Fields of __sk_buff that are taken whole only; of the others any aligned part may be read. */
const WHOLE: ReadonlySet<string> = new Set([
  'remote_ip4',
  'local_ip4',
  'remote_ip6',
  'local_ip6',
  'tstamp',
  'hwtstamp',
  'tstamp_type',
]);

export const contextRegion: Region = {
  read(v, access) {
    if (!isUnmoved(v, access)) return undefined;
    const field = fieldAt(v, access);
    const { type } = v;
    if (field === undefined || !type.readable.has(field.name) || !readable(v, field, access))
      return refused(v, access, 'read');
    const kind = type.pointers[field.name];
    if (kind === undefined) return ANYTHING;
    const { instruction } = v;
    if (instruction.kind === 'load' && instruction.signed) return refused(v, access, 'read');
    return contextPointer(v, kind);
  },
  write(v, access) {
    if (!isUnmoved(v, access)) return false;
    const field = fieldAt(v, access);
    const allowed = field !== undefined && v.type.writable.has(field.name) && writable(field, access);
    if (!allowed) refused(v, access, 'written');
    return allowed;
  },
};

function contextPointer(v: Verification, kind: ContextPointer): Register {
  return kind.endsWith('?') ? pointer(POINTERS[kind], { flags: NULLABLE, id: v.newId() }) : pointer(POINTERS[kind]);
}

/** The context is rewritten by Linux access by access: only constant offsets from its very start can be. */
function isUnmoved(v: Verification, { base, index }: Access): boolean {
  return contextPointerIsUnmoved(v, base, index);
}

export function contextPointerIsUnmoved(v: Verification, base: Register, index: number): boolean {
  const moved = base.offset !== 0 || !base.value.isConst || constantOf(base.value) !== 0;
  if (!moved) return true;
  return v.refuse(
    'context-access',
    `r${index} points to the context, but not to its start`,
    'Use the pointer to the start with a constant offset',
  );
}

function fieldAt(v: Verification, { offset, size }: Access): ContextField | undefined {
  if (offset < 0 || offset % size !== 0) return undefined;
  return v.type.context.fields.find(
    (field) => offset >= field.offset && offset + size <= field.offset + field.size * field.count,
  );
}

/** `xdp_md.egress_ifindex` is there for programs of a devmap only. */
export function hasField(program: Verification['program'], field: string): boolean {
  return field !== 'egress_ifindex' || program.attachType === 'xdp_devmap';
}

function readable(v: Verification, field: ContextField, { offset, size }: Access): boolean {
  if (v.type.context.struct === 'xdp_md') {
    return size === 4 && hasField(v.program, field.name);
  }
  if (field.name === 'cb') return true;
  if (WHOLE.has(field.name) || v.type.pointers[field.name] !== undefined) {
    return size === field.size && (offset - field.offset) % field.size === 0;
  }
  return size <= field.size;
}

function writable(field: ContextField, { size }: Access): boolean {
  return field.name === 'cb' || size === field.size;
}

function refused(v: Verification, { offset, size }: Access, how: string): undefined {
  const { struct } = v.type.context;
  const field = v.type.context.fields.find(
    (each) => offset >= each.offset && offset < each.offset + each.size * each.count,
  );
  const name = field === undefined ? '' : ` (${field.name})`;
  v.refuse(
    'context-access',
    `${bytesOf(offset, size)}${name} of struct ${struct} cannot be ${how} by a program of type ${v.program.type}`,
  );
  return undefined;
}
