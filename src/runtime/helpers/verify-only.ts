import type { ArgumentKind, Helper, HelperPrototype, ReturnKind } from '../../abi/helper.ts';
import { type HelperName, helperId } from '../../abi/helper-names.ts';
import { LWT, TC, TC_CGROUP, XDP_TC } from './program-types.ts';

/** Helpers that networking programs may call and that only verify: a run is refused by name. Linux 6.18's prototypes. */

type More = Omit<HelperPrototype, 'args' | 'returns' | 'programTypes'>;

function known(
  name: HelperName,
  programTypes: HelperPrototype['programTypes'],
  args: string,
  returns: ReturnKind = 'integer',
  more: More = {},
): Helper {
  const kinds = (args === '' ? [] : args.split(' ')) as ArgumentKind[];
  return { name, id: helperId(name), prototype: { args: kinds, returns, programTypes, ...more } };
}

const GPL: More = { gplOnly: true };
const MOVES: More = { changesPacket: true };

/** Sockets: they need an outside host. */
const sockets = [
  known('tcp_raw_gen_syncookie_ipv4', XDP_TC, 'mem20 mem size0', 'integer', GPL),
  known('tcp_raw_gen_syncookie_ipv6', XDP_TC, 'mem40 mem size0', 'integer', GPL),
  known('tcp_raw_check_syncookie_ipv4', XDP_TC, 'mem20 mem20', 'integer', GPL),
  known('tcp_raw_check_syncookie_ipv6', XDP_TC, 'mem40 mem20', 'integer', GPL),
  known('sk_storage_get', TC_CGROUP, 'map sock-common value? u64', 'value?'),
  known('sk_storage_delete', TC_CGROUP, 'map sock-common'),
  known('sk_cgroup_id', ['cgroup_skb'], 'sock-common'),
  known('sk_ancestor_cgroup_id', ['cgroup_skb'], 'sock-common s32'),
  known('skb_get_xfrm_state', TC, 'ctx u32 mem-out size u64'),
  known('skb_under_cgroup', [...TC, ...LWT], 'ctx map u32'),
  known('get_local_storage', ['cgroup_skb'], 'map u64', 'value'),
  known('lwt_push_encap', ['lwt_in', 'lwt_xmit'], 'ctx u32 mem size', 'integer', MOVES),
  known('lwt_seg6_store_bytes', ['lwt_seg6local'], 'ctx u32 mem size'),
  known('lwt_seg6_adjust_srh', ['lwt_seg6local'], 'ctx u32 s32', 'integer', MOVES),
  known('lwt_seg6_action', ['lwt_seg6local'], 'ctx u32 mem size', 'integer', MOVES),
  known('sk_redirect_map', ['sk_skb'], 'ctx map u32 u64'),
  known('sk_redirect_hash', ['sk_skb'], 'ctx map key u64'),
  known('skc_to_unix_sock', 'all', 'sock-common', 'btf-id?'),
  known('skc_to_mptcp_sock', 'all', 'sock-common', 'btf-id?'),
];

/** Timers, kernel pointers. */
const objects = [
  known('timer_init', 'all', 'timer map u64', 'integer', GPL),
  known('timer_set_callback', 'all', 'timer callback', 'integer', GPL),
  known('timer_start', 'all', 'timer u64 u64', 'integer', GPL),
  known('timer_cancel', 'all', 'timer', 'integer', GPL),
  known('kptr_xchg', 'all', 'kptr-slot kptr?', 'kptr?'),
  known('per_cpu_ptr', 'all', 'percpu-btf-id u32', 'percpu-btf-id?'),
  known('this_cpu_ptr', 'all', 'percpu-btf-id', 'percpu-btf-id'),
  known('user_ringbuf_drain', 'all', 'map callback stack? u64'),
];

/** The task that happens to run, and the kernel's own memory. */
const tasks = [
  known('get_current_pid_tgid', 'all', ''),
  known('get_current_uid_gid', 'all', ''),
  known('get_current_comm', 'all', 'mem-out size'),
  known('get_current_task', 'all', '', 'integer', GPL),
  known('get_current_task_btf', 'all', '', 'btf-id', GPL),
  known('get_current_cgroup_id', 'all', ''),
  known('get_current_ancestor_cgroup_id', 'all', 's32'),
  known('get_ns_current_pid_tgid', 'all', 'u64 u64 mem-out size'),
  known('current_task_under_cgroup', 'all', 'map u32'),
  known('send_signal', 'all', 'u32'),
  known('send_signal_thread', 'all', 'u32'),
  known('task_pt_regs', 'all', 'btf-id', 'btf-id', GPL),
  known('get_task_stack', 'all', 'btf-id mem-out size0 u64'),
  known('find_vma', 'all', 'btf-id u64 callback stack? u64'),
  known('task_storage_get', 'all', 'map btf-id value? u64', 'value?'),
  known('task_storage_delete', 'all', 'map btf-id'),
  known('cgrp_storage_get', 'all', 'map btf-id value? u64', 'value?'),
  known('cgrp_storage_delete', 'all', 'map btf-id'),
  known('probe_read_user', 'all', 'mem-out size0 u64', 'integer', GPL),
  known('probe_read_user_str', 'all', 'mem-out size0 u64', 'integer', GPL),
  known('probe_read_kernel', 'all', 'mem-out size0 u64', 'integer', GPL),
  known('probe_read_kernel_str', 'all', 'mem-out size0 u64', 'integer', GPL),
  known('perf_event_read', 'all', 'map u64', 'integer', GPL),
  known('perf_event_read_value', 'all', 'map u64 mem-out size', 'integer', GPL),
  known('get_branch_snapshot', 'all', 'mem-out size0 u64', 'integer', GPL),
  known('snprintf_btf', 'all', 'mem-out size mem size u64'),
];

export const verifyOnlyHelpers: readonly Helper[] = [...sockets, ...objects, ...tasks];
