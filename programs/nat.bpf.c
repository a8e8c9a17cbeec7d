// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* tc address translation: NAT44 (one address for another) and stateless NAT64 (RFC 7915, with static mappings).
 *
 * NAT44 edits in place and mends the checksums; NAT64 has the kernel exchange the IP header with bpf_skb_change_proto
 * and writes a new one. IPv6 extension headers, fragments and ICMP are left to the stack by NAT64. */
#include "common.bpf.h"

#define L3_OFFSET ETH_HLEN

/* Which address an IPv4 address becomes; for sources and for destinations. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, __be32);
} snat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, __be32);
} dnat SEC(".maps");

/* Static pairs of IPv6 and IPv4 addresses, both ways. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct in6_addr);
	__type(value, __be32);
} six_to_four SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, struct in6_addr);
} four_to_six SEC(".maps");

/* Where the checksum of a transport header lies, and how bpf_l4_csum_replace must treat it. */
struct l4_check {
	__u32 offset;
	__u64 flags;
};

static __always_inline bool l4_check_of(__u8 proto, __u32 l4, struct l4_check *check)
{
	switch (proto) {
	case IPPROTO_TCP:
		*check = (struct l4_check){ l4 + offsetof(struct tcphdr, check), BPF_F_PSEUDO_HDR };
		return true;
	case IPPROTO_UDP: /* a zero means that there is none (IPv4), so the sum may not become zero */
		*check = (struct l4_check){ l4 + offsetof(struct udphdr, check), BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 };
		return true;
	default:
		return false;
	}
}

/* Replaces the IPv4 address at `field` and mends the checksums that cover it. */
static __noinline int replace_v4(struct __sk_buff *skb, __u32 field, __be32 from, __be32 to, __u32 proto_and_l4)
{
	struct l4_check check;
	__u32 l4 = proto_and_l4 & 0xffff;
	if (l4 && l4_check_of(proto_and_l4 >> 16, l4, &check) &&
	    bpf_l4_csum_replace(skb, check.offset, from, to, check.flags | sizeof(to)))
		return TC_ACT_SHOT;
	if (bpf_l3_csum_replace(skb, L3_OFFSET + offsetof(struct iphdr, check), from, to, sizeof(to)))
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, L3_OFFSET + field, &to, sizeof(to), 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

static __always_inline int nat44(struct __sk_buff *skb, void *map, __u32 field)
{
	struct iphdr ip;
	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, L3_OFFSET, &ip, sizeof(ip)) || ip.ihl < 5)
		return TC_ACT_SHOT;
	__be32 from = field == offsetof(struct iphdr, saddr) ? ip.saddr : ip.daddr;
	__be32 *to = bpf_map_lookup_elem(map, &from);
	if (!to)
		return TC_ACT_OK;
	__u32 l4 = is_later_fragment(&ip) ? 0 : L3_OFFSET + ip.ihl * 4;
	return replace_v4(skb, field, from, *to, ip.protocol << 16 | l4);
}

SEC("tc")
int nat44_egress(struct __sk_buff *skb)
{
	return nat44(skb, &snat, offsetof(struct iphdr, saddr));
}

SEC("tc")
int nat44_ingress(struct __sk_buff *skb)
{
	return nat44(skb, &dnat, offsetof(struct iphdr, daddr));
}

SEC("tc")
int nat64_6to4(struct __sk_buff *skb)
{
	struct ipv6hdr ip6;
	struct l4_check check;
	if (skb->protocol != bpf_htons(ETH_P_IPV6) || bpf_skb_load_bytes(skb, L3_OFFSET, &ip6, sizeof(ip6)))
		return TC_ACT_OK;
	__be32 *source = bpf_map_lookup_elem(&six_to_four, &ip6.saddr);
	__be32 *dest = bpf_map_lookup_elem(&six_to_four, &ip6.daddr);
	if (!source || !dest || !l4_check_of(ip6.nexthdr, L3_OFFSET + sizeof(struct iphdr), &check))
		return TC_ACT_OK;
	if (ip6.hop_limit <= 1)
		return TC_ACT_SHOT;
	struct iphdr ip4 = {
		.version = 4,
		.ihl = 5,
		.tos = ip6.priority << 4 | ip6.flow_lbl[0] >> 4,
		.tot_len = bpf_htons(bpf_ntohs(ip6.payload_len) + sizeof(ip4)),
		.frag_off = bpf_htons(IP_DF),
		.ttl = ip6.hop_limit - 1,
		.protocol = ip6.nexthdr,
		.saddr = *source,
		.daddr = *dest,
	};
	ip4.check = csum_fold(bpf_csum_diff(NULL, 0, (void *)&ip4, sizeof(ip4), 0));
	/* The pseudo-header's other fields have the same sum in both families. */
	__s64 diff = bpf_csum_diff((void *)&ip6.saddr, 2 * sizeof(ip6.saddr), (void *)&ip4.saddr, 2 * sizeof(ip4.saddr), 0);

	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0))
		return TC_ACT_SHOT;
	__be16 proto = bpf_htons(ETH_P_IP);
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &proto, sizeof(proto), 0) ||
	    bpf_skb_store_bytes(skb, L3_OFFSET, &ip4, sizeof(ip4), 0) ||
	    bpf_l4_csum_replace(skb, check.offset, 0, diff, check.flags))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

SEC("tc")
int nat64_4to6(struct __sk_buff *skb)
{
	struct iphdr ip4;
	struct l4_check check;
	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, L3_OFFSET, &ip4, sizeof(ip4)))
		return TC_ACT_OK;
	if (ip4.ihl != 5 || is_fragment(&ip4))
		return TC_ACT_OK;
	struct in6_addr *source = bpf_map_lookup_elem(&four_to_six, &ip4.saddr);
	struct in6_addr *dest = bpf_map_lookup_elem(&four_to_six, &ip4.daddr);
	if (!source || !dest || !l4_check_of(ip4.protocol, L3_OFFSET + sizeof(struct ipv6hdr), &check))
		return TC_ACT_OK;
	if (ip4.ttl <= 1)
		return TC_ACT_SHOT;
	struct ipv6hdr ip6 = {
		.version = 6,
		.priority = ip4.tos >> 4,
		.flow_lbl = { ip4.tos << 4 },
		.payload_len = bpf_htons(bpf_ntohs(ip4.tot_len) - sizeof(ip4)),
		.nexthdr = ip4.protocol,
		.hop_limit = ip4.ttl - 1,
		.saddr = *source,
		.daddr = *dest,
	};
	__s64 diff = bpf_csum_diff((void *)&ip4.saddr, 2 * sizeof(ip4.saddr), (void *)&ip6.saddr, 2 * sizeof(ip6.saddr), 0);

	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
		return TC_ACT_SHOT;
	__be16 proto = bpf_htons(ETH_P_IPV6);
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &proto, sizeof(proto), 0) ||
	    bpf_skb_store_bytes(skb, L3_OFFSET, &ip6, sizeof(ip6), 0) ||
	    bpf_l4_csum_replace(skb, check.offset, 0, diff, check.flags))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
