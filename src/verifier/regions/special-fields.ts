import type { Btf } from '../../object/btf/btf.ts';
import type { MapSpec } from '../../object/spec.ts';

/** Parts of a map value that programs touch through helpers only, known by the name of their type in BTF. */
export interface SpecialField {
  readonly type: string;
  readonly offset: number;
  readonly size: number;
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

const known = new WeakMap<MapSpec, readonly SpecialField[]>();
const NONE: readonly SpecialField[] = [];

/** Of a map without BTF there are none: Linux knows them by BTF, too. */
export function specialFields(btf: Btf | null, map: MapSpec): readonly SpecialField[] {
  if (btf === null || map.valueBtfId === null) return NONE;
  let fields = known.get(map);
  if (fields === undefined) {
    const found: SpecialField[] = [];
    collect(btf, map.valueBtfId, 0, found, 0);
    fields = found.length === 0 ? NONE : found;
    known.set(map, fields);
  }
  return fields;
}

/** Nesting deeper than this has no special field that Linux would find. */
const DEEPEST = 8;

function collect(btf: Btf, id: number, offset: number, found: SpecialField[], depth: number): void {
  if (depth > DEEPEST) return;
  let type = btf.typeById(id);
  while (type.kind === 'typedef' || type.kind === 'const' || type.kind === 'volatile' || type.kind === 'restrict') {
    type = btf.typeById(type.type);
  }
  if (type.kind === 'ptr') {
    const to = btf.typeById(type.type);
    if (to.kind === 'type_tag' && POINTER_TAGS.has(to.name))
      found.push({ type: `${to.name} pointer`, offset, size: 8 });
    return;
  }
  if (type.kind === 'array') {
    const before = found.length;
    collect(btf, type.type, offset, found, depth + 1);
    if (found.length === before || type.nelems > 64) return;
    const first = found.splice(before);
    const stride = 'size' in btf.typeById(type.type) ? (btf.typeById(type.type) as { size: number }).size : 8;
    for (let i = 0; i < type.nelems; i++)
      for (const each of first) found.push({ ...each, offset: each.offset + i * stride });
    return;
  }
  if (type.kind !== 'struct') {
    if (type.kind === 'datasec') for (const each of type.variables) collectVariable(btf, each, offset, found, depth);
    return;
  }
  if (SPECIAL.has(type.name)) {
    found.push({ type: type.name, offset, size: type.size });
    return;
  }
  for (const member of type.members) {
    if (member.bitOffset % 8 === 0) collect(btf, member.type, offset + member.bitOffset / 8, found, depth + 1);
  }
}

function collectVariable(
  btf: Btf,
  each: { readonly type: number; readonly offset: number },
  offset: number,
  found: SpecialField[],
  depth: number,
): void {
  const variable = btf.typeById(each.type);
  if (variable.kind === 'var') collect(btf, variable.type, offset + each.offset, found, depth + 1);
}
