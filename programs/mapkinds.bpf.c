// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Breadth: maps of maps, queues, stacks and Bloom filters; globals in .data, .bss, .rodata and .kconfig; callbacks;
 * static and global functions; text helpers. Small programs, one subject each. */
#include "common.bpf.h"

#define MAX_PROTOS 256
#define QUEUE_LEN 8

/* ---- maps of maps: packet counters of each VLAN (tenant), by IP protocol ---- */

struct per_proto {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_PROTOS);
	__type(key, __u32);
	__type(value, __u64);
} tenant_default SEC(".maps"), tenant_blue SEC(".maps"), tenant_red SEC(".maps");

/* By the number that `vlan_tenants` gives; slot 3 stays empty until someone fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct per_proto);
} tenants SEC(".maps") = {
	.values = { &tenant_default, &tenant_blue, &tenant_red },
};

struct ports_seen {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, __be16);
	__type(value, __u64);
} tcp_ports SEC(".maps"), udp_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32); /* IP protocol */
	__array(values, struct ports_seen);
} ports_by_proto SEC(".maps") = {
	.values = { [IPPROTO_TCP] = &tcp_ports, [IPPROTO_UDP] = &udp_ports },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u16);
	__type(value, __u32);
} vlan_tenants SEC(".maps");

/* ---- queues, stacks, sets ---- */

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, QUEUE_LEN);
	__type(value, __u32);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, QUEUE_LEN);
	__type(value, __u32);
} undo SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_ZERO_SEED);
	__uint(map_extra, 3); /* hash functions */
	__type(value, __be32);
} seen SEC(".maps");

/* ---- globals ---- */

const volatile __u32 port_shift = 1;          /* .rodata */
const char tenant_names[3][8] = { "default", "blue", "red" };
__u64 next_serial = 1000;                      /* .data */
__u64 newcomers, evicted, total_ports, checksum; /* .bss */
static __u32 histogram[16];
char line[64];
__s64 parsed[2];

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_BPFREPLAY_EXAMPLE __kconfig __weak; /* no kernel has it: false */

/* A global function: verified by itself, for any argument. */
__attribute__((noinline)) int bucket_of(__u32 len)
{
	int bucket = 0;
	while (len > 1 && bucket < 15) {
		len >>= 1;
		bucket++;
	}
	return bucket;
}

/* Another, with memory that the verifier takes as a checked pointer. */
__attribute__((noinline)) int sum_words(struct addr *addr)
{
	__u32 sum = 0;
	if (!addr)
		return -1;
	for (int i = 0; i < 4; i++)
		sum += bpf_ntohl(addr->word[i]);
	return sum & 0x7fffffff;
}

static __always_inline bool ipv4_of(struct xdp_md *ctx, struct cursor *cur, struct iphdr **ip)
{
	*cur = (struct cursor)CURSOR(ctx);
	if (pull_ethernet(cur) != bpf_htons(ETH_P_IP))
		return false;
	*ip = pull_ipv4(cur);
	return *ip;
}

SEC("xdp")
int tenant_counters(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	struct ethhdr *eth = PULL(&cur, struct ethhdr);
	if (!eth)
		return XDP_DROP;
	__u16 vid = 0;
	if (is_vlan(eth->h_proto)) {
		struct vlan_hdr *vlan = PULL(&cur, struct vlan_hdr);
		if (!vlan)
			return XDP_DROP;
		vid = bpf_ntohs(vlan->tci) & VLAN_VID_MASK;
	}
	__u32 *tenant = bpf_map_lookup_elem(&vlan_tenants, &vid);
	__u32 slot = tenant ? *tenant : 0;
	void *counters = bpf_map_lookup_elem(&tenants, &slot);
	if (!counters)
		return XDP_DROP; /* a tenant without a table */

	struct iphdr *ip;
	__u32 proto = 0;
	if (ipv4_of(ctx, &cur, &ip))
		proto = ip->protocol;
	__u64 *packets = bpf_map_lookup_elem(counters, &proto);
	if (packets)
		__sync_fetch_and_add(packets, 1);

	void *by_port = bpf_map_lookup_elem(&ports_by_proto, &proto);
	struct ports *ports = PULL(&cur, struct ports);
	if (by_port && ports) {
		__be16 port = ports->dest;
		__u64 one = 1, *seen_before = bpf_map_lookup_elem(by_port, &port);
		if (seen_before)
			*seen_before += port_shift;
		else
			bpf_map_update_elem(by_port, &port, &one, BPF_ANY);
	}
	return XDP_PASS;
}

struct bpf_map;

struct tally {
	__u64 entries;
	__u64 packets;
};

/* Adds up; the order of a hash map's entries must not matter. */
static long add_entry(struct bpf_map *map, const __be16 *key, __u64 *value, struct tally *tally)
{
	tally->entries++;
	tally->packets += *value;
	return 0;
}

static long delete_small(struct bpf_map *map, const __be16 *key, __u64 *value, void *limit)
{
	if (*value < *(__u64 *)limit)
		bpf_map_delete_elem(map, key);
	return 0;
}

/* Counts destination ports, and every 16th packet sweeps the table. */
SEC("xdp")
int port_census(struct xdp_md *ctx)
{
	struct cursor cur;
	struct iphdr *ip;
	if (!ipv4_of(ctx, &cur, &ip) || (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return XDP_PASS;
	struct ports *ports = PULL(&cur, struct ports);
	if (!ports)
		return XDP_PASS;
	__be16 port = ports->dest;
	__u64 one = 1, *count = bpf_map_lookup_elem(&tcp_ports, &port);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&tcp_ports, &port, &one, BPF_ANY);

	__u64 serial = __sync_fetch_and_add(&next_serial, 1);
	if (serial % 16 != 15)
		return XDP_PASS;
	struct tally tally = {};
	bpf_for_each_map_elem(&tcp_ports, add_entry, &tally, 0);
	total_ports = tally.entries;
	__u64 limit = 2;
	bpf_for_each_map_elem(&tcp_ports, delete_small, &limit, 0);
	return tally.packets > 64 ? XDP_TX : XDP_PASS;
}

/* Remembers the last sources in a queue and a stack, and all of them in a Bloom filter. */
SEC("xdp")
int recent_sources(struct xdp_md *ctx)
{
	struct cursor cur;
	struct iphdr *ip;
	if (!ipv4_of(ctx, &cur, &ip))
		return XDP_PASS;
	__be32 source = ip->saddr;
	__u32 value, oldest;

	bool known = bpf_map_peek_elem(&seen, &source) == 0;
	if (!known) {
		bpf_map_push_elem(&seen, &source, BPF_ANY);
		__sync_fetch_and_add(&newcomers, 1);
	}
	value = bpf_ntohl(source);
	/* Full: make room by hand the first way, by BPF_EXIST the second. */
	if (bpf_map_push_elem(&recent, &value, BPF_ANY)) {
		if (!bpf_map_pop_elem(&recent, &oldest))
			__sync_fetch_and_add(&evicted, oldest & 0xff);
		bpf_map_push_elem(&recent, &value, BPF_ANY);
	}
	bpf_map_push_elem(&undo, &value, BPF_EXIST);
	if (ip->protocol == IPPROTO_ICMP && !bpf_map_pop_elem(&undo, &value) && !bpf_map_peek_elem(&undo, &oldest))
		return value == oldest ? XDP_DROP : XDP_PASS;
	return known ? XDP_PASS : XDP_TX;
}

struct xor_walk {
	struct xdp_md *ctx;
	__u32 offset;
	__u64 sum;
};

static long xor_word(__u64 i, struct xor_walk *walk)
{
	__u32 word;
	if (bpf_xdp_load_bytes(walk->ctx, walk->offset + i * sizeof(word), &word, sizeof(word)))
		return 1; /* past the end */
	walk->sum = (walk->sum << 1 | walk->sum >> 63) ^ word;
	return 0;
}

/* bpf_loop over the packet's words, a histogram of lengths, and division, in forms that cpu v4 has signed. */
SEC("xdp")
int fingerprint(struct xdp_md *ctx)
{
	__u32 len = bpf_xdp_get_buff_len(ctx);
	histogram[bucket_of(len) & 15]++;
	struct xor_walk walk = { .ctx = ctx, .offset = ETH_HLEN };
	long rounds = bpf_loop(2048, xor_word, &walk, 0);
	checksum ^= walk.sum;

	struct addr addr;
	if (!bpf_xdp_load_bytes(ctx, ETH_HLEN, &addr, sizeof(addr)) && sum_words(&addr) < 0)
		return XDP_ABORTED;
	__s64 skew = (__s64)walk.sum / 7 % 5; /* negative for half of all packets */
	if (LINUX_KERNEL_VERSION < KERNEL_VERSION(5, 0, 0) || CONFIG_BPFREPLAY_EXAMPLE)
		return XDP_ABORTED;
	if (rounds > 256)
		return XDP_TX; /* more than a KiB */
	return (__s8)skew < 0 ? XDP_DROP : XDP_PASS;
}

/* Numbers out of text, and text out of numbers: "GET /<n>" picks a verdict. */
SEC("xdp")
int text(struct xdp_md *ctx)
{
	struct cursor cur;
	struct iphdr *ip;
	if (!ipv4_of(ctx, &cur, &ip))
		return XDP_PASS;
	char digits[8] = "0x";
	unsigned long hex = 0;
	long number = 0;
	__u8 ttl = ip->ttl;
	/* TTL 64 -> "0x64 " -> 100, and -64. */
	digits[2] = '0' + ttl / 10 % 10;
	digits[3] = '0' + ttl % 10;
	if (bpf_strtoul(digits, sizeof(digits), 0, &hex) < 0)
		return XDP_ABORTED;
	digits[0] = ' ';
	digits[1] = '-';
	if (bpf_strtol(digits, sizeof(digits), 10, &number) < 0)
		return XDP_ABORTED;
	parsed[0] = hex;
	parsed[1] = number;

	__u32 tenant = ip->protocol == IPPROTO_TCP ? 1 : ip->protocol == IPPROTO_UDP ? 2 : 0;
	__be32 source = ip->saddr;
	BPF_SNPRINTF(line, sizeof(line), "%s %pI4 ttl=%d hex=%lx", tenant_names[tenant], &source, ttl, hex);
	bpf_printk("%s", line);
	if (bpf_strncmp(line, 4, "blue") == 0)
		return XDP_TX;
	return bpf_strncmp(line, 3, "red") == 0 ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
