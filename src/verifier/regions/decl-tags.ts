import type { Btf } from '../../object/btf/btf.ts';

const known = new WeakMap<Btf, Map<string, Set<string>>>();
const NONE: ReadonlySet<string> = new Set();

/** The BTF tags of a declaration: of a member or parameter by its index, of a variable or function itself as −1. */
export function declTags(btf: Btf, type: number, component: number): ReadonlySet<string> {
  let all = known.get(btf);
  if (all === undefined) {
    all = new Map();
    for (let id = 1; id < btf.count; id++) {
      const tag = btf.typeById(id);
      if (tag.kind !== 'decl_tag') continue;
      const key = `${tag.type}:${tag.componentIndex}`;
      if (!all.has(key)) all.set(key, new Set());
      all.get(key)!.add(tag.name);
    }
    known.set(btf, all);
  }
  return all.get(`${type}:${component}`) ?? NONE;
}
