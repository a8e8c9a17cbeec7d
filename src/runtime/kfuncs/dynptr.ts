import { kfunc } from './define.ts';

const SKB = 'sched_cls sched_act socket_filter cgroup_skb lwt_in lwt_out lwt_xmit lwt_seg6local sk_skb';

/** Dynamic pointers: to a packet, a record of a ring buffer, or a map's value. */
export const dynptrKfuncs = [
  kfunc('dynptr_from_skb', SKB, 'ctx number dynptr-out', 'integer'),
  kfunc('dynptr_from_skb_meta', 'sched_cls sched_act', 'ctx number dynptr-out', 'integer'),
  kfunc('dynptr_from_xdp', 'xdp', 'ctx number dynptr-out', 'integer'),
  kfunc('dynptr_slice', 'all', 'dynptr number buffer? buffer-constant', 'slice?'),
  kfunc('dynptr_slice_rdwr', 'all', 'dynptr number buffer? buffer-constant', 'writable-slice?'),
  kfunc('dynptr_adjust', 'all', 'dynptr number number', 'integer'),
  kfunc('dynptr_is_null', 'all', 'dynptr', 'integer'),
  kfunc('dynptr_is_rdonly', 'all', 'dynptr', 'integer'),
  kfunc('dynptr_size', 'all', 'dynptr', 'integer'),
  kfunc('dynptr_clone', 'all', 'dynptr dynptr-out', 'integer'),
  kfunc('dynptr_copy', 'all', 'dynptr-stack number dynptr-stack number number', 'integer'),
  kfunc('dynptr_memset', 'all', 'dynptr-stack number number number', 'integer'),
  kfunc('probe_read_user_dynptr', 'all', 'dynptr-stack number number unchecked', 'integer'),
  kfunc('probe_read_user_str_dynptr', 'all', 'dynptr-stack number number unchecked', 'integer'),
  kfunc('probe_read_kernel_dynptr', 'all', 'dynptr-stack number number unchecked', 'integer'),
  kfunc('probe_read_kernel_str_dynptr', 'all', 'dynptr-stack number number unchecked', 'integer'),
];
