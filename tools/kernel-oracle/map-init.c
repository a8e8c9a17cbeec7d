// Fills maps before a run, from lines "MAP KEY VALUE" (hex; "-" for no key; per-CPU values joined by commas;
// "program:NAME" into a program array, "map:NAME" into a map of maps).
#include "oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry { char *map, *key, *value; };
typedef int (*entry_visitor)(struct bpf_object *object, const struct entry *entry);

static int each_entry(struct bpf_object *object, const char *path, entry_visitor visit) {
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    char *line = NULL, *save;
    size_t capacity = 0;
    int result = 0;
    for (long number = 1; !result && getline(&line, &capacity, file) > 0; number++) {
        struct entry entry = { .map = strtok_r(line, " \n", &save) };
        if (!entry.map) continue;
        entry.key = strtok_r(NULL, " \n", &save);
        entry.value = entry.key ? strtok_r(NULL, " \n", &save) : NULL;
        if (!entry.value) fprintf(stderr, "a line needs MAP KEY VALUE\n"), result = -1;
        else result = visit(object, &entry);
        if (result) fprintf(stderr, "%s:%ld: not taken\n", path, number);
    }
    free(line);
    fclose(file);
    return result;
}

static struct bpf_map *map_named(struct bpf_object *object, const char *name) {
    struct bpf_map *map;
    bpf_object__for_each_map(map, object)
        if (!strcmp(map_public_name(map), name)) return map;
    return NULL;
}

static bool starts_with(const char *text, const char *prefix) { return !strncmp(text, prefix, strlen(prefix)); }

// struct bpf_devmap_val and bpf_cpumap_val (UAPI) end in the fd of a program, which may be left out: then there is none.
static bool ends_in_program_fd(const struct bpf_map *map) {
    enum bpf_map_type type = bpf_map__type(map);
    return type == BPF_MAP_TYPE_DEVMAP || type == BPF_MAP_TYPE_DEVMAP_HASH || type == BPF_MAP_TYPE_CPUMAP;
}

// The entry's value as bytes; -1 and a line on stderr when it does not fit the map.
static long read_value(struct bpf_object *object, const struct bpf_map *map, const char *text, uint8_t *out, size_t total) {
    int fd = -1;
    if (starts_with(text, "program:")) {
        struct bpf_program *program = object_program(object, text + strlen("program:"));
        fd = program ? bpf_program__fd(program) : -1;
    } else if (starts_with(text, "map:")) {
        struct bpf_map *inner = map_named(object, text + strlen("map:"));
        fd = inner ? bpf_map__fd(inner) : -1;
    } else if (!map_is_per_cpu(map)) {
        long size = hex_read(text, strlen(text), out, total);
        return size == (long)total || (size == 4 && ends_in_program_fd(map)) ? size : -1;
    } else { // one hex value a CPU, each in a slot of its own; a CPU left out stays zero
        size_t size = bpf_map__value_size(map), slot = (size + 7) & ~(size_t)7;
        for (size_t at = 0; *text; at += slot) {
            size_t length = strcspn(text, ",");
            if (at + slot > total || hex_read(text, length, out + at, size) != (long)size) return -1;
            text += length + (text[length] == ',');
        }
        return (long)total;
    }
    if (fd < 0) {
        fprintf(stderr, "%s is not loaded\n", text);
        return -1;
    }
    memcpy(out, &fd, sizeof fd);
    return sizeof fd;
}

static int fill(struct bpf_object *object, const struct entry *entry) {
    struct bpf_map *map = map_named(object, entry->map);
    if (!map) {
        fprintf(stderr, "no map is named %s\n", entry->map);
        return -1;
    }
    size_t key_size = bpf_map__key_size(map), total = map_value_total(map);
    uint8_t *key = calloc(1, key_size + 1), *value = calloc(1, total + 8);
    bool has_key = strcmp(entry->key, "-");
    int result = -1;
    if (has_key && hex_read(entry->key, strlen(entry->key), key, key_size) != (long)key_size)
        fprintf(stderr, "map %s has keys of %zu bytes, this one differs\n", entry->map, key_size);
    else if (read_value(object, map, entry->value, value, total) < 0)
        fprintf(stderr, "map %s has values of %u bytes, this one does not fit\n", entry->map, bpf_map__value_size(map));
    else if (bpf_map_update_elem(bpf_map__fd(map), has_key ? key : NULL, value, BPF_ANY))
        fprintf(stderr, "map %s refuses the entry: %s\n", entry->map, errno_name(errno));
    else result = 0;
    free(key);
    free(value);
    return result;
}

static int autoload(struct bpf_object *object, const struct entry *entry) {
    if (!starts_with(entry->value, "program:")) return 0;
    struct bpf_program *program = object_program(object, entry->value + strlen("program:"));
    if (!program) {
        fprintf(stderr, "no program is named %s\n", entry->value + strlen("program:"));
        return -1;
    }
    return bpf_program__set_autoload(program, true);
}

int map_init(struct bpf_object *object, const char *path) { return each_entry(object, path, fill); }
int map_init_autoload(struct bpf_object *object, const char *path) { return each_entry(object, path, autoload); }
