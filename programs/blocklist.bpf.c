// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* XDP blocklist: drops by source network (longest prefix match, IPv4 and IPv6) and by destination port.
 *
 * Each map entry holds the number of the rule that it belongs to. Rule 0 passes, so that a longer prefix can
 * exempt a part of a blocked network. Tagged frames (802.1Q and 802.1ad) are filtered like untagged ones. */
#include "common.bpf.h"

#define MAX_RULES 64
#define RULE_PASS 0

struct v4_prefix {
	__u32 prefixlen;
	__be32 addr;
};

struct v6_prefix {
	__u32 prefixlen;
	struct in6_addr addr;
};

struct port_key {
	__be16 port;
	__u8 proto;
	__u8 pad;
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct v4_prefix);
	__type(value, __u32);
} blocked_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct v6_prefix);
	__type(value, __u32);
} blocked_v6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct port_key);
	__type(value, __u32);
} blocked_ports SEC(".maps");

/* By rule number; entry 0 counts what passed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_RULES);
	__type(key, __u32);
	__type(value, struct counter);
} rule_hits SEC(".maps");

static __noinline int account(__u32 rule, __u64 bytes)
{
	struct counter *hits = bpf_map_lookup_elem(&rule_hits, &rule);
	if (hits) {
		hits->packets++;
		hits->bytes += bytes;
	}
	return rule == RULE_PASS ? XDP_PASS : XDP_DROP;
}

static __always_inline __u32 match_port(struct cursor *cur, __u8 proto)
{
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return RULE_PASS;
	struct ports *ports = PULL(cur, struct ports);
	if (!ports)
		return RULE_PASS;
	struct port_key key = { .port = ports->dest, .proto = proto };
	__u32 *rule = bpf_map_lookup_elem(&blocked_ports, &key);
	return rule ? *rule : RULE_PASS;
}

SEC("xdp")
int blocklist(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	__u64 bytes = cur.end - cur.pos;
	__be16 proto = pull_ethernet(&cur);
	__u32 *rule = NULL;

	if (proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = pull_ipv4(&cur);
		if (!ip)
			return XDP_ABORTED;
		struct v4_prefix key = { .prefixlen = 32, .addr = ip->saddr };
		rule = bpf_map_lookup_elem(&blocked_v4, &key);
		if (rule)
			return account(*rule, bytes);
		if (is_later_fragment(ip)) /* carries no ports */
			return account(RULE_PASS, bytes);
		return account(match_port(&cur, ip->protocol), bytes);
	}
	if (proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = PULL(&cur, struct ipv6hdr);
		if (!ip)
			return XDP_ABORTED;
		struct v6_prefix key = { .prefixlen = 128, .addr = ip->saddr };
		rule = bpf_map_lookup_elem(&blocked_v6, &key);
		if (rule)
			return account(*rule, bytes);
		return account(match_port(&cur, ip->nexthdr), bytes);
	}
	return account(RULE_PASS, bytes);
}

char _license[] SEC("license") = "GPL";
