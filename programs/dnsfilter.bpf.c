// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* XDP DNS filter: looks at the name that a query asks for and drops the query, or refuses it in the server's stead.
 *
 * `names` matches whole names; `suffixes` matches a domain and all below it: a trie of names written backwards, in
 * which the longest prefix is the longest suffix. Names are lower case, with dots, without the last dot. */
#include "common.bpf.h"

#define DNS_PORT 53
#define NAME_MAX 64 /* longer names are passed unseen, and counted */
#define DNS_QR 0x8000
#define DNS_OPCODE 0x7800
#define DNS_REFUSED 5

enum policy { POLICY_PASS, POLICY_DROP, POLICY_REFUSE };
enum outcome { SEEN, PASSED, DROPPED, REFUSED, UNREADABLE, OUTCOMES };

struct name {
	char text[NAME_MAX];
};

struct suffix {
	__u32 prefixlen; /* in bits */
	char reversed[NAME_MAX];
};

/* Too large for the stack together. */
struct scratch {
	__u8 wire[NAME_MAX];
	struct name name;
	struct suffix suffix;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct name);
	__type(value, __u32);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct suffix);
	__type(value, __u32);
} suffixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} outcomes SEC(".maps");

static __always_inline void count(__u32 outcome)
{
	__u64 *counter = bpf_map_lookup_elem(&outcomes, &outcome);
	if (counter)
		(*counter)++;
}

struct walk {
	struct scratch *scratch;
	__u32 left; /* bytes left in the label */
	__u32 len;  /* of the text, once the root label was seen */
	bool done;
};

/* One byte of the name in wire format (RFC 1035, section 3.1): labels, each behind its length, then a zero. Text
 * position i - 1 takes wire position i: a length becomes the dot in front of its label. */
static long read_byte(__u64 i, struct walk *walk)
{
	if (i >= NAME_MAX)
		return 1;
	__u8 c = walk->scratch->wire[i];
	if (walk->left == 0) {
		if (c == 0) {
			walk->done = true;
			walk->len = i ? i - 1 : 0;
			return 1;
		}
		if (c > 63) /* a compression pointer has no place in a question */
			return 1;
		walk->left = c;
		c = '.';
	} else {
		walk->left--;
		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
	}
	if (i > 0)
		walk->scratch->name.text[i - 1] = c;
	return 0;
}

static __always_inline __u32 policy_of(struct scratch *scratch, __u32 len)
{
	__u32 *policy = bpf_map_lookup_elem(&names, &scratch->name);
	if (policy)
		return *policy;
	for (__u32 i = 0; i < NAME_MAX && i < len; i++)
		scratch->suffix.reversed[i] = scratch->name.text[(len - 1 - i) & (NAME_MAX - 1)];
	/* A dot behind the name, so that "example.test" does not match "counterexample.test". */
	scratch->suffix.reversed[len & (NAME_MAX - 1)] = '.';
	scratch->suffix.prefixlen = (len + 1) * 8;
	policy = bpf_map_lookup_elem(&suffixes, &scratch->suffix);
	return policy ? *policy : POLICY_PASS;
}

/* Sends the query back as the server's refusal: swapped addresses and ports leave the checksum alone, the flags not. */
static __always_inline int refuse(struct ethhdr *eth, struct iphdr *ip4, struct ipv6hdr *ip6, struct udphdr *udp,
				  struct dns_hdr *dns)
{
	swap_macs(eth);
	if (ip4) {
		__be32 source = ip4->saddr;
		ip4->saddr = ip4->daddr;
		ip4->daddr = source;
	} else if (ip6) {
		struct in6_addr source = ip6->saddr;
		ip6->saddr = ip6->daddr;
		ip6->daddr = source;
	}
	__be16 port = udp->source;
	udp->source = udp->dest;
	udp->dest = port;
	__be16 flags = dns->flags | bpf_htons(DNS_QR | DNS_REFUSED);
	if (udp->check)
		csum_replace(&udp->check, dns->flags, flags);
	dns->flags = flags;
	return XDP_TX;
}

SEC("xdp")
int dnsfilter(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	void *start = cur.pos;
	struct ethhdr *eth = start;
	struct iphdr *ip4 = NULL;
	struct ipv6hdr *ip6 = NULL;
	__u8 proto = 0;

	switch (pull_ethernet(&cur)) {
	case bpf_htons(ETH_P_IP):
		ip4 = pull_ipv4(&cur);
		if (ip4 && !is_fragment(ip4))
			proto = ip4->protocol;
		break;
	case bpf_htons(ETH_P_IPV6):
		ip6 = PULL(&cur, struct ipv6hdr);
		if (ip6)
			proto = ip6->nexthdr;
		break;
	}
	if (proto != IPPROTO_UDP)
		return XDP_PASS;
	struct udphdr *udp = PULL(&cur, struct udphdr);
	if (!udp || udp->dest != bpf_htons(DNS_PORT))
		return XDP_PASS;
	struct dns_hdr *dns = PULL(&cur, struct dns_hdr);
	if (!dns || (dns->flags & bpf_htons(DNS_QR | DNS_OPCODE)) || dns->questions != bpf_htons(1))
		return XDP_PASS;
	count(SEEN);

	__u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!scratch)
		return XDP_ABORTED;
	__builtin_memset(scratch, 0, sizeof(*scratch));
	__u32 offset = cur.pos - start;
	__u64 len = bpf_xdp_get_buff_len(ctx) - offset;
	if (len > NAME_MAX)
		len = NAME_MAX;
	barrier_var(len); /* else clang tests another register than the one that the verifier sees in the call */
	if (len == 0 || bpf_xdp_load_bytes(ctx, offset, scratch->wire, len)) {
		count(UNREADABLE);
		return XDP_PASS;
	}

	struct walk walk = { .scratch = scratch };
	bpf_loop(NAME_MAX, read_byte, &walk, 0);
	if (!walk.done || walk.len >= NAME_MAX) {
		count(UNREADABLE);
		return XDP_PASS;
	}
	switch (policy_of(scratch, walk.len)) {
	case POLICY_DROP:
		count(DROPPED);
		return XDP_DROP;
	case POLICY_REFUSE:
		count(REFUSED);
		return refuse(eth, ip4, ip6, udp, dns);
	default:
		count(PASSED);
		return XDP_PASS;
	}
}

char _license[] SEC("license") = "GPL";
