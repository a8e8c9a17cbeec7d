import { kernelStruct } from '../state/kernel-structs.ts';
import { constantOf, NULLABLE, pointer, RCU, type Register, type Target, UNTRUSTED } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { objectType } from './object.ts';
import type { Access } from './region.ts';
import type { SpecialField } from './special-fields.ts';

/** Types of special fields that keep a pointer: one that is owned, and one that may be stale. */
export const KEPT = 'kptr pointer';
const KEPT_UNTRUSTED = 'kptr_untrusted pointer';

/** The kernel's structures that maps can own; each is let go of only after a grace period of RCU. All others are the program's. */
const OF_THE_KERNEL: ReadonlySet<string> = new Set([
  'task_struct',
  'cgroup',
  'bpf_cpumask',
  'bpf_crypto_ctx',
  'prog_test_ref_kfunc',
]);

/** What a field that owns a pointer points to. */
export function keptType(
  v: Verification,
  { pointsTo }: SpecialField,
): { readonly kind: 'btf' | 'object'; readonly target: Target } | undefined {
  const { btf } = v.program;
  const type = btf === null || pointsTo === undefined ? undefined : btf.typeById(pointsTo);
  if (type === undefined || !('name' in type) || type.name === undefined) return undefined;
  if (OF_THE_KERNEL.has(type.name)) return { kind: 'btf', target: kernelStruct(v.program, type.name) };
  const target = objectType(v.program, pointsTo!);
  return target === undefined ? undefined : { kind: 'object', target };
}

/** The pointer in a map's value that a load reads; undefined where it is no such load. */
export function keptPointer(
  v: Verification,
  { base, offset, size }: Access,
  fields: readonly SpecialField[],
): Register | undefined {
  const { instruction } = v;
  if (fields.length === 0 || instruction.kind !== 'load' || instruction.signed || size !== 8 || !base.value.isConst)
    return undefined;
  const at = offset + base.offset + constantOf(base.value);
  const field = fields.find((each) => each.offset === at && (each.type === KEPT || each.type === KEPT_UNTRUSTED));
  if (field === undefined) return undefined;
  if (field.type === KEPT_UNTRUSTED) {
    const type = field.pointsTo === undefined ? undefined : v.program.btf!.typeById(field.pointsTo);
    const target = kernelStruct(v.program, type !== undefined && 'name' in type ? (type.name ?? '') : '');
    return pointer('btf', { flags: UNTRUSTED | NULLABLE, id: v.newId(), target });
  }
  const kept = keptType(v, field);
  // Programs of the networking types run under RCU from beginning to end.
  return kept === undefined
    ? undefined
    : pointer(kept.kind, { flags: RCU | NULLABLE, id: v.newId(), target: kept.target });
}
