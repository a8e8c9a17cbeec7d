// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* XDP flow statistics: packets, bytes and TCP flags per flow and CPU, and an event when a flow begins or ends.
 *
 * The same twice: `flowstats` sends its events through a ring buffer, `flowstats_perf` through a perf event array with
 * the first bytes of the packet behind the event. */
#include "common.bpf.h"

#define SNAP_LEN 64

enum event_kind { FLOW_BEGIN = 1, FLOW_END = 2 };

struct flow {
	struct addr source;
	struct addr dest;
	struct ports ports;
	__u8 proto;
	__u8 pad[3];
};

struct stats {
	__u64 packets;
	__u64 bytes;
	__u32 tcp_flags; /* all that were seen */
	__u32 pad;
};

struct event {
	struct flow flow;
	__u32 kind;
	__u32 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct flow);
	__type(value, struct stats);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} perf_events SEC(".maps");

/* Flows that found no room in `flows`, and events that found none in `events`. */
__u64 lost_flows;
__u64 lost_events;

static __always_inline bool parse(struct cursor *cur, struct flow *flow, __u8 *tcp_flags)
{
	switch (pull_ethernet(cur)) {
	case bpf_htons(ETH_P_IP): {
		struct iphdr *ip = pull_ipv4(cur);
		if (!ip)
			return false;
		flow->source = addr_v4(ip->saddr);
		flow->dest = addr_v4(ip->daddr);
		flow->proto = ip->protocol;
		if (is_later_fragment(ip))
			return true;
		break;
	}
	case bpf_htons(ETH_P_IPV6): {
		struct ipv6hdr *ip = PULL(cur, struct ipv6hdr);
		if (!ip)
			return false;
		flow->source = addr_v6(&ip->saddr);
		flow->dest = addr_v6(&ip->daddr);
		flow->proto = ip->nexthdr;
		break;
	}
	default:
		return false;
	}
	if (flow->proto == IPPROTO_TCP) {
		struct tcphdr *tcp = PULL(cur, struct tcphdr);
		if (tcp) {
			flow->ports = (struct ports){ tcp->source, tcp->dest };
			*tcp_flags = ((__u8 *)tcp)[13];
		}
	} else if (flow->proto == IPPROTO_UDP) {
		struct udphdr *udp = PULL(cur, struct udphdr);
		if (udp)
			flow->ports = (struct ports){ udp->source, udp->dest };
	}
	return true;
}

/* Counts the packet; returns the kind of event that it makes, 0 for none. */
static __always_inline __u32 count(const struct flow *flow, __u64 bytes, __u8 tcp_flags)
{
	bool closing = tcp_flags & 0x05; /* FIN or RST */
	struct stats *stats = bpf_map_lookup_elem(&flows, flow);
	if (stats) {
		bool closed = stats->tcp_flags & 0x05;
		stats->packets++;
		stats->bytes += bytes;
		stats->tcp_flags |= tcp_flags;
		return closing && !closed ? FLOW_END : 0;
	}
	struct stats first = { .packets = 1, .bytes = bytes, .tcp_flags = tcp_flags };
	if (bpf_map_update_elem(&flows, flow, &first, BPF_NOEXIST)) {
		__sync_fetch_and_add(&lost_flows, 1);
		return 0;
	}
	return FLOW_BEGIN;
}

SEC("xdp")
int flowstats(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	__u32 bytes = cur.end - cur.pos;
	struct flow flow = {};
	__u8 tcp_flags = 0;
	if (!parse(&cur, &flow, &tcp_flags))
		return XDP_PASS;

	__u32 kind = count(&flow, bytes, tcp_flags);
	if (kind == FLOW_BEGIN) {
		struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
		if (!event) {
			__sync_fetch_and_add(&lost_events, 1);
			return XDP_PASS;
		}
		event->flow = flow;
		event->kind = kind;
		event->bytes = bytes;
		bpf_ringbuf_submit(event, 0);
	} else if (kind == FLOW_END) {
		struct event event = { .flow = flow, .kind = kind, .bytes = bytes };
		if (bpf_ringbuf_output(&events, &event, sizeof(event), BPF_RB_NO_WAKEUP))
			__sync_fetch_and_add(&lost_events, 1);
	}
	return XDP_PASS;
}

SEC("xdp")
int flowstats_perf(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	__u32 bytes = cur.end - cur.pos;
	struct flow flow = {};
	__u8 tcp_flags = 0;
	if (!parse(&cur, &flow, &tcp_flags))
		return XDP_PASS;

	__u32 kind = count(&flow, bytes, tcp_flags);
	if (kind) {
		struct event event = { .flow = flow, .kind = kind, .bytes = bytes };
		__u64 snap = bytes < SNAP_LEN ? bytes : SNAP_LEN;
		/* The upper half of the flags is how much of the packet to append. Nobody may be listening: that is no error. */
		bpf_perf_event_output(ctx, &perf_events, BPF_F_CURRENT_CPU | (snap << 32), &event, sizeof(event));
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
