// libbpf objects, opened so that loading them leaves no trace outside this process.
#include "oracle.h"

#include <errno.h>
#include <string.h>

struct bpf_program *object_program(struct bpf_object *object, const char *name) {
    struct bpf_program *program;
    bpf_object__for_each_program(program, object)
        if (!strcmp(bpf_program__name(program), name)) return program;
    return NULL;
}

void object_neutralise_maps(struct bpf_object *object) {
    struct bpf_map *map;
    bpf_object__for_each_map(map, object) {
        if (bpf_map__pin_path(map)) bpf_map__set_pin_path(map, NULL);
        if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS) bpf_map__set_autocreate(map, false);
    }
}

int object_load_only(struct bpf_object *object, struct bpf_program *target, char *log, size_t size, uint32_t level) {
    struct bpf_program *program;
    bpf_object__for_each_program(program, object) bpf_program__set_autoload(program, program == target);
    object_neutralise_maps(object);
    log[0] = 0;
    bpf_program__set_log_buf(target, log, size);
    bpf_program__set_log_level(target, level);
    if (!bpf_object__load(object)) return 0;
    int error = errno;
    struct log_facts facts;
    log_read(log, &facts);
    // EBADF after a log without complaint: the program was taken, and then libbpf could not put the others, which are
    // not loaded here, into a program array that the object initialises.
    return error == EBADF && facts.processed >= 0 && !facts.reason[0] ? 0 : error;
}
