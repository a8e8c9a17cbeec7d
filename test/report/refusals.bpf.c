// SPDX-License-Identifier: Apache-2.0
// One program for each of the mistakes that are made most: Linux refuses every one. Built in this directory with
//   clang-19 -O2 -g -Wall -target bpf -mcpu=v3 -idirafter /usr/include/$(uname -m)-linux-gnu \
//     -fdebug-compilation-dir=. -ffile-prefix-map=/usr/include=include -c refusals.bpf.c -o refusals.bpf.o
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Proprietary";

struct counters {
	__u64 packets[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct counters);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, __u64);
} limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct guarded {
	struct bpf_spin_lock lock;
	__u32 tokens;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct guarded);
} buckets SEC(".maps");

SEC("xdp")
int missing_bounds_check(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if (data + sizeof(*eth) > data_end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	struct iphdr *ip = data + sizeof(*eth);
	if (ip->protocol == 17)
		return XDP_DROP;
	return XDP_PASS;
}

SEC("xdp")
int variable_header(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);

	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;
	__u8 *payload = (void *)ip + ip->ihl * 4;
	return *payload == 0 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int null_check_forgotten(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	struct counters *counters = bpf_map_lookup_elem(&flows, &key);

	counters->packets[0]++;
	return XDP_PASS;
}

SEC("xdp")
int map_value_index(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct counters *counters = bpf_map_lookup_elem(&flows, &key);
	__u32 queue = ctx->rx_queue_index;

	if (!counters)
		return XDP_PASS;
	if (queue > 16)
		return XDP_PASS;
	counters->packets[queue]++;
	return XDP_PASS;
}

SEC("xdp")
int read_only_map(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *limit = bpf_map_lookup_elem(&limits, &key);

	if (!limit)
		return XDP_PASS;
	*limit = 5;
	return XDP_PASS;
}

SEC("xdp")
int unreleased_record(struct xdp_md *ctx)
{
	__u32 *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record)
		return XDP_PASS;
	*record = ctx->ingress_ifindex;
	if (*record == 7)
		return XDP_DROP;
	bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

SEC("xdp")
int packet_moved(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if (data + sizeof(*eth) > data_end)
		return XDP_PASS;
	if (bpf_xdp_adjust_head(ctx, -4))
		return XDP_DROP;
	eth->h_proto = bpf_htons(ETH_P_8021Q);
	return XDP_PASS;
}

SEC("xdp")
int loop_without_end(struct xdp_md *ctx)
{
	volatile __u32 wait = 1;

	while (wait)
		;
	return XDP_PASS;
}

SEC("xdp")
int loop_too_long(struct xdp_md *ctx)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < 1000000; i++) {
		sum ^= i;
		asm volatile("" : "+r"(sum));
	}
	return sum == 1 ? XDP_DROP : XDP_PASS;
}

static __attribute__((noinline)) int deeper(__u32 seed)
{
	volatile char scratch[300];

	scratch[seed & 127] = 1;
	return scratch[0];
}

SEC("xdp")
int stack_of_two(struct xdp_md *ctx)
{
	volatile char scratch[300];

	scratch[ctx->ingress_ifindex & 127] = 1;
	return deeper(ctx->rx_queue_index) + scratch[0] ? XDP_PASS : XDP_DROP;
}

SEC("tc")
int context_field(struct __sk_buff *skb)
{
	skb->ifindex = 5;
	return 0;
}

SEC("xdp")
int gpl_only(struct xdp_md *ctx)
{
	bpf_printk("queue %d", ctx->rx_queue_index);
	return XDP_PASS;
}

SEC("xdp")
int wrong_program_type(struct xdp_md *ctx)
{
	char first[4] = {};

	bpf_skb_load_bytes((void *)ctx, 0, first, sizeof(first));
	return first[0] ? XDP_DROP : XDP_PASS;
}

SEC("cgroup_skb/ingress")
int return_code(struct __sk_buff *skb)
{
	return skb->len & 7;
}

SEC("tc")
int size_may_be_zero(struct __sk_buff *skb)
{
	char buffer[64] = {};
	__u32 length = skb->len;

	if (length > sizeof(buffer))
		return 0;
	bpf_skb_load_bytes(skb, 0, buffer, length);
	return buffer[0];
}

SEC("xdp")
int key_is_a_number(struct xdp_md *ctx)
{
	void *found = bpf_map_lookup_elem(&flows, (void *)(long)ctx->ingress_ifindex);

	return found ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int lock_kept(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct guarded *bucket = bpf_map_lookup_elem(&buckets, &key);

	if (!bucket)
		return XDP_PASS;
	bpf_spin_lock(&bucket->lock);
	if (bucket->tokens == 0)
		return XDP_DROP;
	bucket->tokens--;
	bpf_spin_unlock(&bucket->lock);
	return XDP_PASS;
}
