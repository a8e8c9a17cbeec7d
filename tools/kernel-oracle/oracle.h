// What the rooms of the oracle share: each block names the file that defines it.
#ifndef ORACLE_H
#define ORACLE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

// Commands: verdicts.c, run.c, raw.c, maps.c, bench.c.
int verdicts_main(int argc, char **argv);
int run_main(int argc, char **argv);
int raw_main(int argc, char **argv);
int maps_main(int argc, char **argv);
int bench_main(int argc, char **argv);

// text.c: JSON strings and hex out, hex in, names of errnos and types, libbpf's own complaints.
void json_string(const char *text);
void json_hex(const uint8_t *bytes, size_t size); // with its quotes
// Bytes of a hex text into `out`; -1 when it is not hex or longer than `capacity`.
long hex_read(const char *text, size_t length, uint8_t *out, size_t capacity);
const char *errno_name(int error);
int prog_type_by_name(const char *name);     // -1 when libbpf knows no such type
int attach_type_by_name(const char *name);   // -1 likewise
int map_type_by_name(const char *name);      // -1 likewise
const char *prog_type_name(int type);
void complaints_capture(void);               // libbpf's warnings go to a buffer from here on
const char *complaints_take(void);           // what has gathered since the last take

// verifier-log.c: the kernel's log of one load.
struct log_facts {
    long processed, states, insn; // -1 when the log does not say
    long long ns;
    char reason[400];             // the last line that is neither trace nor statistics
};
void log_read(const char *log, struct log_facts *facts);

// object.c: libbpf objects, opened so that nothing but the programs in question touches the kernel.
struct bpf_program *object_program(struct bpf_object *object, const char *name);
void object_neutralise_maps(struct bpf_object *object); // no pinning, no struct_ops
// Loads the object with `target` as its only program; 0 when the kernel takes it, else a positive errno.
int object_load_only(struct bpf_object *object, struct bpf_program *target, char *log, size_t size, uint32_t level);

// test-run.c: one BPF_PROG_TEST_RUN.
enum { DATA_CAPACITY = 1 << 18, CTX_CAPACITY = 256 };
struct test_run {
    int fd, type;
    const uint8_t *data;
    uint32_t size, repeat, flags;
    uint8_t ctx[CTX_CAPACITY];
    uint32_t ctx_size;       // 0: no ctx_in
    bool want_ctx;           // ask for ctx_out
    // the answer
    int error;               // 0 or a positive errno
    uint32_t retval, out_size, ctx_out_size;
    uint8_t out[DATA_CAPACITY], ctx_out[CTX_CAPACITY];
};
void test_run(struct test_run *run);
void keep_to_first_cpu(void); // so that per-CPU values and records arrive the same way every time

// capture.c: classic pcap, little-endian, Ethernet.
struct capture;
struct capture *capture_open(const char *path, const char **problem);
long capture_next(struct capture *capture, uint8_t *out, size_t capacity); // size, -1 at the end, -2 truncated or too large
void capture_close(struct capture *capture);

// map-init.c: fills maps from lines "MAP KEY VALUE".
int map_init(struct bpf_object *object, const char *path);
// Marks for loading every program that the file names.
int map_init_autoload(struct bpf_object *object, const char *path);

// map-dump.c: the final contents, one JSON line per map. events.c: what ring buffers and perf arrays received.
struct events;
const char *map_public_name(const struct bpf_map *map); // internal maps by their section: ".bss"
size_t map_value_total(const struct bpf_map *map);      // all CPUs' slots of a per-CPU map
bool map_is_per_cpu(const struct bpf_map *map);
void maps_dump(struct bpf_object *object, struct events *events);

struct events *events_open(struct bpf_object *object);
void events_collect(struct events *events, long packet); // call after each packet
bool events_dump(struct events *events, const struct bpf_map *map); // prints the entries; false: no such map
void events_close(struct events *events);

#endif
