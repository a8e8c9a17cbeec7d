// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Maps and little else: a packet counter per source in a hash, a blocklist, counters of each CPU. */
#include "../../programs/common.bpf.h"

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __be32);
	__type(value, struct counter);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, __u32);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct counter);
} protocols SEC(".maps");

static __always_inline int count(struct xdp_md *ctx, __u32 other)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__u64 bytes = end - data;
	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	__be32 source = ip->saddr ^ other;
	struct counter *seen = bpf_map_lookup_elem(&sources, &source);
	if (seen) {
		seen->packets++;
		seen->bytes += bytes;
	} else {
		struct counter first = { 1, bytes };
		bpf_map_update_elem(&sources, &source, &first, BPF_ANY);
	}
	__u32 protocol = ip->protocol;
	struct counter *total = bpf_map_lookup_elem(&protocols, &protocol);
	if (total) {
		total->packets++;
		total->bytes += bytes;
	}
	__u32 *rule = bpf_map_lookup_elem(&blocked, &source);
	return rule ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int counters(struct xdp_md *ctx)
{
	return count(ctx, 0);
}

/* The same with another source each time, so that hot lines of the cache help nobody: 4 Mi of them, in no order. */
__u32 position = 0;

SEC("xdp")
int counters_spread(struct xdp_md *ctx)
{
	return count(ctx, position++ * 0x9e3779b1 >> 10);
}

char _license[] SEC("license") = "GPL";
