// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* XDP SYN-flood counter: drops SYNs of a source, or to a service, with too many handshakes left open.
 *
 * A SYN opens a handshake, the client's next ACK completes it. Least-recently-used maps keep the tables bounded when
 * the flood's sources are forged: the busy entries stay, the one-packet entries go. */
#include "common.bpf.h"

const volatile __u32 max_open_per_source = 8;
const volatile __u32 max_open_per_service = 128; /* on one CPU */

struct handshakes {
	__u64 opened;
	__u64 completed;
	__u64 dropped;
};

struct service {
	struct addr addr;
	__be16 port;
	__u16 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct addr);
	__type(value, struct handshakes);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct service);
	__type(value, struct handshakes);
} services SEC(".maps");

static __always_inline struct handshakes *lookup_or_create(void *map, const void *key)
{
	struct handshakes *found = bpf_map_lookup_elem(map, key);
	if (found)
		return found;
	struct handshakes fresh = {};
	bpf_map_update_elem(map, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, key);
}

static __always_inline bool flooded(const struct handshakes *h, __u32 max_open)
{
	return h->opened > h->completed + max_open;
}

SEC("xdp")
int synflood(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	struct addr source;
	struct service service = {};
	__u8 proto;

	switch (pull_ethernet(&cur)) {
	case bpf_htons(ETH_P_IP): {
		struct iphdr *ip = pull_ipv4(&cur);
		if (!ip || is_later_fragment(ip))
			return XDP_PASS;
		source = addr_v4(ip->saddr);
		service.addr = addr_v4(ip->daddr);
		proto = ip->protocol;
		break;
	}
	case bpf_htons(ETH_P_IPV6): {
		struct ipv6hdr *ip = PULL(&cur, struct ipv6hdr);
		if (!ip)
			return XDP_PASS;
		source = addr_v6(&ip->saddr);
		service.addr = addr_v6(&ip->daddr);
		proto = ip->nexthdr;
		break;
	}
	default:
		return XDP_PASS;
	}
	if (proto != IPPROTO_TCP)
		return XDP_PASS;
	struct tcphdr *tcp = PULL(&cur, struct tcphdr);
	if (!tcp)
		return XDP_PASS;
	service.port = tcp->dest;

	if (tcp->syn && !tcp->ack) {
		struct handshakes *from = lookup_or_create(&sources, &source);
		struct handshakes *to = lookup_or_create(&services, &service);
		if (!from || !to)
			return XDP_PASS;
		if (flooded(from, max_open_per_source) || flooded(to, max_open_per_service)) {
			__sync_fetch_and_add(&from->dropped, 1);
			to->dropped++;
			return XDP_DROP;
		}
		__sync_fetch_and_add(&from->opened, 1);
		to->opened++;
		return XDP_PASS;
	}

	/* The ACK that completes a handshake: only a source with one left open can send it. */
	if (tcp->ack && !tcp->syn && !tcp->rst) {
		struct handshakes *from = bpf_map_lookup_elem(&sources, &source);
		if (!from || from->completed >= from->opened)
			return XDP_PASS;
		__sync_fetch_and_add(&from->completed, 1);
		struct handshakes *to = bpf_map_lookup_elem(&services, &service);
		if (to && to->completed < to->opened)
			to->completed++;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
