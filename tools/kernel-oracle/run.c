// What does one program do to each packet of a capture, and what do its maps hold afterwards?
#include "oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    const char *file, *program, *capture, *map_init, *type, *ctx_hex;
    uint32_t repeat;
    bool maps, ctx_out, data_out, log;
};

static char verifier_log[1 << 24];

static bool read_request(int argc, char **argv, struct request *request) {
    const struct { const char *name; const char **value; } texts[] = {
        { "--map-init", &request->map_init }, { "--type", &request->type }, { "--ctx-hex", &request->ctx_hex },
    };
    const struct { const char *name; bool *value; } flags[] = {
        { "--maps", &request->maps }, { "--ctx-out", &request->ctx_out },
        { "--data-out", &request->data_out }, { "--log", &request->log },
    };
    const char **positional[] = { &request->file, &request->program, &request->capture };
    size_t given = 0;
    for (int i = 1; i < argc; i++) {
        bool taken = false;
        for (size_t k = 0; k < sizeof texts / sizeof *texts && i + 1 < argc; k++)
            if (!strcmp(argv[i], texts[k].name)) *texts[k].value = argv[++i], taken = true;
        for (size_t k = 0; !taken && k < sizeof flags / sizeof *flags; k++)
            if (!strcmp(argv[i], flags[k].name)) *flags[k].value = taken = true;
        if (!taken && !strcmp(argv[i], "--repeat") && i + 1 < argc) request->repeat = (uint32_t)atol(argv[++i]), taken = true;
        if (!taken && given < 3 && strncmp(argv[i], "--", 2)) *positional[given++] = argv[i], taken = true;
        if (!taken) return false;
    }
    return given == 3;
}

static int refuse(const char *stage, const char *error, const char *message) {
    printf("{\"stage\":\"%s\",\"error\":\"%s\",\"message\":", stage, error);
    json_string(message);
    puts("}");
    return EXIT_REFUSED;
}

// Sections that libbpf does not know leave a program without a type: --type speaks for them and for the program asked about.
static void set_types(struct bpf_object *object, struct bpf_program *target, int type) {
    struct bpf_program *program;
    bpf_object__for_each_program(program, object) {
        if (program != target && bpf_program__type(program) != BPF_PROG_TYPE_UNSPEC) continue;
        if (bpf_program__type(program) == (enum bpf_prog_type)type) continue;
        bpf_program__set_type(program, (enum bpf_prog_type)type);
        bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)0);
    }
}

// Whether the kernel takes this program of the file, loaded by itself.
static bool accepted_alone(const struct request *request, const char *name, int type) {
    struct bpf_object *object = bpf_object__open_file(request->file, NULL);
    if (!object) return false;
    struct bpf_program *program = object_program(object, name);
    if (type) set_types(object, object_program(object, request->program), type);
    bool accepted = !object_load_only(object, program, verifier_log, sizeof verifier_log, 4);
    bpf_object__close(object);
    return accepted;
}

// An object opened and loaded, with other programs beside the target, because program arrays may hold them: at first
// all of the target's type; when that fails, whichever the kernel takes, of any type.
static struct bpf_object *load(const struct request *request, bool siblings, int *status) {
    struct bpf_object *object = bpf_object__open_file(request->file, NULL);
    if (!object) {
        int error = errno;
        *status = refuse("open", errno_name(error), complaints_take());
        return NULL;
    }
    struct bpf_program *target = object_program(object, request->program), *program;
    int type = request->type ? prog_type_by_name(request->type) : 0;
    if (!target || type < 0) {
        *status = refuse("open", "ENOENT", target ? "unknown program type" : "no such program");
        bpf_object__close(object);
        return NULL;
    }
    if (type) set_types(object, target, type);
    bpf_object__for_each_program(program, object)
        bpf_program__set_autoload(program, program == target ||
                                               (siblings ? bpf_program__type(program) == bpf_program__type(target)
                                                         : accepted_alone(request, bpf_program__name(program), type)));
    object_neutralise_maps(object);
    if (request->map_init && map_init_autoload(object, request->map_init)) {
        *status = EXIT_USAGE;
        bpf_object__close(object);
        return NULL;
    }
    verifier_log[0] = 0;
    bpf_program__set_log_buf(target, verifier_log, sizeof verifier_log);
    bpf_program__set_log_level(target, request->log ? 2 | 4 : 4);
    complaints_take();
    if (bpf_object__load(object)) {
        int error = errno;
        bpf_object__close(object);
        if (siblings) return load(request, false, status);
        struct log_facts facts;
        log_read(verifier_log, &facts);
        const char *complaint = complaints_take();
        *status = refuse("load", errno_name(error), facts.reason[0] ? facts.reason : complaint);
        object = NULL;
    }
    if (request->log) fputs(verifier_log, stderr);
    return object;
}

static uint64_t fnv1a64(const uint8_t *bytes, size_t size) {
    uint64_t hash = 0xcbf29ce484222325u;
    while (size--) hash = (hash ^ *bytes++) * 0x100000001b3u;
    return hash;
}

static void answer(const struct request *request, const struct test_run *run, long index) {
    if (run->error) {
        printf("{\"index\":%ld,\"error\":\"%s\"}\n", index, errno_name(run->error));
        return;
    }
    printf("{\"index\":%ld,\"retval\":%u,\"out_len\":%u,\"out_fnv1a64\":\"%016llx\"", index, run->retval, run->out_size,
           (unsigned long long)fnv1a64(run->out, run->out_size));
    if (request->data_out) fputs(",\"out\":", stdout), json_hex(run->out, run->out_size);
    if (run->ctx_out_size) fputs(",\"ctx_out\":", stdout), json_hex(run->ctx_out, run->ctx_out_size);
    puts("}");
}

static int replay(const struct request *request, struct bpf_object *object) {
    static uint8_t frame[DATA_CAPACITY];
    static struct test_run run;
    const char *problem;
    struct capture *capture = capture_open(request->capture, &problem);
    if (!capture) {
        fprintf(stderr, "%s %s\n", request->capture, problem);
        return EXIT_USAGE;
    }
    struct bpf_program *target = object_program(object, request->program);
    run.fd = bpf_program__fd(target);
    run.type = (int)bpf_program__type(target);
    run.data = frame;
    run.repeat = request->repeat;
    run.want_ctx = request->ctx_out;
    if (request->ctx_hex) {
        long size = hex_read(request->ctx_hex, strlen(request->ctx_hex), run.ctx, sizeof run.ctx);
        if (size < 0) fprintf(stderr, "--ctx-hex: not hex, or longer than %d bytes\n", CTX_CAPACITY);
        run.ctx_size = size < 0 ? 0 : (uint32_t)size;
    } else if (request->ctx_out && run.type == BPF_PROG_TYPE_XDP) {
        run.ctx_size = sizeof(struct xdp_md); // ctx_out alone stands for a ctx_in of zeroes, whose data_end must be right
    }
    struct events *events = events_open(object);
    long size, index = 0;
    for (; (size = capture_next(capture, frame, sizeof frame)) >= 0; index++) {
        run.size = (uint32_t)size;
        test_run(&run);
        events_collect(events, index);
        answer(request, &run, index);
    }
    if (size < -1) fprintf(stderr, "%s: record %ld is cut off, or larger than %d bytes\n", request->capture, index, DATA_CAPACITY);
    if (request->maps) maps_dump(object, events);
    events_close(events);
    capture_close(capture);
    return size < -1 ? EXIT_USAGE : EXIT_DONE;
}

int run_main(int argc, char **argv) {
    struct request request = { .repeat = 1 };
    if (!read_request(argc, argv, &request)) {
        fprintf(stderr, "oracle run: README.md lists its arguments\n");
        return EXIT_USAGE;
    }
    keep_to_first_cpu();
    complaints_capture();
    int status = EXIT_DONE;
    struct bpf_object *object = load(&request, true, &status);
    if (!object) return status;
    if (request.map_init && map_init(object, request.map_init)) status = EXIT_USAGE;
    else status = replay(&request, object);
    bpf_object__close(object);
    return status;
}
