// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* One operation on one type of map, 64 times a run, each time with another key: `position` goes through all keys that
 * there are in an order that no prefetcher guesses. The maps are made as large as is asked for before they are loaded.
 * Each program returns how many of its operations succeeded. */
#include "../../programs/common.bpf.h"

#define TIMES 64

struct prefix {
	__u32 length;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} lru SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64);
} lpm SEC(".maps");

/* How many keys there are, a power of two: the value of .data. */
__u32 keys = 1024;
__u32 position = 0;

/* A bijection of the numbers below a power of two: each step is one. */
static __always_inline __u32 next(void)
{
	__u32 mask = keys - 1, at = position++ & mask;
	at = at * 0x9e3779b1 & mask;
	at ^= at >> 7;
	return at * 0x85ebca6b & mask;
}

static __always_inline __u64 whole_key(bool is_lookup)
{
	return next();
}

/* As in a routing table: networks of 24 to 31 bits, and lookups of addresses in them. */
static __always_inline struct prefix prefix_key(bool is_lookup)
{
	__u32 network = next();
	return (struct prefix){ is_lookup ? 32 : 24 + (network & 7), bpf_htonl(network << 8 | is_lookup) };
}

#define ROUNDS _Pragma("clang loop unroll(disable)") for (int i = 0; i < TIMES; i++)

#define OPERATIONS(map, type, make)                                                \
	SEC("xdp") int map##_lookup(struct xdp_md *ctx)                                \
	{                                                                              \
		__u32 done = 0;                                                            \
		ROUNDS {                                                                   \
			type key = make(true);                                                 \
			__u64 *value = bpf_map_lookup_elem(&map, &key);                        \
			if (value)                                                             \
				done += *value;                                                    \
		}                                                                          \
		return done;                                                               \
	}                                                                              \
	SEC("xdp") int map##_update(struct xdp_md *ctx)                                \
	{                                                                              \
		__u32 done = 0;                                                            \
		ROUNDS {                                                                   \
			type key = make(false);                                                \
			__u64 value = 1;                                                       \
			done += bpf_map_update_elem(&map, &key, &value, BPF_ANY) == 0;         \
		}                                                                          \
		return done;                                                               \
	}                                                                              \
	SEC("xdp") int map##_replace(struct xdp_md *ctx)                               \
	{                                                                              \
		__u32 done = 0;                                                            \
		ROUNDS {                                                                   \
			type key = make(false);                                                \
			__u64 value = 1;                                                       \
			done += bpf_map_delete_elem(&map, &key) == 0 &&                        \
				bpf_map_update_elem(&map, &key, &value, BPF_ANY) == 0;             \
		}                                                                          \
		return done;                                                               \
	}

OPERATIONS(hash, __u64, whole_key)
OPERATIONS(lru, __u64, whole_key)
OPERATIONS(lpm, struct prefix, prefix_key)

/* What the loop and its keys cost without a map. */
SEC("xdp") int nothing(struct xdp_md *ctx)
{
	__u64 sum = 0;
	ROUNDS sum += whole_key(true);
	return sum == 1 ? 0 : TIMES;
}

char _license[] SEC("license") = "GPL";
