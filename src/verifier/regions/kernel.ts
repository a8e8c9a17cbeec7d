import type { Btf, BtfMember } from '../../object/btf/btf.ts';
import { bitfieldSize, membersOf, resolve, resolveType, sizeOf } from '../../object/btf/types.ts';
import type { Program } from '../../program/program.ts';
import { describeKind } from '../report/words.ts';
import { kernelBtf, kernelStruct, UNTRUSTED_MEMORY } from '../state/kernel-structs.ts';
import {
  ANYTHING,
  type BtfTarget,
  constantOf,
  NULLABLE,
  pointer,
  type Register,
  TRUSTED,
  UNTRUSTED,
} from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { type Access, bytesOf, type Region } from './region.ts';

/** Pointers that may be null and are checked as long as the structure is trusted; Linux reads through all others. */
const MAY_BE_NULL: ReadonlySet<string> = new Set(['sk_buff.sk', 'request_sock.sk', 'mm_struct.exe_file']);

/** A structure of the kernel, as the program's BTF describes it, or the one it was relocated for: a program that is built anew for a kernel has its own. */
export const kernelRegion: Region = {
  read(v, access) {
    if (access.base.target === UNTRUSTED_MEMORY) return ANYTHING;
    const leaf = memberAt(v, access);
    if (leaf === undefined) return undefined;
    const target = pointedTo(v.program, leaf.member.type);
    return target === undefined ? ANYTHING : pointerFrom(v, access.base, leaf.member.name, target);
  },
  write(v, access) {
    if (isMarkOfConnection(v, access)) return true;
    const { index, base } = access;
    return v.refuse('write-read-only', `r${index} (${describeKind(base)}) points to what cannot be written`);
  },
};

function pointerFrom(v: Verification, base: Register, member: string | null, target: BtfTarget): Register {
  const from = (base.target as BtfTarget).name;
  const nullable = (base.flags & TRUSTED) !== 0 && MAY_BE_NULL.has(`${from}.${member}`);
  return nullable
    ? pointer('btf', { flags: UNTRUSTED | NULLABLE, id: v.newId(), target })
    : pointer('btf', { flags: UNTRUSTED, target });
}

/** Of a connection, new or not, the mark may be written. */
function isMarkOfConnection({ program }: Verification, access: Access): boolean {
  const { name } = access.base.target as BtfTarget;
  const { type } = kernelStruct(program, 'nf_conn');
  if ((name !== 'nf_conn' && name !== 'nf_conn___init') || type === null || access.size !== MARK) return false;
  if (access.base.reference === 0) return false;
  const member = membersOf(kernelBtf(program)!, type)?.find((each) => each.name === 'mark');
  return member !== undefined && member.bitOffset === (offsetOf(access) ?? -1) * 8;
}
const MARK = 4;

interface Leaf {
  readonly member: BtfMember;
  /** Of the access, from the start of the member. */
  readonly offset: number;
}

/** The member that is read; undefined when it is refused. */
function memberAt(v: Verification, access: Access): Leaf | undefined {
  const { base, size, index } = access;
  const btf = kernelBtf(v.program);
  const { type, name } = base.target as BtfTarget;
  const at = offsetOf(access);
  const leaf = btf === null || type === null || at === undefined ? undefined : leafAt(btf, type, at, size);
  if (leaf !== undefined) return leaf;
  v.refuse(
    'out-of-bounds',
    `${bytesOf(at ?? access.offset, size)} through r${index} are no member of struct ${name || 'unknown'} as this program has it`,
  );
  return undefined;
}

function offsetOf({ base, offset }: Access): number | undefined {
  if (!base.value.isConst) return undefined;
  return offset + base.offset + constantOf(base.value);
}

/** The member within which all bytes of an access lie; of nested structures the innermost. */
export function leafAt(btf: Btf, id: number, at: number, size: number): Leaf | undefined {
  for (const member of membersOf(btf, id) ?? []) {
    const bits = bitfieldSize(btf, member);
    if (bits !== 0) {
      const end = Math.ceil((member.bitOffset + bits) / 8);
      if (at <= Math.floor(member.bitOffset / 8) && end <= at + size) return { member, offset: 0 };
      continue;
    }
    const offset = at - member.bitOffset / 8;
    const length = sizeOf(btf, member.type) ?? 0;
    if (offset < 0 || offset >= length) continue;
    let type = resolve(btf, member.type);
    let within = offset;
    for (let array = btf.typeById(type); array.kind === 'array'; array = btf.typeById(type)) {
      const element = sizeOf(btf, array.type);
      const next = resolve(btf, array.type);
      const isPlain = membersOf(btf, next) === null && btf.typeById(next).kind !== 'array';
      if (isPlain && btf.typeById(next).kind !== 'ptr') return offset + size <= length ? { member, offset } : undefined;
      if (element === null || element === 0) return undefined;
      within %= element;
      type = next;
    }
    const inner = btf.typeById(type);
    if (inner.kind === 'struct' || inner.kind === 'union') return leafAt(btf, type, within, size);
    if (inner.kind === 'ptr') return within === 0 && size === 8 ? { member, offset } : undefined;
    return offset + size <= length ? { member, offset } : undefined;
  }
  return undefined;
}

/** What a pointer points to; undefined where the type is none. */
function pointedTo(program: Program, id: number): BtfTarget | undefined {
  const btf = kernelBtf(program)!;
  let type = resolveType(btf, id);
  while (type.kind === 'array') type = resolveType(btf, type.type);
  if (type.kind !== 'ptr') return undefined;
  const to = resolveType(btf, type.type);
  if (to.kind !== 'struct' && to.kind !== 'fwd') return UNTRUSTED_MEMORY;
  return kernelStruct(program, to.name ?? '');
}
