// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* VLAN translation at both hooks: XDP moves the packet's head and the MAC addresses itself, tc asks the kernel with
 * bpf_skb_vlan_push and bpf_skb_vlan_pop. One table serves both: VLAN id (0: untagged) -> what to do. */
#include "common.bpf.h"

enum vlan_op { VLAN_PASS, VLAN_POP, VLAN_PUSH, VLAN_REWRITE, VLAN_DROP };

struct action {
	__u16 op;
	__u16 vid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u16);
	__type(value, struct action);
} vlans SEC(".maps");

/* Removes the outer tag: both MAC addresses move 4 bytes towards it. */
static __always_inline int xdp_pop(struct xdp_md *ctx, void *data)
{
	__builtin_memmove(data + sizeof(struct vlan_hdr), data, 2 * ETH_ALEN);
	return bpf_xdp_adjust_head(ctx, sizeof(struct vlan_hdr)) ? XDP_ABORTED : XDP_PASS;
}

/* Makes room for a tag and moves both MAC addresses in front of it. */
static __always_inline int xdp_push(struct xdp_md *ctx, __u16 vid)
{
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct vlan_hdr)))
		return XDP_ABORTED;
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct vlan_hdr *vlan = (void *)(eth + 1);
	if ((void *)(vlan + 1) > end)
		return XDP_ABORTED;
	__builtin_memmove(eth, data + sizeof(*vlan), 2 * ETH_ALEN);
	/* The old EtherType is in place already: it is now the tag's. */
	eth->h_proto = bpf_htons(ETH_P_8021Q);
	vlan->tci = bpf_htons(vid & VLAN_VID_MASK);
	return XDP_PASS;
}

SEC("xdp")
int xdp_vlan(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	if (!eth)
		return XDP_ABORTED;
	struct vlan_hdr *vlan = NULL;
	__u16 vid = 0;
	if (is_vlan(eth->h_proto)) {
		vlan = PULL(&cur, struct vlan_hdr);
		if (!vlan)
			return XDP_ABORTED;
		vid = bpf_ntohs(vlan->tci) & VLAN_VID_MASK;
	}

	struct action *action = bpf_map_lookup_elem(&vlans, &vid);
	if (!action)
		return XDP_PASS;
	switch (action->op) {
	case VLAN_POP:
		return vlan ? xdp_pop(ctx, eth) : XDP_PASS;
	case VLAN_PUSH:
		return xdp_push(ctx, action->vid);
	case VLAN_REWRITE:
		if (vlan) /* keep priority and drop eligibility */
			vlan->tci = (vlan->tci & bpf_htons((__u16)~VLAN_VID_MASK)) |
				    bpf_htons(action->vid & VLAN_VID_MASK);
		return XDP_PASS;
	case VLAN_DROP:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

/* The outer VLAN id: from the skb when the driver took the tag off, else from the packet. */
static __always_inline __u16 skb_vid(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return skb->vlan_tci & VLAN_VID_MASK;
	struct cursor cur = CURSOR(skb);
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	if (!eth || !is_vlan(eth->h_proto))
		return 0;
	struct vlan_hdr *vlan = PULL(&cur, struct vlan_hdr);
	return vlan ? bpf_ntohs(vlan->tci) & VLAN_VID_MASK : 0;
}

SEC("tc")
int tc_vlan(struct __sk_buff *skb)
{
	__u16 vid = skb_vid(skb);
	struct action *action = bpf_map_lookup_elem(&vlans, &vid);
	if (!action)
		return TC_ACT_OK;
	__u16 to = action->vid & VLAN_VID_MASK;
	switch (action->op) {
	case VLAN_POP:
		return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
	case VLAN_PUSH:
		return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), to) ? TC_ACT_SHOT : TC_ACT_OK;
	case VLAN_REWRITE:
		if (bpf_skb_vlan_pop(skb) || bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), to))
			return TC_ACT_SHOT;
		return TC_ACT_OK;
	case VLAN_DROP:
		return TC_ACT_SHOT;
	default:
		return TC_ACT_OK;
	}
}

char _license[] SEC("license") = "Dual BSD/GPL";
