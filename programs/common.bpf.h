/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What every example shares: a bounds-checked packet cursor, the headers that UAPI does not define, checksum arithmetic. */
#ifndef BPFREPLAY_COMMON_BPF_H
#define BPFREPLAY_COMMON_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/version.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define EEXIST 17 /* <asm-generic/errno-base.h> */

#define VLAN_VID_MASK 0x0fff
#define VLAN_MAX_DEPTH 2 /* 802.1Q, and one tag more for 802.1ad */
#define IP_DF 0x4000
#define IP_OFFSET_MASK 0x1fff
#define IP_MF 0x2000

/* IEEE 802.1Q tag: what follows the two MAC addresses and the TPID. */
struct vlan_hdr {
	__be16 tci;
	__be16 proto;
};

/* RFC 826, for Ethernet and IPv4. */
struct arp_ipv4 {
	__be16 hw_type;
	__be16 proto;
	__u8 hw_len;
	__u8 proto_len;
	__be16 op;
	__u8 sender_mac[ETH_ALEN];
	__be32 sender_ip;
	__u8 target_mac[ETH_ALEN];
	__be32 target_ip;
} __attribute__((packed));

/* RFC 792 and RFC 4443 begin alike; <linux/icmp.h> would draw in the C library's socket headers. */
struct icmp_hdr {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be16 id;
	__be16 sequence;
};
#define ICMP_ECHOREPLY 0
#define ICMP_ECHO 8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

/* The first four bytes of TCP and UDP alike. */
struct ports {
	__be16 source;
	__be16 dest;
};

/* RFC 2784, extended by RFC 2890: optional words follow in the order checksum, key, sequence. */
struct gre_hdr {
	__be16 flags;
	__be16 proto;
};
#define GRE_CSUM 0x8000
#define GRE_KEY 0x2000
#define GRE_SEQ 0x1000
#define GRE_VERSION 0x0007

/* RFC 7348. */
struct vxlan_hdr {
	__be32 flags;
	__be32 vni;
};

/* RFC 1035, section 4.1.1. */
struct dns_hdr {
	__be16 id;
	__be16 flags;
	__be16 questions;
	__be16 answers;
	__be16 authority;
	__be16 additional;
};

/* An IPv6 address, or an IPv4 address mapped into ::ffff:0:0/96: one key for both families. */
struct addr {
	__be32 word[4];
};

static __always_inline struct addr addr_v4(__be32 v4)
{
	return (struct addr){ { 0, 0, bpf_htonl(0xffff), v4 } };
}

static __always_inline struct addr addr_v6(const struct in6_addr *v6)
{
	return (struct addr){ { v6->in6_u.u6_addr32[0], v6->in6_u.u6_addr32[1], v6->in6_u.u6_addr32[2],
				v6->in6_u.u6_addr32[3] } };
}

/* How far the parser has come, and where the packet ends. */
struct cursor {
	void *pos;
	void *end;
};

/* xdp_md and __sk_buff name their fields alike. */
#define CURSOR(ctx) { (void *)(long)(ctx)->data, (void *)(long)(ctx)->data_end }

/* Takes a header of this type off the front; NULL if the packet ends before it does. */
#define PULL(cur, type)                                                                      \
	({                                                                                   \
		type *header_ = (cur)->pos;                                                  \
		if ((void *)(header_ + 1) > (cur)->end)                                      \
			header_ = NULL;                                                      \
		else                                                                         \
			(cur)->pos = header_ + 1;                                            \
		header_;                                                                     \
	})

static __always_inline bool is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

/* Takes the Ethernet header and up to two tags; returns the EtherType behind them, 0 for a packet too short. */
static __always_inline __be16 pull_ethernet(struct cursor *cur)
{
	struct ethhdr *eth = PULL(cur, struct ethhdr);
	if (!eth)
		return 0;
	__be16 proto = eth->h_proto;
#pragma unroll
	for (int depth = 0; depth < VLAN_MAX_DEPTH; depth++) {
		if (!is_vlan(proto))
			break;
		struct vlan_hdr *vlan = PULL(cur, struct vlan_hdr);
		if (!vlan)
			return 0;
		proto = vlan->proto;
	}
	return proto;
}

/* Takes an IPv4 header with its options. */
static __always_inline struct iphdr *pull_ipv4(struct cursor *cur)
{
	struct iphdr *ip = PULL(cur, struct iphdr);
	if (!ip || ip->version != 4 || ip->ihl < 5)
		return NULL;
	void *payload = (void *)ip + ip->ihl * 4;
	if (payload > cur->end)
		return NULL;
	cur->pos = payload;
	return ip;
}

static __always_inline bool is_fragment(const struct iphdr *ip)
{
	return ip->frag_off & bpf_htons(IP_MF | IP_OFFSET_MASK);
}

static __always_inline bool is_later_fragment(const struct iphdr *ip)
{
	return ip->frag_off & bpf_htons(IP_OFFSET_MASK);
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];
	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
}

/* Folds a 32-bit one's complement sum and inverts it (RFC 1071). */
static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Updates a checksum for one 16-bit word that changed (RFC 1624, equation 3). */
static __always_inline void csum_replace(__u16 *check, __u16 from, __u16 to)
{
	*check = csum_fold((__u32)(__u16)~*check + (__u16)~from + to);
}

#endif
