// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Ways to send a packet somewhere else: device maps (with a broadcast), a CPU map, a socket map, and plain redirects
 * from XDP and from tc. Each program is one of them. */
#include "common.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 8);
	__type(key, __u32); /* VLAN id */
	__type(value, struct bpf_devmap_val);
} vlan_ports SEC(".maps");

/* A kernel gives a CPU map no more entries than it has CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

/* Where `xdp_redirect`, `tc_redirect` and `tc_mirror` send to. */
const volatile __u32 target_ifindex = 1;

/* Learned: lower half of the source MAC -> packets. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u8[ETH_ALEN]);
	__type(value, __u64);
} stations SEC(".maps");

static __always_inline bool is_multicast(const struct ethhdr *eth)
{
	return eth->h_dest[0] & 1;
}

/* A switch of fixed stations: the last byte of the destination MAC is the port, an empty port drops. */
SEC("xdp")
int xdp_switch(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	if (!eth)
		return XDP_DROP;
	__u8 station[ETH_ALEN];
	__builtin_memcpy(station, eth->h_source, ETH_ALEN);
	__u64 *packets = bpf_map_lookup_elem(&stations, station);
	if (packets) {
		__sync_fetch_and_add(packets, 1);
	} else {
		__u64 first = 1;
		bpf_map_update_elem(&stations, station, &first, BPF_NOEXIST);
	}
	/* Multicast goes to every port but the one it came from. */
	if (is_multicast(eth))
		return bpf_redirect_map(&ports, 0, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS);
	return bpf_redirect_map(&ports, eth->h_dest[ETH_ALEN - 1], XDP_DROP);
}

/* One device per VLAN; what has no device of its own goes up the stack. */
SEC("xdp")
int xdp_vlan_switch(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	if (!eth)
		return XDP_DROP;
	__u32 vid = 0;
	if (is_vlan(eth->h_proto)) {
		struct vlan_hdr *vlan = PULL(&cur, struct vlan_hdr);
		if (!vlan)
			return XDP_DROP;
		vid = bpf_ntohs(vlan->tci) & VLAN_VID_MASK;
	}
	return bpf_redirect_map(&vlan_ports, vid, XDP_PASS);
}

/* Spreads IPv4 by destination over CPUs, with the packet's length left for the next program in the metadata area. */
SEC("xdp")
int xdp_spread(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	__u32 len = cur.end - cur.pos;
	if (pull_ethernet(&cur) != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = pull_ipv4(&cur);
	if (!ip)
		return XDP_DROP;
	__u32 cpu = bpf_ntohl(ip->daddr) & 1;
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(len)))
		return XDP_ABORTED;
	__u32 *meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = len;
	return bpf_redirect_map(&cpus, cpu, XDP_TX);
}

/* To the AF_XDP socket of the receive queue; to the stack when nobody listens there. */
SEC("xdp")
int xdp_sockets(struct xdp_md *ctx)
{
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
}

/* IPv6 to another device, without a map. */
SEC("xdp")
int xdp_redirect(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	if (pull_ethernet(&cur) != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	return bpf_redirect(target_ifindex, 0);
}

/* From tc: broadcast stays, IPv6 goes out of the target, the rest comes in again at the target's ingress. */
SEC("tc")
int tc_redirect(struct __sk_buff *skb)
{
	if (skb->pkt_type != 0 /* PACKET_HOST */ && skb->pkt_type != 3 /* PACKET_OTHERHOST */)
		return TC_ACT_OK;
	return bpf_redirect(target_ifindex, skb->protocol == bpf_htons(ETH_P_IPV6) ? 0 : BPF_F_INGRESS);
}

/* A copy of each ICMP packet for the target; the packet itself goes on. */
SEC("tc")
int tc_mirror(struct __sk_buff *skb)
{
	struct cursor cur = CURSOR(skb);
	if (pull_ethernet(&cur) != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	struct iphdr *ip = pull_ipv4(&cur);
	if (!ip || ip->protocol != IPPROTO_ICMP)
		return TC_ACT_OK;
	return bpf_clone_redirect(skb, target_ifindex, 0) ? TC_ACT_SHOT : TC_ACT_PIPE;
}

char _license[] SEC("license") = "GPL";
