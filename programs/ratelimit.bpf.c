// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* XDP rate limiter: one token bucket per source address.
 *
 * A bucket holds credit in nanoseconds: time refills it, a packet costs `cost_ns`, and `burst` packets fit in.
 * Reads the clock, so what passes depends on when packets come. */
#include "common.bpf.h"

/* Constants that a loader may set before loading: 100 packets a second, 8 at once. */
const volatile __u64 cost_ns = 10 * 1000 * 1000;
const volatile __u64 burst = 8;

struct bucket {
	__u64 credit_ns;
	__u64 refilled_at;
	__u64 passed;
	__u64 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct addr);
	__type(value, struct bucket);
} buckets SEC(".maps");

/* What found no room in `buckets`: let through, but counted. */
__u64 untracked;

/* Two CPUs may meet the same new source: BPF_NOEXIST lets one of them create the bucket, both then use it. */
static __always_inline struct bucket *bucket_of(const struct addr *source, __u64 now)
{
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, source);
	if (bucket)
		return bucket;
	struct bucket fresh = { .credit_ns = cost_ns * burst, .refilled_at = now };
	long err = bpf_map_update_elem(&buckets, source, &fresh, BPF_NOEXIST);
	if (err && err != -EEXIST)
		return NULL;
	return bpf_map_lookup_elem(&buckets, source);
}

static __always_inline bool take_token(struct bucket *bucket, __u64 now)
{
	__u64 credit = bucket->credit_ns;
	/* Another CPU may have refilled after this one read its clock: then there is nothing to add. */
	if (now > bucket->refilled_at) {
		credit += now - bucket->refilled_at;
		bucket->refilled_at = now;
	}
	if (credit > cost_ns * burst)
		credit = cost_ns * burst;
	bool enough = credit >= cost_ns;
	bucket->credit_ns = enough ? credit - cost_ns : credit;
	return enough;
}

SEC("xdp")
int ratelimit(struct xdp_md *ctx)
{
	struct cursor cur = CURSOR(ctx);
	struct addr source;

	switch (pull_ethernet(&cur)) {
	case bpf_htons(ETH_P_IP): {
		struct iphdr *ip = pull_ipv4(&cur);
		if (!ip)
			return XDP_DROP;
		source = addr_v4(ip->saddr);
		break;
	}
	case bpf_htons(ETH_P_IPV6): {
		struct ipv6hdr *ip = PULL(&cur, struct ipv6hdr);
		if (!ip)
			return XDP_DROP;
		source = addr_v6(&ip->saddr);
		break;
	}
	default: /* ARP and the like are never limited */
		return XDP_PASS;
	}

	__u64 now = bpf_ktime_get_ns();
	struct bucket *bucket = bucket_of(&source, now);
	if (!bucket) {
		__sync_fetch_and_add(&untracked, 1);
		return XDP_PASS;
	}
	if (take_token(bucket, now)) {
		__sync_fetch_and_add(&bucket->passed, 1);
		return XDP_PASS;
	}
	__sync_fetch_and_add(&bucket->dropped, 1);
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
