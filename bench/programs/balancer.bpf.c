// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* The example's load balancer, which then takes its tunnel header off again, so that each repetition meets the packet of
 * the first: a packet of BPF_PROG_TEST_RUN stays as the repetition before left it. */
#include "../../programs/common.bpf.h"
#undef SEC
#define SEC(name) __attribute__((section(name))) /* not `used`: the example's own program is to be inlined and go */
static __always_inline int lb(struct xdp_md *ctx);
#include "../../programs/lb.bpf.c"

SEC("xdp")
int balancer(struct xdp_md *ctx)
{
	int verdict = lb(ctx);
	if (verdict != XDP_TX || bpf_xdp_adjust_head(ctx, sizeof(struct iphdr)))
		return verdict;
	struct cursor cur = CURSOR(ctx);
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	if (!eth)
		return XDP_ABORTED;
	__builtin_memset(eth, 2, 2 * ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
	return verdict;
}
