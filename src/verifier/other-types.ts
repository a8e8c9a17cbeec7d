import { SK_BUFF } from '../abi/context.ts';
import type { ProgramType } from '../abi/program-type.ts';

/** What the verifier asks of a program type: which part of its context may be used how. */
export type ContextRules = Pick<ProgramType, 'context' | 'readable' | 'writable' | 'pointers'>;

interface OtherType extends ContextRules {
  /** Helpers that such programs may call besides those that every type may. */
  readonly helpers: ReadonlySet<string>;
}

const ALL: ReadonlySet<string> = new Set(SK_BUFF.fields.map((field) => field.name));
const without = (...names: string[]): ReadonlySet<string> => ALL.difference(new Set(names));

/** Program types that cannot be replayed here, and are verified all the same; asked of Linux 6.18. */
export const OTHER_TYPES: Readonly<Record<string, OtherType>> = {
  sk_skb: {
    context: SK_BUFF,
    readable: without(
      'tc_classid', 'data_meta', 'tstamp', 'wire_len', 'hwtstamp', 'mark', 'flow_keys', 'tstamp_type',
    ), // biome-ignore format: a list
    writable: new Set(['tc_index', 'priority']),
    pointers: { data: 'packet', data_end: 'packet-end', sk: 'sock-common?' },
    helpers: new Set([
      'skb_store_bytes', 'perf_event_output', 'skb_load_bytes', 'skb_change_tail', 'skb_pull_data', 'skb_change_head',
      'get_socket_cookie', 'get_socket_uid', 'skb_adjust_room', 'sk_lookup_tcp', 'sk_lookup_udp', 'sk_release',
      'skc_lookup_tcp',
    ]), // biome-ignore format: a list
  },
  flow_dissector: {
    context: SK_BUFF,
    readable: new Set(['data', 'data_end', 'flow_keys']),
    writable: new Set(),
    pointers: { data: 'packet', data_end: 'packet-end', flow_keys: 'flow-keys' },
    helpers: new Set(['skb_load_bytes']),
  },
  lwt_seg6local: {
    context: SK_BUFF,
    readable: without(
      'tc_classid', 'data_meta', 'tstamp', 'wire_len', 'hwtstamp', 'flow_keys', 'tstamp_type', 'family', 'remote_ip4',
      'local_ip4', 'remote_ip6', 'local_ip6', 'remote_port', 'local_port',
    ), // biome-ignore format: a list
    writable: new Set(['mark', 'priority', 'cb']),
    pointers: { data: 'packet', data_end: 'packet-end', sk: 'sock-common?' },
    helpers: new Set([
      'get_route_realm', 'perf_event_output', 'skb_load_bytes', 'csum_diff', 'skb_under_cgroup', 'get_hash_recalc',
      'skb_pull_data',
    ]), // biome-ignore format: a list
  },
};
