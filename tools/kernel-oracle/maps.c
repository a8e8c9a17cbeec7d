// Operations on single maps, one a line, by bpf(2) and, with `prog-`, by a program that calls the helper.
//
//   cpus                                              {"cpus":POSSIBLE}
//   cpu N                                             the CPU on which all that follows happens (0 from the start)
//   create TYPE KEY VALUE ENTRIES FLAGS [EXTRA] [INNER]   makes map 0, 1, …; `inner` is a map's number
//   update|prog-update M KEY VALUE FLAGS              hex, `-` where there is none; `map:N` for another map's fd
//   lookup|delete|prog-lookup|prog-delete M KEY
//   next M KEY|-                                      the key after it
//   prog-push M VALUE FLAGS, prog-peek|prog-pop M VALUE   (VALUE: what a bloom filter is asked for)
//   pop M                                             BPF_MAP_LOOKUP_AND_DELETE_ELEM
//   dump M                                            {"entries":[[KEY,VALUE],…]} in the order of BPF_MAP_GET_NEXT_KEY
//   free M
//
// Answers: {"result":0 or a negated errno}, with "value" or "key" where there is one.
#include "oracle.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_MAPS = 1024, KEY_AT = 0, VALUE_AT = 4096, OUT_AT = 1 << 16, IO_SIZE = 1 << 17, CAPACITY = 1 << 17 };
enum operation { LOOKUP, UPDATE, DELETE, PUSH, PEEK, POP, OPERATIONS };
static const struct { int helper; bool key, value; } operations[OPERATIONS] = {
    [LOOKUP] = { BPF_FUNC_map_lookup_elem, true, false }, [UPDATE] = { BPF_FUNC_map_update_elem, true, true },
    [DELETE] = { BPF_FUNC_map_delete_elem, true, false }, [PUSH] = { BPF_FUNC_map_push_elem, false, true },
    [PEEK] = { BPF_FUNC_map_peek_elem, false, true },     [POP] = { BPF_FUNC_map_pop_elem, false, true },
};

static struct {
    int fd;
    uint32_t key_size, value_size, user_size; // user_size: all CPUs' values
    int programs[OPERATIONS][3];              // by flags 0, 1, 2; 0 when not loaded
} maps[MAX_MAPS];
static int map_count;
static int io = -1;
static int cpus;
static uint8_t key[CAPACITY], value[CAPACITY], next_key[CAPACITY];

static void usage(const char *what) {
    fputs("{\"error\":\"usage\",\"message\":", stdout);
    json_string(what);
    puts("}");
}

static void answer(int result) {
    printf("{\"result\":%d", result);
}

static void answer_bytes(const char *name, const uint8_t *bytes, size_t size) {
    printf(",\"%s\":", name);
    json_hex(bytes, size);
}

static bool per_cpu(int type) {
    return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static void create(char **words, int count) {
    int type = count >= 6 ? map_type_by_name(words[1]) : -1;
    if (type < 0) return usage("create TYPE KEY VALUE ENTRIES FLAGS [EXTRA] [INNER]");
    if (map_count == MAX_MAPS) return usage("too many maps");
    LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = (uint32_t)strtoul(words[5], NULL, 0),
                .map_extra = count > 6 ? strtoull(words[6], NULL, 0) : 0);
    if (count > 7) opts.inner_map_fd = (uint32_t)maps[atoi(words[7])].fd;
    uint32_t key_size = (uint32_t)strtoul(words[2], NULL, 0), value_size = (uint32_t)strtoul(words[3], NULL, 0);
    int fd = bpf_map_create((enum bpf_map_type)type, "m", key_size, value_size, (uint32_t)strtoul(words[4], NULL, 0), &opts);
    if (fd < 0) return answer(-errno), (void)puts("}");
    memset(&maps[map_count], 0, sizeof *maps);
    maps[map_count].fd = fd;
    maps[map_count].key_size = key_size;
    maps[map_count].value_size = value_size;
    maps[map_count].user_size = per_cpu(type) ? (value_size + 7) / 8 * 8 * (uint32_t)cpus : value_size;
    printf("{\"result\":0,\"map\":%d}\n", map_count++);
}

// A program that hands the io map's key and value to one helper; a value found is copied out.
static int load(int map, enum operation operation, int flags) {
    struct bpf_insn insns[32];
    int at = 0;
#define EMIT(...) insns[at++] = (struct bpf_insn){ __VA_ARGS__ }
#define LOAD_IO(reg, offset)                                                                                           \
    EMIT(BPF_LD | BPF_DW | BPF_IMM, reg, BPF_PSEUDO_MAP_VALUE, 0, io);                                                 \
    EMIT(0, 0, 0, 0, offset)
    EMIT(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, maps[map].fd);
    EMIT(0, 0, 0, 0, 0);
    if (operations[operation].key) { LOAD_IO(BPF_REG_2, KEY_AT); }
    if (operations[operation].value) {
        int reg = operations[operation].key ? BPF_REG_3 : BPF_REG_2;
        LOAD_IO(reg, VALUE_AT);
        EMIT(BPF_ALU64 | BPF_MOV | BPF_K, reg + 1, 0, 0, flags);
    }
    EMIT(BPF_JMP | BPF_CALL, 0, 0, 0, operations[operation].helper);
    if (operation == LOOKUP) {
        EMIT(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 6, 0);
        EMIT(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_0, 0, 0);
        LOAD_IO(BPF_REG_1, OUT_AT);
        EMIT(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, (int)maps[map].value_size);
        EMIT(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel);
        EMIT(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
    }
    EMIT(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    return bpf_prog_load(BPF_PROG_TYPE_XDP, "op", "GPL", insns, (size_t)at, NULL);
}

static void by_program(int map, enum operation operation, int flags) {
    if (flags < 0 || flags > 2) return usage("flags of a program's operation are 0, 1 or 2");
    int *program = &maps[map].programs[operation][flags];
    if (!*program) *program = load(map, operation, flags);
    if (*program < 0) {
        printf("{\"error\":\"refused\",\"errno\":\"%s\"}\n", errno_name(-*program));
        *program = 0;
        return;
    }
    static uint8_t room[IO_SIZE];
    uint32_t zero = 0;
    memcpy(room + KEY_AT, key, maps[map].key_size);
    memcpy(room + VALUE_AT, value, maps[map].value_size);
    bpf_map_update_elem(io, &zero, room, 0);
    uint8_t frame[64] = { 0 };
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof frame);
    if (bpf_prog_test_run_opts(*program, &run)) return usage("the kernel did not run the program");
    bpf_map_lookup_elem(io, &zero, room);
    if (operation == LOOKUP) {
        answer(run.retval == 1 ? 0 : -ENOENT);
        if (run.retval == 1) answer_bytes("value", room + OUT_AT, maps[map].value_size);
    } else {
        answer((int)run.retval);
        if (operation == PEEK || operation == POP) answer_bytes("value", room + VALUE_AT, maps[map].value_size);
    }
    puts("}");
}

static void dump(int map) {
    bool first = true;
    fputs("{\"entries\":[", stdout);
    for (void *from = NULL; !bpf_map_get_next_key(maps[map].fd, from, next_key); from = key) {
        memcpy(key, next_key, maps[map].key_size);
        bool found = !bpf_map_lookup_elem(maps[map].fd, key, value);
        fputs(first ? "[" : ",[", stdout);
        first = false;
        json_hex(key, maps[map].key_size);
        putchar(',');
        if (found) json_hex(value, maps[map].user_size);
        else fputs("null", stdout);
        putchar(']');
    }
    puts("]}");
}

// Hex, `-` for nothing, or `map:N` for a map's fd.
static bool read_bytes(const char *word, uint8_t *out) {
    if (!strcmp(word, "-")) return true;
    if (!strncmp(word, "map:", 4)) {
        memcpy(out, &maps[atoi(word + 4)].fd, sizeof(int));
        return true;
    }
    return hex_read(word, strlen(word), out, CAPACITY) >= 0;
}

static void operate(char **words, int count) {
    const char *verb = words[0];
    int map = count > 1 ? atoi(words[1]) : -1;
    if (map < 0 || map >= map_count) return usage("no such map");
    int fd = maps[map].fd;
    bool keyless = !strcmp(verb, "prog-push") || !strcmp(verb, "prog-peek") || !strcmp(verb, "prog-pop");
    const char *key_word = !keyless && count > 2 ? words[2] : "-";
    const char *value_word = keyless ? (count > 2 ? words[2] : "-") : count > 3 ? words[3] : "-";
    const char *flag_word = keyless ? (count > 3 ? words[3] : "0") : count > 4 ? words[4] : "0";
    uint64_t flags = strtoull(flag_word, NULL, 0);
    if (!read_bytes(key_word, key) || !read_bytes(value_word, value)) return usage("not hex, or too long");
    void *from = strcmp(key_word, "-") ? key : NULL;

    if (!strcmp(verb, "prog-lookup")) return by_program(map, LOOKUP, 0);
    if (!strcmp(verb, "prog-update")) return by_program(map, UPDATE, (int)flags);
    if (!strcmp(verb, "prog-delete")) return by_program(map, DELETE, 0);
    if (!strcmp(verb, "prog-push")) return by_program(map, PUSH, (int)flags);
    if (!strcmp(verb, "prog-peek")) return by_program(map, PEEK, 0);
    if (!strcmp(verb, "prog-pop")) return by_program(map, POP, 0);
    if (!strcmp(verb, "dump")) return dump(map);

    if (!strcmp(verb, "update")) {
        answer(bpf_map_update_elem(fd, from, value, flags) ? -errno : 0);
    } else if (!strcmp(verb, "delete")) {
        answer(bpf_map_delete_elem(fd, from) ? -errno : 0);
    } else if (!strcmp(verb, "next")) {
        int result = bpf_map_get_next_key(fd, from, next_key) ? -errno : 0;
        answer(result);
        if (!result) answer_bytes("key", next_key, maps[map].key_size);
    } else if (!strcmp(verb, "lookup") || !strcmp(verb, "pop")) {
        int error = *verb == 'l' ? bpf_map_lookup_elem(fd, from, value) : bpf_map_lookup_and_delete_elem(fd, from, value);
        int result = error ? -errno : 0;
        answer(result);
        if (!result) answer_bytes("value", value, maps[map].user_size);
    } else if (!strcmp(verb, "free")) {
        for (int i = 0; i < OPERATIONS * 3; i++)
            if (maps[map].programs[i / 3][i % 3] > 0) close(maps[map].programs[i / 3][i % 3]);
        close(fd);
        answer(0);
    } else {
        return usage("no such operation");
    }
    puts("}");
}

static void move_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    answer(sched_setaffinity(0, sizeof set, &set) ? -errno : 0);
    puts("}");
}

int maps_main(int argc, char **argv) {
    (void)argc, (void)argv;
    complaints_capture();
    cpus = libbpf_num_possible_cpus();
    io = bpf_map_create(BPF_MAP_TYPE_ARRAY, "io", 4, IO_SIZE, 1, NULL);
    if (io < 0) {
        fprintf(stderr, "maps: the kernel makes no map: %s\n", strerror(errno));
        return EXIT_REFUSED;
    }
    keep_to_first_cpu();
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        char *words[9], *save = NULL;
        int count = 0;
        for (char *word = strtok_r(line, " \t\n", &save); word && count < 9; word = strtok_r(NULL, " \t\n", &save))
            words[count++] = word;
        if (!count) usage("an empty line");
        else if (!strcmp(words[0], "cpus")) printf("{\"cpus\":%d}\n", cpus);
        else if (!strcmp(words[0], "cpu") && count > 1) move_to(atoi(words[1]));
        else if (!strcmp(words[0], "create")) create(words, count);
        else operate(words, count);
    }
    free(line);
    return EXIT_DONE;
}
