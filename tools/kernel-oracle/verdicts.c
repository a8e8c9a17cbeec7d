// Does Linux accept each program of an object, and if not, at which instruction and why?
#include "oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char verifier_log[1 << 24];

static void one(const char *file, const char *name) {
    struct bpf_object *object = bpf_object__open_file(file, NULL);
    if (!object) return;
    struct bpf_program *target = object_program(object, name);
    // Statistics only, so that the time is the verifier's own; once more with the trace to name the instruction.
    int error = object_load_only(object, target, verifier_log, sizeof verifier_log, 4);
    bool accepted = error == 0;
    if (!accepted) {
        bpf_object__close(object);
        object = bpf_object__open_file(file, NULL);
        target = object_program(object, name);
        complaints_take();
        error = object_load_only(object, target, verifier_log, sizeof verifier_log, 1 | 4);
    }
    struct log_facts facts;
    log_read(verifier_log, &facts);
    const char *complaint = complaints_take();
    if (!accepted && !facts.reason[0]) snprintf(facts.reason, sizeof facts.reason, "%.*s", 399, complaint);

    fputs("{\"file\":", stdout), json_string(file);
    fputs(",\"program\":", stdout), json_string(name);
    fputs(",\"section\":", stdout), json_string(bpf_program__section_name(target));
    fputs(",\"type\":", stdout), json_string(prog_type_name(bpf_program__type(target)));
    printf(",\"instructions\":%zu,\"verdict\":\"%s\",\"errno\":", bpf_program__insn_cnt(target),
           accepted ? "accept" : "reject");
    if (accepted) fputs("null", stdout);
    else json_string(errno_name(error));
    printf(",\"ns\":%lld,\"processed\":%ld,\"states\":%ld,\"insn\":%ld,\"reason\":", facts.ns, facts.processed,
           facts.states, accepted ? -1 : facts.insn);
    json_string(accepted ? "" : facts.reason);
    puts("}");
    fflush(stdout);
    bpf_object__close(object);
}

int verdicts_main(int argc, char **argv) {
    complaints_capture();
    for (int i = 1; i < argc; i++) {
        struct bpf_object *object = bpf_object__open_file(argv[i], NULL);
        if (!object) {
            int error = errno;
            fputs("{\"file\":", stdout), json_string(argv[i]);
            printf(",\"verdict\":\"open-error\",\"errno\":\"%s\",\"reason\":", errno_name(error));
            json_string(complaints_take());
            puts("}");
            continue;
        }
        struct bpf_program *program;
        bpf_object__for_each_program(program, object) one(argv[i], bpf_program__name(program));
        bpf_object__close(object);
    }
    return EXIT_DONE;
}
