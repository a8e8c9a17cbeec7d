// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* A firewall for a control group: what its processes may receive, and where they may send to. Packets begin at the IP
 * header here; 1 allows, 0 drops, and egress may add 2 to report congestion. */
#include "common.bpf.h"

#define DROP 0
#define ALLOW 1
#define CONGESTED 2 /* egress only */

/* Remote networks that the group may not talk to. */
struct v4_prefix {
	__u32 prefixlen;
	__be32 addr;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct v4_prefix);
	__type(value, __u8);
} forbidden SEC(".maps");

struct counters {
	__u64 allowed;
	__u64 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2); /* ingress, egress */
	__type(key, __u32);
	__type(value, struct counters);
} directions SEC(".maps");

static __always_inline int account(__u32 direction, bool allow)
{
	struct counters *counters = bpf_map_lookup_elem(&directions, &direction);
	if (counters)
		__sync_fetch_and_add(allow ? &counters->allowed : &counters->dropped, 1);
	return allow ? ALLOW : DROP;
}

static __always_inline bool is_forbidden(__be32 remote)
{
	struct v4_prefix key = { .prefixlen = 32, .addr = remote };
	return bpf_map_lookup_elem(&forbidden, &key);
}

/* Drops what comes from forbidden networks, and TCP connections that the group did not open, over either family. */
SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
	struct cursor cur = CURSOR(skb);
	__u8 proto;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = pull_ipv4(&cur);
		if (!ip || is_forbidden(ip->saddr))
			return account(0, false);
		proto = is_later_fragment(ip) ? 0 : ip->protocol;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = PULL(&cur, struct ipv6hdr);
		if (!ip)
			return account(0, false);
		proto = ip->nexthdr;
	} else {
		return account(0, true);
	}
	if (proto != IPPROTO_TCP)
		return account(0, true);
	struct tcphdr *tcp = PULL(&cur, struct tcphdr);
	if (!tcp)
		return account(0, false);
	return account(0, !tcp->syn || tcp->ack);
}

/* Drops what goes to forbidden networks; reports congestion for full-sized packets, and lets them go. */
SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	struct iphdr ip;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET) || is_forbidden(ip.daddr))
			return account(1, false);
	}
	skb->mark = 0x5eed;
	return account(1, true) | (skb->len >= 1500 ? CONGESTED : 0);
}

char _license[] SEC("license") = "GPL";
