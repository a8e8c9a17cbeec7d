/**
 * Which program types Linux 6.18 lets call a helper, by libbpf's names of those that can be replayed here: asked of the
 * kernel helper by helper. What every one of them may call says `all` instead.
 */
export const XDP = ['xdp'] as const;
export const TC = ['sched_cls', 'sched_act'] as const;
export const LWT = ['lwt_in', 'lwt_out', 'lwt_xmit'] as const;
export const XDP_TC = [...XDP, ...TC] as const;
export const TC_CGROUP = [...TC, 'cgroup_skb'] as const;
/** Types that may change an sk_buff beyond its bytes. */
export const TC_LWT_XMIT = [...TC, 'lwt_xmit'] as const;
export const TC_LWT = [...TC, ...LWT] as const;
/** Types that see sockets by looking them up. */
export const LOOKUP = [...XDP, ...TC_CGROUP] as const;
/** Types over an sk_buff whose socket may be asked. */
export const SOCKET = [...TC_CGROUP, 'socket_filter'] as const;
/** Every type over an sk_buff. */
export const SKB = [...SOCKET, ...LWT] as const;
