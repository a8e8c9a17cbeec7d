// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* MSS clamping (RFC 9293, section 3.7.1) on dynptrs: nothing here compares a pointer with the packet's end, and headers
 * are found in the fragments of an XDP packet as well.
 *
 * A SYN whose maximum segment size is larger than `limit` gets that size instead, and its checksum is mended. Each SYN
 * leaves a record in `handshakes`: what was found, and its options as they came. `count_syn` only looks. */
#include "common.bpf.h"

#define KIND_END 0
#define KIND_NOP 1
#define KIND_MSS 2
#define MSS_LENGTH 4
#define MAX_OPTIONS 40
#define KINDS 32 /* kinds beyond are counted as the last */

extern int bpf_dynptr_from_xdp(struct xdp_md *ctx, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *ctx, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, __u32 start, __u32 end) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone) __ksym;
extern int bpf_dynptr_copy(struct bpf_dynptr *to, __u32 to_offset, struct bpf_dynptr *from, __u32 from_offset,
			   __u32 size) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *ptr) __ksym;
/* An open-coded iterator over numbers: opaque, and younger than many a <linux/bpf.h>. */
struct bpf_iter_num {
	__u64 opaque[1];
};
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

const volatile __u16 limit = 1360;

struct counters {
	__u64 kinds[KINDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} options_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} handshakes SEC(".maps");

struct handshake {
	__u32 packet; /* bytes */
	__u16 mss;    /* 0: none */
	__u16 options;
	struct ports ports;
};

/* Where a TCP segment lies in the packet. */
struct segment {
	__u32 offset;
	__u32 options; /* bytes */
	struct ports ports;
	bool syn;
};

static __always_inline int find_segment(const struct bpf_dynptr *packet, __u32 offset, __be16 proto,
					struct segment *segment)
{
	__u8 protocol;
	if (proto == bpf_htons(ETH_P_IP)) {
		struct iphdr buffer, *ip = bpf_dynptr_slice(packet, offset, &buffer, sizeof(buffer));
		if (!ip || ip->version != 4 || ip->ihl < 5 || is_later_fragment(ip))
			return -1;
		protocol = ip->protocol;
		offset += ip->ihl * 4;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr buffer, *ip = bpf_dynptr_slice(packet, offset, &buffer, sizeof(buffer));
		if (!ip)
			return -1;
		protocol = ip->nexthdr;
		offset += sizeof(*ip);
	} else {
		return -1;
	}
	if (protocol != IPPROTO_TCP)
		return -1;
	struct tcphdr buffer, *tcp = bpf_dynptr_slice(packet, offset, &buffer, sizeof(buffer));
	if (!tcp || tcp->doff < 5)
		return -1;
	segment->offset = offset;
	segment->options = tcp->doff * 4 - sizeof(*tcp);
	segment->ports = (struct ports){ tcp->source, tcp->dest };
	segment->syn = tcp->syn;
	return 0;
}

/* In a frame of its own: what becomes a dynptr on the stack cannot be anything else afterwards. */
static __noinline void count_kind(__u8 kind)
{
	__u32 zero = 0;
	struct counters *counters = bpf_map_lookup_elem(&options_seen, &zero);
	struct bpf_dynptr all;
	if (!counters || bpf_dynptr_from_mem(counters, sizeof(*counters), 0, &all))
		return;
	__u64 *counter = bpf_dynptr_data(&all, 8 * (kind < KINDS ? kind : KINDS - 1), sizeof(*counter));
	if (counter)
		(*counter)++;
}

/* Offset of the option's value among the options, and the value; 0 when there is none. */
static __always_inline __u32 find_mss(const struct bpf_dynptr *options, __u16 *mss)
{
	__u32 at = 0, found = 0;
	struct bpf_iter_num rounds;
	bpf_iter_num_new(&rounds, 0, MAX_OPTIONS);
	while (bpf_iter_num_next(&rounds)) {
		__u8 buffer[2] = {}, *option = bpf_dynptr_slice(options, at, buffer, 1);
		if (!option || option[0] == KIND_END)
			break;
		count_kind(option[0]);
		if (option[0] == KIND_NOP) {
			at++;
			continue;
		}
		option = bpf_dynptr_slice(options, at, buffer, sizeof(buffer));
		if (!option || option[1] < 2)
			break;
		if (option[0] == KIND_MSS && option[1] == MSS_LENGTH) {
			__be16 value;
			if (bpf_dynptr_read(&value, sizeof(value), options, at + 2, 0))
				break;
			*mss = bpf_ntohs(value);
			found = at + 2;
		}
		at += option[1];
	}
	bpf_iter_num_destroy(&rounds);
	return found;
}

static __always_inline void report(struct bpf_dynptr *options, struct handshake *seen)
{
	struct bpf_dynptr record;
	__u32 length = bpf_dynptr_size(options);
	if (bpf_ringbuf_reserve_dynptr(&handshakes, sizeof(*seen) + length, 0, &record)) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return;
	}
	bpf_dynptr_write(&record, 0, seen, sizeof(*seen), 0);
	bpf_dynptr_copy(&record, sizeof(*seen), options, 0, length);
	bpf_ringbuf_submit_dynptr(&record, 0);
}

static __always_inline bool clamp(struct bpf_dynptr *packet, __be16 proto, __u32 offset)
{
	struct segment segment = {};
	if (find_segment(packet, offset, proto, &segment) || !segment.syn)
		return false;
	struct bpf_dynptr options;
	__u32 first = segment.offset + sizeof(struct tcphdr);
	if (bpf_dynptr_clone(packet, &options) || bpf_dynptr_adjust(&options, first, first + segment.options))
		return false;
	__u16 mss = 0;
	__u32 at = find_mss(&options, &mss);
	struct handshake seen = { bpf_dynptr_size(packet), mss, segment.options, segment.ports };
	report(&options, &seen);
	if (mss <= limit)
		return false;
	__be16 value = bpf_htons(limit);
	if (bpf_dynptr_write(packet, first + at, &value, sizeof(value), 0))
		return false;
	struct tcphdr buffer, *tcp = bpf_dynptr_slice_rdwr(packet, segment.offset, &buffer, sizeof(buffer));
	if (!tcp)
		return false;
	/* An option at an odd place has its bytes in two words of the sum, each turned around (RFC 1071, section 2B). */
	__u32 turn = at % 2 * 8;
	__u16 from = bpf_htons(mss);
	from = from << turn | from >> turn;
	__u16 to = value << turn | value >> turn;
	csum_replace(&tcp->check, from, to);
	if (tcp == &buffer)
		bpf_dynptr_write(packet, segment.offset, tcp, sizeof(*tcp), 0);
	return true;
}

SEC("xdp.frags")
int xdp_mss(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	if (bpf_dynptr_from_xdp(ctx, 0, &packet))
		return XDP_ABORTED;
	struct ethhdr buffer, *eth = bpf_dynptr_slice(&packet, 0, &buffer, sizeof(buffer));
	if (!eth)
		return XDP_DROP;
	return clamp(&packet, eth->h_proto, sizeof(*eth)) ? XDP_TX : XDP_PASS;
}

SEC("tc")
int tc_mss(struct __sk_buff *ctx)
{
	struct bpf_dynptr packet;
	if (bpf_dynptr_from_skb(ctx, 0, &packet))
		return TC_ACT_SHOT;
	struct ethhdr buffer, *eth = bpf_dynptr_slice(&packet, 0, &buffer, sizeof(buffer));
	if (!eth)
		return TC_ACT_SHOT;
	return clamp(&packet, eth->h_proto, sizeof(*eth)) ? TC_ACT_PIPE : TC_ACT_OK;
}

/* Packets begin at the IP header here, and are not to be written to. Gives the maximum segment size, or bytes to keep. */
SEC("socket")
int count_syn(struct __sk_buff *ctx)
{
	struct bpf_dynptr packet, options;
	struct segment segment = {};
	bpf_dynptr_from_skb(ctx, 0, &packet);
	if (find_segment(&packet, 0, ctx->protocol, &segment) || !segment.syn)
		return 0;
	__u32 first = segment.offset + sizeof(struct tcphdr);
	if (bpf_dynptr_clone(&packet, &options) || bpf_dynptr_adjust(&options, first, first + segment.options))
		return bpf_dynptr_size(&packet);
	__u16 mss = 0;
	find_mss(&options, &mss);
	return mss;
}

char _license[] SEC("license") = "GPL";
