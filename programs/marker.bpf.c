// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* tc egress marker: a dispatcher that tail-calls one stage per transport protocol; each stage marks the packet for the
 * queueing disciplines and firewalls behind it, and a last stage counts what was decided.
 *
 * The stages hand over to each other in skb->cb, which survives a tail call; `stages` is filled by its initialiser. */
#include "common.bpf.h"

#define DSCP_EF 46   /* expedited forwarding, RFC 3246 */
#define DSCP_AF21 18 /* low-latency data, RFC 4594 */
#define ECN_MASK 0x03
#define MARK 0xbeef0000 /* the lower half is the class */

enum { STAGE_TCP, STAGE_UDP, STAGE_OTHER, STAGE_ACCOUNT, STAGE_ABSENT, STAGES = 8 };
enum { CB_STAGE, CB_DSCP, CB_L3_OFFSET, CB_PROTO, CB_DEPTH };
enum { CLASS_BULK = 1, CLASS_INTERACTIVE, CLASS_DEFAULT, CLASSES };

int stage_tcp(struct __sk_buff *skb);
int stage_udp(struct __sk_buff *skb);
int stage_other(struct __sk_buff *skb);
int stage_account(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGES);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} stages SEC(".maps") = {
	.values = {
		[STAGE_TCP] = (void *)&stage_tcp,
		[STAGE_UDP] = (void *)&stage_udp,
		[STAGE_OTHER] = (void *)&stage_other,
		[STAGE_ACCOUNT] = (void *)&stage_account,
	},
};

/* Filled from outside: destination port -> traffic class. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __be16);
	__type(value, __u32);
} port_classes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLASSES);
	__type(key, __u32);
	__type(value, __u64);
} class_packets SEC(".maps");

/* Tail calls that found no program, and the depth that `chain` last reached. */
__u64 missed_calls;
__u64 chain_depth;

/* Sets the DS field. An IPv4 header has a checksum to mend, in IPv6 the field lies across two bytes. */
static __noinline int set_dscp(struct __sk_buff *skb, __u32 l3, __u32 dscp)
{
	__u8 first[2];
	if (bpf_skb_load_bytes(skb, l3, first, sizeof(first)))
		return -1;
	if (first[0] >> 4 == 4) {
		__u8 tos = dscp << 2 | (first[1] & ECN_MASK);
		if (tos == first[1])
			return 0;
		if (bpf_l3_csum_replace(skb, l3 + offsetof(struct iphdr, check), bpf_htons(first[1]), bpf_htons(tos), 2))
			return -1;
		return bpf_skb_store_bytes(skb, l3 + offsetof(struct iphdr, tos), &tos, sizeof(tos), 0);
	}
	first[0] = 6 << 4 | dscp >> 2;
	first[1] = (first[1] & 0x3f) | (dscp & 3) << 6;
	return bpf_skb_store_bytes(skb, l3, first, sizeof(first), BPF_F_INVALIDATE_HASH);
}

static __always_inline int account(struct __sk_buff *skb, __u32 class)
{
	skb->tc_classid = 1 << 16 | class; /* handle 1:class */
	skb->priority = class;
	skb->mark = MARK | class;
	bpf_tail_call(skb, &stages, STAGE_ACCOUNT);
	__sync_fetch_and_add(&missed_calls, 1);
	return TC_ACT_OK;
}

/* The L4 header's offset, from what `marker` left in cb. */
static __always_inline int l4_offset(struct __sk_buff *skb)
{
	__u8 first;
	if (bpf_skb_load_bytes(skb, skb->cb[CB_L3_OFFSET], &first, 1))
		return -1;
	return skb->cb[CB_L3_OFFSET] + (first >> 4 == 4 ? (first & 0xf) * 4 : sizeof(struct ipv6hdr));
}

static __always_inline __u32 class_of(__be16 port, __u32 otherwise)
{
	__u32 *class = bpf_map_lookup_elem(&port_classes, &port);
	return class ? *class : otherwise;
}

SEC("tc")
int stage_tcp(struct __sk_buff *skb)
{
	struct tcphdr tcp;
	int offset = l4_offset(skb);
	skb->cb[CB_STAGE] = STAGE_TCP;
	if (offset < 0 || bpf_skb_load_bytes(skb, offset, &tcp, sizeof(tcp)))
		return account(skb, CLASS_DEFAULT);
	/* Clamp the window that a SYN announces, to show a change under a TCP checksum. */
	if (tcp.syn && tcp.window == bpf_htons(0xfaf0)) {
		__be16 window = bpf_htons(0x4000);
		bpf_l4_csum_replace(skb, offset + offsetof(struct tcphdr, check), tcp.window, window, sizeof(window));
		bpf_skb_store_bytes(skb, offset + offsetof(struct tcphdr, window), &window, sizeof(window), 0);
	}
	skb->cb[CB_DSCP] = DSCP_AF21;
	return account(skb, class_of(tcp.dest, CLASS_BULK));
}

SEC("tc")
int stage_udp(struct __sk_buff *skb)
{
	struct ports ports;
	int offset = l4_offset(skb);
	skb->cb[CB_STAGE] = STAGE_UDP;
	if (offset < 0 || bpf_skb_load_bytes(skb, offset, &ports, sizeof(ports)))
		return account(skb, CLASS_DEFAULT);
	skb->cb[CB_DSCP] = DSCP_EF;
	return account(skb, class_of(ports.dest, CLASS_DEFAULT));
}

/* Everything else keeps its DS field, and asks for a stage that nobody installed before it goes on. */
SEC("tc")
int stage_other(struct __sk_buff *skb)
{
	skb->cb[CB_STAGE] = STAGE_OTHER;
	bpf_tail_call(skb, &stages, STAGE_ABSENT);
	__sync_fetch_and_add(&missed_calls, 1);
	return account(skb, CLASS_DEFAULT);
}

SEC("tc")
int stage_account(struct __sk_buff *skb)
{
	__u32 class = skb->priority;
	__u64 *packets = bpf_map_lookup_elem(&class_packets, &class);
	if (packets)
		__sync_fetch_and_add(packets, 1);
	if (skb->cb[CB_DSCP] && set_dscp(skb, skb->cb[CB_L3_OFFSET], skb->cb[CB_DSCP]))
		return TC_ACT_SHOT;
	return skb->cb[CB_STAGE] == STAGE_OTHER ? TC_ACT_UNSPEC : TC_ACT_OK;
}

/* The entry: finds the transport protocol and hands over. */
SEC("tc")
int marker(struct __sk_buff *skb)
{
	struct cursor cur = CURSOR(skb);
	void *start = cur.pos;
	__u32 stage = STAGE_OTHER;
	__be16 proto = pull_ethernet(&cur);

	skb->cb[CB_L3_OFFSET] = cur.pos - start;
	skb->cb[CB_DSCP] = 0;
	skb->mark = MARK;
	if (proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = pull_ipv4(&cur);
		if (!ip)
			return TC_ACT_SHOT;
		skb->cb[CB_PROTO] = ip->protocol;
		if (!is_later_fragment(ip))
			stage = ip->protocol == IPPROTO_TCP ? STAGE_TCP : ip->protocol == IPPROTO_UDP ? STAGE_UDP : stage;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = PULL(&cur, struct ipv6hdr);
		if (!ip)
			return TC_ACT_SHOT;
		skb->cb[CB_PROTO] = ip->nexthdr;
		stage = ip->nexthdr == IPPROTO_TCP ? STAGE_TCP : ip->nexthdr == IPPROTO_UDP ? STAGE_UDP : stage;
	}
	bpf_tail_call(skb, &stages, stage);
	__sync_fetch_and_add(&missed_calls, 1);
	return TC_ACT_OK;
}

int chain(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} links SEC(".maps") = {
	.values = { (void *)&chain },
};

/* Calls itself until the kernel's limit on tail calls stops it: `chain_depth` tells how far it came. */
SEC("tc")
int chain(struct __sk_buff *skb)
{
	__u32 depth = skb->cb[CB_DEPTH] + 1;
	skb->cb[CB_DEPTH] = depth;
	bpf_tail_call(skb, &links, 0);
	chain_depth = depth;
	return TC_ACT_PIPE;
}

char _license[] SEC("license") = "GPL";
