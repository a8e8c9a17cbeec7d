import type { ArgumentKind } from '../../abi/helper.ts';
import type { RegisterKind } from '../state/register.ts';

const MEMORY: readonly RegisterKind[] = ['stack', 'packet', 'packet-meta', 'map-key', 'map-value', 'memory'];
const SOCKETS: readonly RegisterKind[] = ['sock-common', 'sock', 'tcp-sock', 'xdp-sock'];
const NUMBER: readonly RegisterKind[] = ['scalar'];

/** Kinds of registers that each kind of argument takes; `anything` takes every one that is initialised. */
export const TAKES: Record<ArgumentKind, readonly RegisterKind[] | 'anything' | 'unchecked'> = {
  ctx: ['context'],
  'ctx?': ['context'],
  map: ['map'],
  key: MEMORY,
  value: MEMORY,
  'value?': MEMORY,
  'value-out': MEMORY,
  mem: MEMORY,
  'mem?': MEMORY,
  'mem-out': MEMORY,
  'mem-out?': MEMORY,
  mem20: MEMORY,
  mem40: MEMORY,
  'int-out': MEMORY,
  'long-out': MEMORY,
  'int-in-out': MEMORY,
  size: NUMBER,
  size0: NUMBER,
  'alloc-size': NUMBER,
  'const-string': ['map-value'],
  callback: ['function'],
  'stack?': ['stack'],
  record: ['memory'],
  u64: 'anything',
  u32: 'anything',
  s32: 'anything',
  unchecked: 'unchecked',
  'spin-lock': ['map-value', 'object'],
  timer: ['map-value'],
  dynptr: ['stack', 'dynptr'],
  'dynptr-stack': ['stack'],
  'dynptr-record': ['stack'],
  'dynptr-mem': ['map-value'],
  'dynptr-out': ['stack'],
  sock: ['sock'],
  'sock-common': [...SOCKETS, 'btf'],
  'btf-id': ['btf', 'sock', 'tcp-sock'],
  'kptr-slot': ['map-value', 'object'],
  'kptr?': ['btf', 'object', 'scalar'],
  'percpu-btf-id': ['percpu-btf'],
};

/** Kinds that may be handed over moved from their start. */
export const MOVED: ReadonlySet<RegisterKind> = new Set([...MEMORY, 'object', 'scalar', 'function']);

/** Helpers that release what they are given. */
export const RELEASES: ReadonlySet<string> = new Set(['sk_release', 'ringbuf_submit', 'ringbuf_discard']);
/** sk_release also takes sockets of which only the common part is known. */
export const ANY_SOCKET: ReadonlySet<string> = new Set(['sk_release']);

/** Helpers that take pointers into the packet (`pkt_access` of Linux's prototypes; asked of 6.18 helper by helper). */
export const TAKES_PACKET: ReadonlySet<string> = new Set([
  'map_lookup_elem',
  'map_update_elem',
  'map_delete_elem',
  'map_push_elem',
  'map_lookup_percpu_elem',
  'csum_diff',
  'sk_lookup_tcp',
  'sk_lookup_udp',
  'skc_lookup_tcp',
  'tcp_check_syncookie',
  'tcp_gen_syncookie',
  'tcp_raw_gen_syncookie_ipv4',
  'tcp_raw_gen_syncookie_ipv6',
  'tcp_raw_check_syncookie_ipv4',
  'tcp_raw_check_syncookie_ipv6',
]);

/** Program types that let helpers see the packet through pointers. */
export const PACKET_TYPES: ReadonlySet<string> = new Set([
  'xdp',
  'sched_cls',
  'sched_act',
  'lwt_in',
  'lwt_out',
  'lwt_xmit',
  'lwt_seg6local',
  'cgroup_skb',
  'flow_dissector',
  'sk_skb',
]);
