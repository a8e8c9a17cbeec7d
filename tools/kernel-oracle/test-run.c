// One BPF_PROG_TEST_RUN, with room for what the packet may grow to.
#include "oracle.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

void test_run(struct test_run *run) {
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = run->data, .data_size_in = run->size, .data_out = run->out,
                .data_size_out = sizeof run->out, .repeat = run->repeat, .flags = run->flags);
    if (run->ctx_size) {
        opts.ctx_in = run->ctx;
        opts.ctx_size_in = run->ctx_size;
        // An XDP context says where the frame ends (UAPI struct xdp_md, data_end): zero stands for "at its last byte".
        if (run->type == BPF_PROG_TYPE_XDP && run->ctx_size >= 8 && !memcmp(run->ctx + 4, "\0\0\0\0", 4)) {
            struct xdp_md patched = { 0 };
            memcpy(&patched, run->ctx, run->ctx_size < sizeof patched ? run->ctx_size : sizeof patched);
            patched.data_end = run->size;
            memcpy(run->ctx_out, &patched, sizeof patched);
            opts.ctx_in = run->ctx_out;
        }
    }
    if (run->want_ctx) {
        opts.ctx_out = run->ctx_out;
        opts.ctx_size_out = run->type == BPF_PROG_TYPE_XDP ? sizeof(struct xdp_md) : sizeof(struct __sk_buff);
    }
    run->error = bpf_prog_test_run_opts(run->fd, &opts) ? errno : 0;
    run->retval = opts.retval;
    run->out_size = run->error ? 0 : opts.data_size_out;
    run->ctx_out_size = run->error || !run->want_ctx ? 0 : opts.ctx_size_out;
}

void keep_to_first_cpu(void) {
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof first, &first);
}
