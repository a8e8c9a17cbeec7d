// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* XDP responder: answers ping (ICMP and ICMPv6) and ARP for the addresses it is given, from the driver. */
#include "common.bpf.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct addr);
	__type(value, __u8[ETH_ALEN]); /* the MAC address that answers */
} own SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3); /* ICMP, ICMPv6, ARP */
	__type(key, __u32);
	__type(value, __u64);
} answered SEC(".maps");

static __always_inline int answer(__u32 kind, struct ethhdr *eth, const __u8 *mac)
{
	__u64 *count = bpf_map_lookup_elem(&answered, &kind);
	if (count)
		(*count)++;
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return XDP_TX;
}

/* Turns an echo request's type and checksum into the reply's: the type is the upper byte of the first 32-bit word. */
static __always_inline void reply_to(void *header, __u8 type, __sum16 *check)
{
	__be32 from, to;
	__builtin_memcpy(&from, header, sizeof(from));
	to = from;
	*(__u8 *)&to = type;
	/* The checksum field lies within this word on both sides, so that it cancels out. */
	__u32 sum = bpf_csum_diff(&from, sizeof(from), &to, sizeof(to), (__u16)~*check);
	*(__u8 *)header = type;
	*check = csum_fold(sum);
}

static __always_inline int echo_v4(struct cursor *cur, struct ethhdr *eth)
{
	struct iphdr *ip = pull_ipv4(cur);
	if (!ip || ip->protocol != IPPROTO_ICMP || is_fragment(ip))
		return XDP_PASS;
	struct icmp_hdr *icmp = PULL(cur, struct icmp_hdr);
	if (!icmp || icmp->type != ICMP_ECHO || icmp->code != 0)
		return XDP_PASS;
	struct addr target = addr_v4(ip->daddr);
	__u8 *mac = bpf_map_lookup_elem(&own, &target);
	if (!mac)
		return XDP_PASS;
	ip->daddr = ip->saddr; /* a swap leaves the header's sum as it is */
	ip->saddr = target.word[3];
	reply_to(icmp, ICMP_ECHOREPLY, &icmp->checksum);
	return answer(0, eth, mac);
}

static __always_inline int echo_v6(struct cursor *cur, struct ethhdr *eth)
{
	struct ipv6hdr *ip = PULL(cur, struct ipv6hdr);
	if (!ip || ip->nexthdr != IPPROTO_ICMPV6)
		return XDP_PASS;
	struct icmp_hdr *icmp = PULL(cur, struct icmp_hdr);
	if (!icmp || icmp->type != ICMPV6_ECHO_REQUEST || icmp->code != 0)
		return XDP_PASS;
	struct addr target = addr_v6(&ip->daddr);
	__u8 *mac = bpf_map_lookup_elem(&own, &target);
	if (!mac)
		return XDP_PASS;
	struct in6_addr source = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = source;
	reply_to(icmp, ICMPV6_ECHO_REPLY, &icmp->checksum);
	return answer(1, eth, mac);
}

static __always_inline int answer_arp(struct cursor *cur, struct ethhdr *eth)
{
	struct arp_ipv4 *arp = PULL(cur, struct arp_ipv4);
	if (!arp || arp->op != bpf_htons(ARP_REQUEST) || arp->proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct addr target = addr_v4(arp->target_ip);
	__u8 *mac = bpf_map_lookup_elem(&own, &target);
	if (!mac)
		return XDP_PASS;
	arp->op = bpf_htons(ARP_REPLY);
	arp->target_ip = arp->sender_ip;
	arp->sender_ip = target.word[3];
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, mac, ETH_ALEN);
	return answer(2, eth, mac);
}

SEC("xdp")
int icmp_echo(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	struct ethhdr *eth = cur.pos;
	switch (pull_ethernet(&cur)) {
	case bpf_htons(ETH_P_IP):
		return echo_v4(&cur, eth);
	case bpf_htons(ETH_P_IPV6):
		return echo_v6(&cur, eth);
	case bpf_htons(ETH_P_ARP):
		return answer_arp(&cur, eth);
	default:
		return XDP_PASS;
	}
}

char _license[] SEC("license") = "GPL";
