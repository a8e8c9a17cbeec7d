// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* What CPUs do to maps that they share, one subject a program. Flows are told by source address and port. */
#include "../../programs/common.bpf.h"

#define MOST 65536

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct flow {
	__be32 source;
	__be32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct counter);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MOST);
	__type(key, __be32);
	__type(value, struct counter);
} sources SEC(".maps");

struct guarded {
	struct bpf_spin_lock lock;
	__u32 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guarded);
} guarded SEC(".maps");

#define FLOWS(name, map_type)                     \
	struct {                                  \
		__uint(type, map_type);           \
		__uint(max_entries, MOST);        \
		__type(key, struct flow);         \
		__type(value, struct counter);    \
	} name SEC(".maps")

FLOWS(flows, BPF_MAP_TYPE_HASH);
FLOWS(lru_flows, BPF_MAP_TYPE_LRU_HASH);
FLOWS(cpu_flows, BPF_MAP_TYPE_PERCPU_HASH);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} busy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, __u64);
} busy_lru SEC(".maps");

struct prefix {
	__u32 length;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MOST);
	__type(key, struct prefix);
	__type(value, __u32);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, MOST);
	__type(value, struct flow);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, MOST);
	__type(value, struct flow);
} stack SEC(".maps");

static __always_inline int flow_of(struct xdp_md *ctx, struct flow *flow)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return -1;
	flow->source = ip->saddr;
	flow->port = udp->source;
	return end - data;
}

/* By atomic operations: an array, and a hash whose entries are made by whoever comes first. */
SEC("xdp")
int counted(struct xdp_md *ctx)
{
	struct flow flow;
	int bytes = flow_of(ctx, &flow);
	if (bytes < 0)
		return XDP_DROP;
	__u32 index = bpf_ntohs(flow.port) & 3;
	struct counter *total = bpf_map_lookup_elem(&totals, &index);
	if (total) {
		__sync_fetch_and_add(&total->packets, 1);
		__u64 old = total->bytes;
		for (int i = 0; i < 1000; i++) {
			__u64 seen = __sync_val_compare_and_swap(&total->bytes, old, old + bytes);
			if (seen == old)
				break;
			old = seen;
		}
	}
	__u32 *word = bpf_map_lookup_elem(&words, &index);
	if (word && __sync_fetch_and_add(word, 1) == 0)
		bpf_map_update_elem(&sources, &index, &(struct counter){}, BPF_ANY);

	struct counter *seen = bpf_map_lookup_elem(&sources, &flow.source);
	if (!seen) {
		struct counter none = {};
		bpf_map_update_elem(&sources, &flow.source, &none, BPF_NOEXIST);
		seen = bpf_map_lookup_elem(&sources, &flow.source);
		if (!seen)
			return XDP_ABORTED;
	}
	__sync_fetch_and_add(&seen->packets, 1);
	__sync_fetch_and_add(&seen->bytes, bytes);
	return XDP_PASS;
}

/* By a lock. */
SEC("xdp")
int locked(struct xdp_md *ctx)
{
	struct flow flow;
	int bytes = flow_of(ctx, &flow);
	__u32 zero = 0;
	struct guarded *value = bpf_map_lookup_elem(&guarded, &zero);
	if (bytes < 0 || !value)
		return XDP_DROP;
	bpf_spin_lock(&value->lock);
	value->packets++;
	value->bytes += bytes;
	bpf_spin_unlock(&value->lock);
	return XDP_PASS;
}

static __always_inline void count_flow(void *map, struct flow *flow, int bytes)
{
	struct counter *seen = bpf_map_lookup_elem(map, flow);
	if (seen && bytes & 1) {
		seen->packets++;
		seen->bytes += bytes;
	} else {
		/* A new element in the place of the old one. */
		struct counter next = { 1, bytes };
		if (seen) {
			next.packets += seen->packets;
			next.bytes += seen->bytes;
		}
		bpf_map_update_elem(map, flow, &next, BPF_ANY);
	}
}

/* Entries of one flow are one CPU's; the tables are everybody's. */
SEC("xdp")
int per_flow(struct xdp_md *ctx)
{
	struct flow flow;
	int bytes = flow_of(ctx, &flow);
	if (bytes < 0)
		return XDP_DROP;
	count_flow(&flows, &flow, bytes);
	count_flow(&lru_flows, &flow, bytes);
	count_flow(&cpu_flows, &flow, bytes);
	struct prefix prefix = { 32, flow.source };
	__u32 one = 1;
	bpf_map_update_elem(&prefixes, &prefix, &one, BPF_ANY);
	bpf_map_push_elem(&queue, &flow, BPF_ANY);
	bpf_map_push_elem(&stack, &flow, BPF_ANY);
	if (bytes & 2) {
		bpf_map_pop_elem(&queue, &flow);
		bpf_map_push_elem(&queue, &flow, BPF_ANY);
	}
	return XDP_PASS;
}

/* Entries come and go; the array counts what was made and deleted. */
SEC("xdp")
int churn(struct xdp_md *ctx)
{
	struct flow flow;
	int bytes = flow_of(ctx, &flow);
	if (bytes < 0)
		return XDP_DROP;
	__u64 value = bytes;
	__u32 key = (bpf_ntohs(flow.port) * 31 + bpf_ntohl(flow.source)) & 511, made = 0, deleted = 1;
	struct counter *makes = bpf_map_lookup_elem(&totals, &made);
	struct counter *deletes = bpf_map_lookup_elem(&totals, &deleted);
	if (!makes || !deletes)
		return XDP_DROP;
	if (bpf_map_update_elem(&busy, &key, &value, BPF_NOEXIST) == 0)
		__sync_fetch_and_add(&makes->packets, 1);
	else
		bpf_map_update_elem(&busy, &key, &value, BPF_EXIST);
	bpf_map_update_elem(&busy_lru, &key, &value, BPF_ANY);
	key = (key * 7 + 3) & 511;
	if (bpf_map_delete_elem(&busy, &key) == 0)
		__sync_fetch_and_add(&deletes->packets, 1);
	if (key & 1)
		bpf_map_delete_elem(&busy_lru, &key);
	struct prefix prefix = { 24 + (key & 7), flow.source };
	__u32 one = 1;
	bpf_map_update_elem(&prefixes, &prefix, &one, BPF_ANY);
	prefix.length = 24 + (key >> 3 & 7);
	bpf_map_lookup_elem(&prefixes, &prefix);
	bpf_map_delete_elem(&prefixes, &prefix);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
