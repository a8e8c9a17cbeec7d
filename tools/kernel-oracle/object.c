// libbpf objects, opened so that loading them leaves no trace outside this process.
#include "oracle.h"

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
