// How long programs take: questions of a benchmark, one a line, answered at once, so that whoever asks can take turns.
//
//   open FILE MAP_INIT|- [MAP=ENTRIES]…      every program of the file: {"object":N}
//   time OBJECT PROGRAM REPEAT FRAME_HEX     one test-run of so many repetitions: {"ns","retval"}
//   each OBJECT PROGRAM CAPTURE              one test-run a packet, nothing asked back: {"packets","ns"}
//   close OBJECT
//
// `ns` is the processor's time that the system calls took, so that other work on the machine does not count. {"error"}
// when it could not be asked.
#include "oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_OBJECTS = 256, MAX_WORDS = 16 };

static struct bpf_object *objects[MAX_OBJECTS];
static int object_count;
static uint8_t frame[DATA_CAPACITY];

static void complain(const char *what) {
    fputs("{\"error\":", stdout);
    json_string(what);
    puts("}");
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// MAP=ENTRIES; false when there is no such map.
static bool resize(struct bpf_object *object, char *word) {
    char *entries = strchr(word, '=');
    if (!entries) return false;
    *entries++ = 0;
    struct bpf_map *map = bpf_object__find_map_by_name(object, word);
    return map && !bpf_map__set_max_entries(map, (uint32_t)strtoul(entries, NULL, 0));
}

static void open_object(char **words, int count) {
    if (count < 3 || object_count == MAX_OBJECTS) return complain("open FILE MAP_INIT|- [MAP=ENTRIES]…");
    complaints_take();
    struct bpf_object *object = bpf_object__open_file(words[1], NULL);
    if (!object) return complain(complaints_take());
    object_neutralise_maps(object);
    for (int i = 3; i < count; i++)
        if (!resize(object, words[i])) {
            bpf_object__close(object);
            return complain("MAP=ENTRIES: no such map");
        }
    if (bpf_object__load(object) || (strcmp(words[2], "-") && map_init(object, words[2]))) {
        const char *reason = complaints_take();
        complain(reason[0] ? reason : "refused");
        bpf_object__close(object);
        return;
    }
    objects[object_count] = object;
    printf("{\"object\":%d}\n", object_count++);
}

// The descriptor of OBJECT PROGRAM; -1, having complained, when there is none.
static int descriptor(char **words) {
    int number = atoi(words[1]);
    struct bpf_object *object = number >= 0 && number < object_count ? objects[number] : NULL;
    struct bpf_program *program = object ? object_program(object, words[2]) : NULL;
    if (!program) complain("no such program");
    return program ? bpf_program__fd(program) : -1;
}

// The system call alone, without what a library does around it. False when the kernel says no.
static bool run_once(int fd, const uint8_t *data, uint32_t size, uint32_t repeat, uint32_t *retval) {
    union bpf_attr attr = { .test = { .prog_fd = (uint32_t)fd, .data_in = (uint64_t)(uintptr_t)data, .data_size_in = size,
                                      .repeat = repeat } };
    if (syscall(__NR_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr.test)) return false;
    *retval = attr.test.retval;
    return true;
}

static void time_repeats(char **words, int count) {
    int fd = count == 5 ? descriptor(words) : -1;
    if (fd < 0) return;
    long size = hex_read(words[4], strlen(words[4]), frame, sizeof frame);
    if (size < 0) return complain("FRAME_HEX: not hex, or too long");
    uint32_t retval;
    uint64_t start = now();
    if (!run_once(fd, frame, (uint32_t)size, (uint32_t)strtoul(words[3], NULL, 0), &retval)) return complain(errno_name(errno));
    printf("{\"ns\":%llu,\"retval\":%u}\n", (unsigned long long)(now() - start), retval);
}

// The whole capture in memory, so that the time is that of the kernel alone.
struct packets {
    uint8_t *bytes;
    size_t used, capacity;
    uint32_t *sizes;
    size_t count, room;
};

static bool read_packets(const char *path, struct packets *all) {
    const char *problem;
    struct capture *capture = capture_open(path, &problem);
    if (!capture) return complain(problem), false;
    long size;
    for (;;) {
        if (all->used + DATA_CAPACITY > all->capacity) all->bytes = realloc(all->bytes, all->capacity = 2 * all->used + DATA_CAPACITY);
        if (all->count == all->room) all->sizes = realloc(all->sizes, (all->room = 2 * all->count + 1024) * sizeof *all->sizes);
        size = capture_next(capture, all->bytes + all->used, DATA_CAPACITY);
        if (size < 0) break;
        all->sizes[all->count++] = (uint32_t)size;
        all->used += (size_t)size;
    }
    capture_close(capture);
    return true;
}

static void time_each(char **words, int count) {
    int fd = count == 4 ? descriptor(words) : -1;
    struct packets all = { 0 };
    if (fd < 0 || !read_packets(words[3], &all)) return;
    uint8_t *at = all.bytes;
    uint32_t retval;
    bool good = true;
    uint64_t start = now();
    for (size_t i = 0; good && i < all.count; at += all.sizes[i++]) good = run_once(fd, at, all.sizes[i], 1, &retval);
    uint64_t took = now() - start;
    if (good) printf("{\"packets\":%zu,\"ns\":%llu}\n", all.count, (unsigned long long)took);
    else complain(errno_name(errno));
    free(all.bytes);
    free(all.sizes);
}

static void close_object(char **words, int count) {
    int number = count == 2 ? atoi(words[1]) : -1;
    if (number < 0 || number >= object_count || !objects[number]) return complain("close OBJECT");
    bpf_object__close(objects[number]);
    objects[number] = NULL;
    puts("{}");
}

static const struct {
    const char *name;
    void (*answer)(char **words, int count);
} questions[] = { { "open", open_object }, { "time", time_repeats }, { "each", time_each }, { "close", close_object } };

int bench_main(int argc, char **argv) {
    (void)argc, (void)argv;
    complaints_capture();
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        char *words[MAX_WORDS], *save = NULL;
        int count = 0;
        for (char *word = strtok_r(line, " \t\n", &save); word && count < MAX_WORDS; word = strtok_r(NULL, " \t\n", &save))
            words[count++] = word;
        size_t i = 0;
        while (i < sizeof questions / sizeof *questions && (!count || strcmp(words[0], questions[i].name))) i++;
        if (i < sizeof questions / sizeof *questions) questions[i].answer(words, count);
        else complain("open, time, each or close");
        fflush(stdout);
    }
    free(line);
    return EXIT_DONE;
}
