// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Arithmetic and little else: a header field rewritten with its checksum, and a hash over the header, byte by byte. */
#include "../../programs/common.bpf.h"

SEC("xdp")
int compute(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	/* RFC 1624: HC' = ~(~HC + ~m + m'). The two lowest bits of TOS change places with ones, so that every run does. */
	__u16 *first = (__u16 *)ip;
	__u16 old = *first, new = old ^ bpf_htons(0x0003);
	*first = new;
	__u32 sum = (__u16)~ip->check + (__u16)~old + new;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;

	/* A rolling hash with everything that an ALU has: multiplication, shifts, rotation, both widths. */
	__u64 hash = 0xcbf29ce484222325;
	__u32 mixed = 1;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 20; i++) {
		__u8 *byte = (__u8 *)ip + i;
		if ((void *)(byte + 1) > end)
			break;
		hash = (hash ^ *byte) * 0x100000001b3;
		mixed = (mixed << 5 | mixed >> 27) + *byte;
		hash ^= mixed;
	}
	hash ^= hash >> 32;
	return hash & 1 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "GPL";
