// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* XDP layer 4 load balancer: what comes for a virtual service leaves in an IP tunnel to one of its real servers.
 *
 * The server is chosen by a hash of the flow over a ring of RING_SIZE slots, so that a flow stays with its server. The
 * packet keeps its addresses inside the tunnel: the server answers the client directly (direct server return). */
#include "common.bpf.h"

#define MAX_VIPS 16
#define MAX_REALS 64
#define RING_SIZE 61 /* prime, so that equal shares come out near equal */
#define TUNNEL_TTL 64
#define ETH_MTU 1500

struct vip_key {
	struct addr addr;
	__be16 port;
	__u8 proto;
	__u8 pad;
};

struct ring {
	__u8 real[RING_SIZE];
};

/* Both addresses are IPv4-mapped for an IPIP tunnel, IPv6 for IP6IP6. */
struct real {
	struct addr addr;
	__u8 mac[ETH_ALEN];
	__u16 pad;
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VIPS);
	__type(key, struct vip_key);
	__type(value, __u32); /* index of its ring */
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VIPS);
	__type(key, __u32);
	__type(value, struct ring);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_REALS);
	__type(key, __u32);
	__type(value, struct real);
} reals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_REALS);
	__type(key, __u32);
	__type(value, struct counter);
} real_stats SEC(".maps");

/* Where the balancer tunnels from. */
const volatile __be32 tunnel_v4 = bpf_htonl(0x0a0000fe); /* 10.0.0.254 */
const volatile struct addr tunnel_v6 = { { bpf_htonl(0xfd000000), 0, 0, bpf_htonl(0xfe) } }; /* fd00::fe */

__u64 too_big;

struct flow {
	struct vip_key vip;
	struct addr source;
	struct ports ports;
};

/* FNV-1a by words, with the upper half folded in: cheap, and the same on every machine. */
static __always_inline __u32 flow_hash(const struct flow *flow)
{
	__u64 hash = 0xcbf29ce484222325;
	const __u64 prime = 0x100000001b3;
#pragma unroll
	for (int i = 0; i < 4; i++)
		hash = (hash ^ flow->source.word[i]) * prime;
	hash = (hash ^ ((__u32)flow->ports.source << 16 | flow->ports.dest)) * prime;
	return hash ^ (hash >> 32);
}

static __always_inline void write_eth(struct ethhdr *eth, const struct ethhdr *old, const struct real *real, __u16 proto)
{
	__builtin_memcpy(eth->h_source, old->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, real->mac, ETH_ALEN);
	eth->h_proto = bpf_htons(proto);
}

static __always_inline int encap_v4(struct xdp_md *ctx, const struct real *real, __u16 inner_len, __u8 tos)
{
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct iphdr)))
		return XDP_ABORTED;
	struct cursor cur = CURSOR(ctx);
	void *old = cur.pos + sizeof(struct iphdr);
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	struct iphdr *ip = PULL(&cur, struct iphdr);
	if (!eth || !ip || old + sizeof(*eth) > cur.end)
		return XDP_ABORTED;
	write_eth(eth, old, real, ETH_P_IP);
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = tos,
		.tot_len = bpf_htons(inner_len + sizeof(*ip)),
		.frag_off = bpf_htons(IP_DF),
		.ttl = TUNNEL_TTL,
		.protocol = IPPROTO_IPIP,
		.saddr = tunnel_v4,
		.daddr = real->addr.word[3],
	};
	ip->check = csum_fold(bpf_csum_diff(NULL, 0, (void *)ip, sizeof(*ip), 0));
	return XDP_TX;
}

static __always_inline int encap_v6(struct xdp_md *ctx, const struct real *real, __u16 inner_len)
{
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct ipv6hdr)))
		return XDP_ABORTED;
	struct cursor cur = CURSOR(ctx);
	void *old = cur.pos + sizeof(struct ipv6hdr);
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	struct ipv6hdr *ip = PULL(&cur, struct ipv6hdr);
	if (!eth || !ip || old + sizeof(*eth) > cur.end)
		return XDP_ABORTED;
	write_eth(eth, old, real, ETH_P_IPV6);
	*(__be32 *)ip = bpf_htonl(6u << 28);
	ip->payload_len = bpf_htons(inner_len);
	ip->nexthdr = IPPROTO_IPV6;
	ip->hop_limit = TUNNEL_TTL;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		ip->saddr.in6_u.u6_addr32[i] = tunnel_v6.word[i];
		ip->daddr.in6_u.u6_addr32[i] = real->addr.word[i];
	}
	return XDP_TX;
}

SEC("xdp")
int lb(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	__u64 bytes = cur.end - cur.pos;
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	if (!eth)
		return XDP_DROP;

	struct flow flow = {};
	__u16 inner_len;
	__u8 tos = 0;
	bool v4 = eth->h_proto == bpf_htons(ETH_P_IP);
	if (v4) {
		struct iphdr *ip = pull_ipv4(&cur);
		if (!ip)
			return XDP_DROP;
		if (is_fragment(ip)) /* only the first has ports: leave them to the stack */
			return XDP_PASS;
		flow.source = addr_v4(ip->saddr);
		flow.vip.addr = addr_v4(ip->daddr);
		flow.vip.proto = ip->protocol;
		inner_len = bpf_ntohs(ip->tot_len);
		tos = ip->tos;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = PULL(&cur, struct ipv6hdr);
		if (!ip)
			return XDP_DROP;
		flow.source = addr_v6(&ip->saddr);
		flow.vip.addr = addr_v6(&ip->daddr);
		flow.vip.proto = ip->nexthdr;
		inner_len = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	} else {
		return XDP_PASS;
	}
	if (flow.vip.proto != IPPROTO_TCP && flow.vip.proto != IPPROTO_UDP)
		return XDP_PASS;
	struct ports *ports = PULL(&cur, struct ports);
	if (!ports)
		return XDP_DROP;
	flow.ports = *ports;
	flow.vip.port = ports->dest;

	__u32 *vip = bpf_map_lookup_elem(&vips, &flow.vip);
	if (!vip)
		return XDP_PASS;
	struct ring *ring = bpf_map_lookup_elem(&rings, vip);
	if (!ring)
		return XDP_DROP;
	/* Scales the hash to a slot: unlike a remainder's, the verifier can follow the product's bounds. */
	__u32 index = ring->real[(__u64)flow_hash(&flow) * RING_SIZE >> 32];
	struct real *real = bpf_map_lookup_elem(&reals, &index);
	if (!real || !real->addr.word[3]) /* an empty slot: the service has no server */
		return XDP_DROP;
	if (inner_len + (v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) > ETH_MTU) {
		__sync_fetch_and_add(&too_big, 1);
		return XDP_DROP;
	}
	struct counter *stats = bpf_map_lookup_elem(&real_stats, &index);
	if (stats) {
		stats->packets++;
		stats->bytes += bytes;
	}
	return v4 ? encap_v4(ctx, real, inner_len, tos) : encap_v6(ctx, real, inner_len);
}

char _license[] SEC("license") = "GPL";
