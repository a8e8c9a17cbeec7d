// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* XDP sampler: takes one packet in N by chance and records when and where it was seen. It reads every clock, the random
 * generator and the CPU's number, which no other example does (`ratelimit` reads one clock). */
#include "common.bpf.h"

const volatile __u32 one_in = 4;

struct sample {
	__u64 monotonic_ns;
	__u64 boot_ns;
	__u64 coarse_ns;
	__u64 tai_ns;
	__u64 jiffies;
	__u32 cpu;
	__u32 len;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* left, taken */
	__type(key, __u32);
	__type(value, __u64);
} decisions SEC(".maps");

__u64 clock_ran_backwards;
static __u64 last_ns;

SEC("xdp")
int sampler(struct xdp_md *ctx)
{
	__u32 taken = bpf_get_prandom_u32() % one_in == 0;
	__u64 *count = bpf_map_lookup_elem(&decisions, &taken);
	if (count)
		(*count)++;
	if (!taken)
		return XDP_PASS;

	struct sample *sample = bpf_ringbuf_reserve(&samples, sizeof(*sample), 0);
	if (!sample)
		return XDP_PASS;
	sample->monotonic_ns = bpf_ktime_get_ns();
	sample->boot_ns = bpf_ktime_get_boot_ns();
	sample->coarse_ns = bpf_ktime_get_coarse_ns();
	sample->tai_ns = bpf_ktime_get_tai_ns();
	sample->jiffies = bpf_jiffies64();
	sample->cpu = bpf_get_smp_processor_id();
	sample->len = bpf_xdp_get_buff_len(ctx);
	if (sample->monotonic_ns < last_ns)
		clock_ran_backwards++;
	last_ns = sample->monotonic_ns;
	if (sample->len < ETH_ZLEN) { /* a runt is not worth a record */
		bpf_ringbuf_discard(sample, BPF_RB_NO_WAKEUP);
		return XDP_PASS;
	}
	bpf_ringbuf_submit(sample, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
