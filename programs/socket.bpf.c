// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Two socket filters, whose return value is how many bytes of the packet the socket gets: one in the old style, with the
 * LD_ABS instructions that classic BPF left behind (a load past the end drops the packet), one with helpers.
 *
 * Where a packet begins depends on the socket. `classic_style` is for one whose packets begin at the IP header, as those of
 * a packet socket of type SOCK_DGRAM; `count_bytes` counts from the network header and serves any. */
#include "common.bpf.h"

#define SNAP_LEN 96

/* The LD_ABS instructions: clang knows them by these names; they return host byte order. */
unsigned long long load_byte(void *skb, unsigned long long offset) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long offset) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long offset) asm("llvm.bpf.load.word");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} bytes_by_proto SEC(".maps");

/* Like `tcpdump -s 96 'tcp port 80 or udp port 53 or icmp'` over IPv4. */
SEC("socket")
int classic_style(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(ETH_P_IP))
		return 0;
	__u64 proto = load_byte(skb, offsetof(struct iphdr, protocol));
	if (proto == IPPROTO_ICMP)
		return SNAP_LEN;
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return 0;
	if (load_half(skb, offsetof(struct iphdr, frag_off)) & IP_OFFSET_MASK)
		return 0;
	__u64 l4 = (load_byte(skb, 0) & 0xf) * 4;
	__u64 ports = load_word(skb, l4);
	__u16 wanted = proto == IPPROTO_TCP ? 80 : 53;
	return ports >> 16 == wanted || (ports & 0xffff) == wanted ? SNAP_LEN : 0;
}

/* Counts bytes by IP protocol, of both families; keeps the whole of ICMP, the headers of the rest. */
SEC("socket")
int count_bytes(struct __sk_buff *skb)
{
	__u8 proto;
	__u32 offset;
	switch (skb->protocol) {
	case bpf_htons(ETH_P_IP):
		offset = offsetof(struct iphdr, protocol);
		break;
	case bpf_htons(ETH_P_IPV6):
		offset = offsetof(struct ipv6hdr, nexthdr);
		break;
	default:
		return 0;
	}
	if (bpf_skb_load_bytes_relative(skb, offset, &proto, sizeof(proto), BPF_HDR_START_NET))
		return 0;
	__u32 key = proto;
	__u64 *bytes = bpf_map_lookup_elem(&bytes_by_proto, &key);
	if (bytes)
		__sync_fetch_and_add(bytes, skb->len);
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 ? skb->len : SNAP_LEN;
}

char _license[] SEC("license") = "GPL";
