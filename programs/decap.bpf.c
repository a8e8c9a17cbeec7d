// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Tunnel decapsulation at both hooks: XDP moves the packet's head, tc takes the outer headers out with
 * bpf_skb_adjust_room. XDP knows IPIP, SIT, IP6IP6, GRE (with optional fields) and VXLAN; tc knows IPIP and GRE. */
#include "common.bpf.h"

#define VXLAN_PORT 4789
#define VXLAN_VNI_VALID 0x08000000

enum kind { KIND_NONE, KIND_IPIP, KIND_SIT, KIND_IP6IP6, KIND_GRE, KIND_GRE_BRIDGE, KIND_VXLAN, KINDS };

/* What to take off: everything between the outer Ethernet header and `inner` bytes behind it. */
struct tunnel {
	__u32 kind;
	__u32 outer;   /* bytes of outer headers, without Ethernet */
	__be16 proto;  /* EtherType of what is inside; 0: a whole frame with an Ethernet header of its own */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KINDS);
	__type(key, __u32);
	__type(value, __u64);
} decapsulated SEC(".maps");

/* Who may send into tunnels: outer IPv4 source. An empty map means that nobody is trusted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __be32);
	__type(value, __u8);
} peers SEC(".maps");

static __always_inline void count(__u32 kind)
{
	__u64 *counter = bpf_map_lookup_elem(&decapsulated, &kind);
	if (counter)
		(*counter)++;
}

static __always_inline __u32 parse_gre(struct cursor *cur, struct tunnel *tunnel)
{
	struct gre_hdr *gre = PULL(cur, struct gre_hdr);
	if (!gre || (gre->flags & bpf_htons(GRE_VERSION)))
		return KIND_NONE;
	tunnel->outer += sizeof(*gre);
	if (gre->flags & bpf_htons(GRE_CSUM))
		tunnel->outer += 4;
	if (gre->flags & bpf_htons(GRE_KEY))
		tunnel->outer += 4;
	if (gre->flags & bpf_htons(GRE_SEQ))
		tunnel->outer += 4;
	if (gre->proto == bpf_htons(ETH_P_TEB))
		return KIND_GRE_BRIDGE;
	if (gre->proto != bpf_htons(ETH_P_IP) && gre->proto != bpf_htons(ETH_P_IPV6))
		return KIND_NONE;
	tunnel->proto = gre->proto;
	return KIND_GRE;
}

static __always_inline __u32 parse_vxlan(struct cursor *cur, struct tunnel *tunnel)
{
	struct udphdr *udp = PULL(cur, struct udphdr);
	if (!udp || udp->dest != bpf_htons(VXLAN_PORT))
		return KIND_NONE;
	struct vxlan_hdr *vxlan = PULL(cur, struct vxlan_hdr);
	if (!vxlan || !(vxlan->flags & bpf_htonl(VXLAN_VNI_VALID)))
		return KIND_NONE;
	tunnel->outer += sizeof(*udp) + sizeof(*vxlan);
	return KIND_VXLAN;
}

static __always_inline bool parse_tunnel(struct cursor *cur, struct tunnel *tunnel)
{
	struct ethhdr *eth = PULL(cur, struct ethhdr);
	if (!eth)
		return false;
	if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = PULL(cur, struct ipv6hdr);
		if (!ip || ip->nexthdr != IPPROTO_IPV6)
			return false;
		*tunnel = (struct tunnel){ KIND_IP6IP6, sizeof(*ip), bpf_htons(ETH_P_IPV6) };
		return true;
	}
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return false;
	struct iphdr *ip = pull_ipv4(cur);
	if (!ip || is_fragment(ip))
		return false;
	__be32 peer = ip->saddr;
	if (!bpf_map_lookup_elem(&peers, &peer))
		return false;
	tunnel->outer = ip->ihl * 4;
	switch (ip->protocol) {
	case IPPROTO_IPIP:
		tunnel->kind = KIND_IPIP;
		tunnel->proto = bpf_htons(ETH_P_IP);
		break;
	case IPPROTO_IPV6:
		tunnel->kind = KIND_SIT;
		tunnel->proto = bpf_htons(ETH_P_IPV6);
		break;
	case IPPROTO_GRE:
		tunnel->kind = parse_gre(cur, tunnel);
		break;
	case IPPROTO_UDP:
		tunnel->kind = parse_vxlan(cur, tunnel);
		break;
	}
	return tunnel->kind != KIND_NONE;
}

SEC("xdp")
int xdp_decap(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	struct ethhdr *first = cur.pos;
	struct tunnel tunnel = {};
	if (!parse_tunnel(&cur, &tunnel))
		return XDP_PASS;

	if (!tunnel.proto) { /* the inner frame brings its own Ethernet header */
		if (bpf_xdp_adjust_head(ctx, sizeof(struct ethhdr) + tunnel.outer))
			return XDP_ABORTED;
		count(tunnel.kind);
		return XDP_PASS;
	}
	struct ethhdr outer = *first;
	outer.h_proto = tunnel.proto;
	if (bpf_xdp_adjust_head(ctx, tunnel.outer))
		return XDP_ABORTED;
	struct cursor inner = CURSOR(ctx);
	struct ethhdr *eth = PULL(&inner, struct ethhdr);
	if (!eth)
		return XDP_ABORTED;
	*eth = outer;
	count(tunnel.kind);
	return XDP_PASS;
}

SEC("tc")
int tc_decap(struct __sk_buff *skb)
{
	/* The headers may lie outside of the linear part: ask for them before looking. */
	if (bpf_skb_pull_data(skb, 64) && skb->len >= 64)
		return TC_ACT_SHOT;
	struct cursor cur = CURSOR(skb);
	struct tunnel tunnel = {};
	if (!parse_tunnel(&cur, &tunnel))
		return TC_ACT_OK;
	/* BPF_ADJ_ROOM_MAC shrinks behind the Ethernet header and keeps skb->protocol: IPv4 in IPv4 only. */
	if (tunnel.kind != KIND_IPIP && (tunnel.kind != KIND_GRE || tunnel.proto != bpf_htons(ETH_P_IP)))
		return TC_ACT_UNSPEC;
	if (bpf_skb_adjust_room(skb, -(int)tunnel.outer, BPF_ADJ_ROOM_MAC, 0))
		return TC_ACT_SHOT;
	count(tunnel.kind);
	return TC_ACT_OK;
}

/* The way back, for IPv4: opens room behind the Ethernet header and writes an IPIP header into it. */
SEC("tc")
int tc_encap(struct __sk_buff *skb)
{
	struct cursor cur = CURSOR(skb);
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	struct iphdr *ip = pull_ipv4(&cur);
	if (!ip || ip->protocol == IPPROTO_IPIP)
		return TC_ACT_OK;
	struct iphdr outer = {
		.version = 4,
		.ihl = 5,
		.tos = ip->tos,
		.tot_len = bpf_htons(bpf_ntohs(ip->tot_len) + sizeof(outer)),
		.frag_off = bpf_htons(IP_DF),
		.ttl = 64,
		.protocol = IPPROTO_IPIP,
		.saddr = ip->saddr,
		.daddr = bpf_htonl(0x0a0000fd), /* 10.0.0.253 */
	};
	outer.check = csum_fold(bpf_csum_diff(NULL, 0, (void *)&outer, sizeof(outer), 0));
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
	if (bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC, flags))
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, sizeof(struct ethhdr), &outer, sizeof(outer), 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
