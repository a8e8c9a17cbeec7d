import type { Btf } from '../../object/btf/btf.ts';
import { membersOf, resolve, sizeOf } from '../../object/btf/types.ts';
import type { MapSpec } from '../../object/spec.ts';
import type { Verification } from '../walk/verification.ts';
import { declTags } from './decl-tags.ts';
import { type Access, bytesOf } from './region.ts';

/** Parts of a map value that programs touch through helpers only, known by the name of their type in BTF. */
export interface SpecialField {
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  /** Of a pointer: the structure to which it points, by its id. */
  readonly pointsTo?: number;
  /** Of a list or tree: the structure of its elements, by its id, and where in it their node lies. */
  readonly contains?: { readonly type: number; readonly offset: number };
}

const SPECIAL: ReadonlySet<string> = new Set([
  'bpf_spin_lock',
  'bpf_res_spin_lock',
  'bpf_timer',
  'bpf_wq',
  'bpf_list_head',
  'bpf_list_node',
  'bpf_rb_root',
  'bpf_rb_node',
  'bpf_refcount',
  'bpf_task_work',
]);

const POINTER_TAGS: ReadonlySet<string> = new Set(['kptr', 'kptr_untrusted', 'percpu_kptr', 'uptr']);

const ofTypes = new WeakMap<Btf, Map<number, readonly SpecialField[]>>();

/** Of a structure by its id. */
export function specialFieldsOfType(btf: Btf, type: number): readonly SpecialField[] {
  let all = ofTypes.get(btf);
  if (all === undefined) ofTypes.set(btf, (all = new Map()));
  let fields = all.get(type);
  if (fields === undefined) {
    const found: SpecialField[] = [];
    collect(btf, type, 0, found, 0);
    all.set(type, (fields = found.length === 0 ? NONE : found));
  }
  return fields;
}

const known = new WeakMap<MapSpec, readonly SpecialField[]>();
const NONE: readonly SpecialField[] = [];

/** Of a map without BTF there are none: Linux knows them by BTF, too. */
export function specialFields(btf: Btf | null, map: MapSpec): readonly SpecialField[] {
  if (btf === null || map.valueBtfId === null) return NONE;
  let fields = known.get(map);
  if (fields === undefined) {
    const found: SpecialField[] = [];
    if (map.variables === undefined) collect(btf, map.valueBtfId, 0, found, 0);
    else for (const each of map.variables) collectVariable(btf, each, found);
    fields = found.length === 0 ? NONE : found;
    known.set(map, fields);
  }
  return fields;
}

/** Nesting deeper than this has no special field that Linux would find. */
const DEEPEST = 8;

function collect(
  btf: Btf,
  id: number,
  offset: number,
  found: SpecialField[],
  depth: number,
  tags: ReadonlySet<string> = NO_TAGS,
): void {
  if (depth > DEEPEST) return;
  let type = btf.typeById(id);
  let self = id;
  while (type.kind === 'typedef' || type.kind === 'const' || type.kind === 'volatile' || type.kind === 'restrict') {
    self = type.type;
    type = btf.typeById(self);
  }
  if (type.kind === 'ptr') {
    const to = btf.typeById(type.type);
    if (to.kind === 'type_tag' && POINTER_TAGS.has(to.name))
      found.push({ type: `${to.name} pointer`, offset, size: 8, pointsTo: resolve(btf, to.type) });
    return;
  }
  if (type.kind === 'array') {
    const before = found.length;
    collect(btf, type.type, offset, found, depth + 1, tags);
    if (found.length === before || type.nelems > 64) return;
    const first = found.splice(before);
    const stride = sizeOf(btf, type.type) ?? 0;
    for (let i = 0; i < type.nelems; i++)
      for (const each of first) found.push({ ...each, offset: each.offset + i * stride });
    return;
  }
  if (type.kind !== 'struct') return;
  if (SPECIAL.has(type.name)) {
    const contains = containedBy(btf, tags);
    found.push({ type: type.name, offset, size: type.size, ...(contains === undefined ? {} : { contains }) });
    return;
  }
  for (const [index, member] of type.members.entries()) {
    if (member.bitOffset % 8 !== 0) continue;
    collect(btf, member.type, offset + member.bitOffset / 8, found, depth + 1, declTags(btf, self, index));
  }
}

function collectVariable(
  btf: Btf,
  { type, offset }: NonNullable<MapSpec['variables']>[number],
  found: SpecialField[],
): void {
  const variable = btf.typeById(type);
  if (variable.kind === 'var') collect(btf, variable.type, offset, found, 1, declTags(btf, type, -1));
}

const NO_TAGS: ReadonlySet<string> = new Set();

/** What the tag `contains:STRUCTURE:MEMBER` says. */
function containedBy(btf: Btf, tags: ReadonlySet<string>): SpecialField['contains'] {
  for (const tag of tags) {
    const [, name, node] = /^contains:([^:]+):([^:]+)$/.exec(tag) ?? [];
    const type = name === undefined ? undefined : btf.findByName(name, 'struct');
    const member = type === undefined ? undefined : membersOf(btf, type)?.find((each) => each.name === node);
    if (member !== undefined) return { type: type!, offset: member.bitOffset / 8 };
  }
  return undefined;
}

/** Whether an access touches none of the fields. */
export function isClearOf(v: Verification, access: Access, fields: readonly SpecialField[], where: string): boolean {
  if (fields.length === 0) return true;
  const { base, size, index } = access;
  const offset = access.offset + base.offset;
  const first = offset + Number(base.value.smin);
  const last = offset + Number(base.value.umax) + size;
  for (const field of fields) {
    if (first >= field.offset + field.size || field.offset >= last) continue;
    return v.refuse(
      'special-field',
      `${bytesOf(first, last - first)} through r${index} include the ${field.type} ${where}, which only helpers touch`,
    );
  }
  return true;
}
