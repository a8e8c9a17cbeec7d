import type { ReturnKind } from '../../abi/helper.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import { specialFields } from '../regions/special-fields.ts';
import { kernelStruct, UNKNOWN_STRUCT } from '../state/kernel-structs.ts';
import {
  ANYTHING,
  type BtfTarget,
  NULLABLE,
  pointer,
  RECORD,
  type Register,
  TRUSTED,
  UNSET,
} from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import type { HelperCall } from './arguments.ts';
import { exchangedFor } from './graph.ts';

const ARRAYS: ReadonlySet<number> = new Set([mapTypeId('array'), mapTypeId('percpu_array')]);
const SOCKET_MAPS: ReadonlySet<number> = new Set([mapTypeId('sockmap'), mapTypeId('sockhash')]);

/** Helpers whose result must be released. */
const ACQUIRES: ReadonlySet<string> = new Set(['sk_lookup_tcp', 'sk_lookup_udp', 'skc_lookup_tcp', 'ringbuf_reserve']);

/** Helpers whose result is their argument seen as another kind: valid as long as it is. */
const CASTS: ReadonlySet<string> = new Set([
  'tcp_sock',
  'sk_fullsock',
  'skc_to_tcp6_sock',
  'skc_to_tcp_sock',
  'skc_to_tcp_timewait_sock',
  'skc_to_tcp_request_sock',
  'skc_to_udp6_sock',
  'skc_to_unix_sock',
  'skc_to_mptcp_sock',
]);

/** `tcp_sock` of skc_to_tcp_sock. */
function castTo(v: Verification, { helper }: HelperCall): BtfTarget {
  return kernelStruct(v.program, helper.name.replace(/^skc_to_/, ''));
}

/** Structures of the kernel that helpers return without a reference to them. */
const RETURNED: Readonly<Record<string, string>> = { get_current_task_btf: 'task_struct', task_pt_regs: 'pt_regs' };

type Rule = (v: Verification, call: HelperCall) => Register;

const sock =
  (kind: 'sock' | 'sock-common' | 'tcp-sock'): Rule =>
  (v, call) =>
    owned(v, call, pointer(kind, { flags: NULLABLE }));

const RESULTS: { readonly [Kind in ReturnKind]?: Rule } = {
  integer: () => ANYTHING,
  void: () => UNSET,
  value: (v, call) => pointer('map-value', { target: call.map, id: lockId(v, call) }),
  'value?': mapValue,
  'record?': (v, call) => owned(v, call, pointer('memory', { flags: NULLABLE | RECORD, extent: call.allocated })),
  'sock?': sock('sock'),
  'sock-common?': sock('sock-common'),
  'tcp-sock?': sock('tcp-sock'),
  'btf-id?': (v, call) => owned(v, call, pointer('btf', { flags: NULLABLE, target: castTo(v, call) })),
  'btf-id': (v, { helper }) =>
    pointer('btf', { flags: TRUSTED, target: kernelStruct(v.program, RETURNED[helper.name] ?? '') }),
  'dynptr-mem?': dynptrMemory,
  'kptr?': exchangedFor,
  'percpu-btf-id?': (v) => pointer('btf', { flags: NULLABLE, id: v.newId(), target: UNKNOWN_STRUCT }),
  'percpu-btf-id': () => pointer('btf', { target: UNKNOWN_STRUCT }),
};

/** What r0 holds after the call; undefined when the verifier does not follow such results. */
export function resultOf(v: Verification, call: HelperCall, returns: ReturnKind): Register | undefined {
  const rule = RESULTS[returns];
  if (rule !== undefined) return rule(v, call);
  v.refuse('not-followed', `what bpf_${call.helper.name} returns is not followed by this verifier`);
  return undefined;
}

function dynptrMemory(v: Verification, { dynptr, allocated }: HelperCall): Register {
  const { target, reference } = dynptr!;
  return pointer('memory', { flags: NULLABLE, extent: allocated, id: v.newId(), target, reference });
}

function mapValue(v: Verification, call: HelperCall): Register {
  const map = call.map!;
  if (SOCKET_MAPS.has(map.type) && call.helper.name === 'map_lookup_elem')
    return owned(v, call, pointer('sock', { flags: NULLABLE }), true);
  const isThere = call.key !== null && ARRAYS.has(map.type) && call.key >= 0 && call.key < map.maxEntries;
  if (isThere && call.helper.name === 'map_lookup_elem')
    return pointer('map-value', { target: map, id: lockId(v, call) });
  return pointer('map-value', { target: map, flags: NULLABLE, id: v.newId() });
}

/** Values with a lock are told apart by the lookups that gave them. */
function lockId(v: Verification, { map }: HelperCall): number {
  if (map === null) return 0;
  return specialFields(v.program.btf, map).some((field) => field.type === 'bpf_spin_lock') ? v.newId() : 0;
}

function owned(
  v: Verification,
  { helper, reference }: HelperCall,
  result: Register,
  acquires = ACQUIRES.has(helper.name),
): Register {
  const { kind, flags, extent, target } = result;
  if (acquires) {
    const id = v.newId();
    v.state.references = [...v.state.references, { id, pc: v.pc }];
    return pointer(kind, { flags, extent, target, id, reference: id });
  }
  const id = v.newId();
  return pointer(kind, { flags, extent, target, id, reference: CASTS.has(helper.name) ? reference : 0 });
}
