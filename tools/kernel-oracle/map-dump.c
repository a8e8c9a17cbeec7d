// The final contents of an object's maps, in the kernel's own iteration order.
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *map_public_name(const struct bpf_map *map) {
    const char *name = bpf_map__name(map);
    const char *dot = bpf_map__is_internal(map) ? strchr(name, '.') : NULL;
    return dot ? dot : name; // libbpf puts the object's name before the section's
}

bool map_is_per_cpu(const struct bpf_map *map) {
    switch (bpf_map__type(map)) {
    case BPF_MAP_TYPE_PERCPU_ARRAY:
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH: return true;
    default: return false;
    }
}

static bool is_plain_array(const struct bpf_map *map) {
    return bpf_map__type(map) == BPF_MAP_TYPE_ARRAY || bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;
}

size_t map_value_total(const struct bpf_map *map) {
    size_t size = bpf_map__value_size(map);
    return map_is_per_cpu(map) ? ((size + 7) & ~(size_t)7) * (size_t)libbpf_num_possible_cpus() : size;
}

static void per_cpu_value(const struct bpf_map *map, const uint8_t *value) {
    size_t size = bpf_map__value_size(map), slot = (size + 7) & ~(size_t)7;
    putchar('[');
    for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
        if (cpu) putchar(',');
        json_hex(value + (size_t)cpu * slot, size);
    }
    putchar(']');
}

// A lookup in a PROG_ARRAY or a map of maps gives the kernel's id: the object's own name for it says more.
static void program_by_id(struct bpf_object *object, uint32_t id) {
    struct bpf_program *program;
    bpf_object__for_each_program(program, object) {
        struct bpf_prog_info info = { 0 };
        uint32_t size = sizeof info;
        if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size)) continue;
        if (info.id == id) {
            printf("\"program:%s\"", bpf_program__name(program));
            return;
        }
    }
    fputs("null", stdout);
}

static void map_by_id(struct bpf_object *object, uint32_t id) {
    struct bpf_map *map;
    bpf_object__for_each_map(map, object) {
        struct bpf_map_info info = { 0 };
        uint32_t size = sizeof info;
        if (bpf_map__fd(map) < 0 || bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size)) continue;
        if (info.id == id) {
            printf("\"map:%s\"", bpf_map__name(map));
            return;
        }
    }
    fputs("null", stdout);
}

static void print_value(struct bpf_object *object, const struct bpf_map *map, const uint8_t *value) {
    uint32_t id;
    switch (bpf_map__type(map)) {
    case BPF_MAP_TYPE_PROG_ARRAY: memcpy(&id, value, 4), program_by_id(object, id); return;
    case BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case BPF_MAP_TYPE_HASH_OF_MAPS: memcpy(&id, value, 4), map_by_id(object, id); return;
    default: break;
    }
    if (map_is_per_cpu(map)) per_cpu_value(map, value);
    else json_hex(value, bpf_map__value_size(map));
}

static bool all_zero(const uint8_t *bytes, size_t size) {
    while (size--)
        if (*bytes++) return false;
    return true;
}

static void walk(struct bpf_object *object, const struct bpf_map *map) {
    int fd = bpf_map__fd(map);
    size_t key_size = bpf_map__key_size(map), total = map_value_total(map);
    uint8_t *key = calloc(1, key_size + 1), *next = calloc(1, key_size + 1), *value = calloc(1, total + 8);
    bool first = true;
    for (uint8_t *from = NULL; !bpf_map_get_next_key(fd, from, next);) {
        if (!bpf_map_lookup_elem(fd, next, value) && !(is_plain_array(map) && all_zero(value, total))) {
            fputs(first ? "{\"key\":" : ",{\"key\":", stdout);
            json_hex(next, key_size);
            fputs(",\"value\":", stdout);
            print_value(object, map, value);
            putchar('}');
            first = false;
        }
        memcpy(key, next, key_size);
        from = key;
    }
    free(key);
    free(next);
    free(value);
}

// QUEUE and STACK have no keys: what they hold shows only by taking it out.
static void drain(const struct bpf_map *map) {
    uint8_t *value = calloc(1, bpf_map__value_size(map) + 1);
    for (bool first = true; !bpf_map_lookup_and_delete_elem(bpf_map__fd(map), NULL, value); first = false) {
        fputs(first ? "{\"value\":" : ",{\"value\":", stdout);
        json_hex(value, bpf_map__value_size(map));
        putchar('}');
    }
    free(value);
}

void maps_dump(struct bpf_object *object, struct events *events) {
    struct bpf_map *map;
    bpf_object__for_each_map(map, object) {
        if (bpf_map__fd(map) < 0) continue;
        const char *type = libbpf_bpf_map_type_str(bpf_map__type(map));
        fputs("{\"map\":", stdout);
        json_string(map_public_name(map));
        printf(",\"type\":\"%s\",\"entries\":[", type ? type : "?");
        switch (bpf_map__type(map)) {
        case BPF_MAP_TYPE_QUEUE:
        case BPF_MAP_TYPE_STACK: drain(map); break;
        case BPF_MAP_TYPE_BLOOM_FILTER: break; // cannot be read back
        default:
            if (!events_dump(events, map)) walk(object, map);
        }
        puts("]}");
    }
}
