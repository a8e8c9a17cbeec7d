// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Some 2,500 instructions, as a large filter has them: rule after rule, each with its own constants, tests of headers,
 * arithmetic, and now and then a map. */
#include "../../programs/common.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} rules SEC(".maps");

struct headers {
	__be32 source, destination;
	__u32 ports;
	__u8 protocol, ttl;
};

static __always_inline __u32 rule(const struct headers *at, __u32 number, __u32 hash)
{
	if ((at->source & bpf_htonl(0xffffff00 << number % 8)) == bpf_htonl(0x0a000000 + number * 0x10100))
		hash ^= number * 0x9e3779b1;
	if (at->protocol == IPPROTO_TCP) {
		__u32 port = bpf_ntohs(at->ports >> 16);
		if ((port & 0x3ff) == 10 * number)
			hash += port << number % 16;
		else if ((at->ttl ^ number) & 4)
			hash -= at->ttl;
	} else if (at->protocol == IPPROTO_UDP && (at->ports & 0xffff) == bpf_htons(5000 + number)) {
		__u64 key = (__u64)at->destination << 32 | number;
		__u64 *seen = bpf_map_lookup_elem(&rules, &key);
		if (seen) {
			*seen += hash;
			return hash * 31 + number;
		}
		hash = (hash << 7 | hash >> 25) ^ number;
	}
	return hash;
}

SEC("xdp")
int large(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__u32 *ports = (void *)(ip + 1);
	if ((void *)(ports + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct headers at = { ip->saddr, ip->daddr, *ports, ip->protocol, ip->ttl };
	__u32 hash = at.ports;
#pragma clang loop unroll(full)
	for (int number = 1; number <= 68; number++)
		hash = rule(&at, number, hash);
	return hash & 1 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
