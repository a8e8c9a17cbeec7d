import { kfunc } from './define.ts';

const CONNTRACK = 'xdp sched_cls';
const LOOKUP = 'ctx buffer buffer-size buffer buffer-size';

/** Connection tracking (net/netfilter), sockets, IPsec, packet data. */
export const networkingKfuncs = [
  kfunc('xdp_ct_lookup', 'xdp', LOOKUP, '*nf_conn?', 'acquires'),
  kfunc('skb_ct_lookup', 'sched_cls', LOOKUP, '*nf_conn?', 'acquires'),
  kfunc('xdp_ct_alloc', 'xdp', LOOKUP, '*nf_conn___init?', 'acquires'),
  kfunc('skb_ct_alloc', 'sched_cls', LOOKUP, '*nf_conn___init?', 'acquires'),
  kfunc('ct_insert_entry', CONNTRACK, '*nf_conn___init', '*nf_conn?', 'acquires releases'),
  kfunc('ct_release', CONNTRACK, '*nf_conn', 'void', 'releases'),
  kfunc('ct_set_timeout', CONNTRACK, '*nf_conn___init number'),
  kfunc('ct_change_timeout', CONNTRACK, '*nf_conn number', 'integer'),
  kfunc('ct_set_status', CONNTRACK, '*nf_conn___init number', 'integer'),
  kfunc('ct_change_status', CONNTRACK, '*nf_conn number', 'integer'),
  kfunc('ct_set_nat_info', CONNTRACK, '*nf_conn___init nat-address number number', 'integer'),
  kfunc('sk_assign_tcp_reqsk', 'sched_cls', 'ctx *sock buffer buffer-size', 'integer'),
  kfunc('xdp_get_xfrm_state', 'xdp', 'ctx buffer buffer-size', '*xfrm_state?', 'acquires'),
  kfunc('xdp_xfrm_state_release', 'xdp', '*xfrm_state', 'void', 'releases'),
  kfunc('xdp_pull_data', 'xdp', 'ctx number', 'integer', 'changes-packet'),
];
