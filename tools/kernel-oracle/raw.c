// Small questions: raw instructions in, verdict and result out, one line each.
//
//   map TYPE KEY_SIZE VALUE_SIZE MAX_ENTRIES FLAGS        makes map number 0, 1, …
//   set NUMBER KEY_HEX VALUE_HEX                          fills one
//   TYPE[@ATTACH][+frags] INSTRUCTIONS_HEX|- DATA_HEX|- [CTX_HEX]   no instructions; no run, the verdict only
//
// ld_imm64 with src_reg 1 or 2 (BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE) holds a map's number, replaced by its fd here.
#include "oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_MAPS = 1024, MAX_INSNS = 1 << 20 >> 3, LOG_SIZE = 1 << 18 };

static int maps[MAX_MAPS];
static int map_count;
static uint8_t program_bytes[MAX_INSNS * 8];
static uint8_t frame[DATA_CAPACITY];
static struct test_run run;
static char verifier_log[LOG_SIZE];

static void complain(const char *what) {
    fputs("{\"error\":\"usage\",\"message\":", stdout);
    json_string(what);
    puts("}");
}

static void make_map(char **words, int count) {
    int type = count >= 5 ? map_type_by_name(words[1]) : -1;
    if (count < 5 || type < 0) return complain("map TYPE KEY_SIZE VALUE_SIZE MAX_ENTRIES [FLAGS]");
    if (map_count == MAX_MAPS) return complain("too many maps");
    LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = count > 5 ? (uint32_t)strtoul(words[5], NULL, 0) : 0);
    int fd = bpf_map_create((enum bpf_map_type)type, "m", (uint32_t)atol(words[2]), (uint32_t)atol(words[3]),
                            (uint32_t)strtoul(words[4], NULL, 0), &opts);
    if (fd < 0) {
        printf("{\"map\":null,\"error\":\"%s\"}\n", errno_name(errno));
        return;
    }
    maps[map_count] = fd;
    printf("{\"map\":%d}\n", map_count++);
}

static void set_map(char **words, int count) {
    static uint8_t key[512], value[1 << 16];
    int number = count == 4 ? atoi(words[1]) : -1;
    if (number < 0 || number >= map_count || hex_read(words[2], strlen(words[2]), key, sizeof key) < 0 ||
        hex_read(words[3], strlen(words[3]), value, sizeof value) < 0)
        return complain("set NUMBER KEY_HEX VALUE_HEX");
    int error = bpf_map_update_elem(maps[number], key, value, BPF_ANY) ? errno : 0;
    printf("{\"map\":%d,\"error\":", number);
    if (error) json_string(errno_name(error));
    else fputs("null", stdout);
    puts("}");
}

// False when an instruction names a map that there is not.
static bool place_maps(struct bpf_insn *insns, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW)) continue;
        if (insns[i].src_reg == BPF_PSEUDO_MAP_FD || insns[i].src_reg == BPF_PSEUDO_MAP_VALUE) {
            if (insns[i].imm < 0 || insns[i].imm >= map_count) return false;
            insns[i].imm = maps[insns[i].imm];
        }
        i++; // the second half
    }
    return true;
}

// "TYPE[@ATTACH][+frags]" into load options; -1 when unknown.
static int read_type(char *word, struct bpf_prog_load_opts *opts) {
    char *flag = strchr(word, '+');
    if (flag) {
        *flag++ = 0;
        if (strcmp(flag, "frags")) return -1;
        opts->prog_flags |= BPF_F_XDP_HAS_FRAGS;
    }
    char *attach = strchr(word, '@');
    if (attach) {
        *attach++ = 0;
        int type = attach_type_by_name(attach);
        if (type < 0) return -1;
        opts->expected_attach_type = (enum bpf_attach_type)type;
    }
    return prog_type_by_name(word);
}

static void answer_run(void) {
    test_run(&run);
    if (run.error) {
        printf(",\"error\":\"%s\"", errno_name(run.error));
        return;
    }
    printf(",\"retval\":%u,\"out\":", run.retval);
    json_hex(run.out, run.out_size);
    if (run.ctx_out_size) {
        fputs(",\"ctx_out\":", stdout);
        json_hex(run.ctx_out, run.ctx_out_size);
    }
}

static void ask(char **words, int count) {
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = verifier_log, .log_size = sizeof verifier_log,
                .log_level = 1 | 4 /* trace of a refusal, statistics */);
    if (count < 3) return complain("TYPE[@ATTACH][+frags] INSTRUCTIONS_HEX DATA_HEX|- [CTX_HEX]");
    int type = read_type(words[0], &opts);
    if (type < 0) return complain("unknown program type");
    bool empty = !strcmp(words[1], "-");
    long size = empty ? 0 : hex_read(words[1], strlen(words[1]), program_bytes, sizeof program_bytes);
    if (size < 0 || size % 8) return complain("instructions: not hex, too many, or no multiple of 8 bytes");
    struct bpf_insn *insns = (struct bpf_insn *)program_bytes;
    if (!place_maps(insns, (size_t)size / 8)) return complain("an instruction names a map that was not made");
    bool only_verdict = !strcmp(words[2], "-");
    long frame_size = only_verdict ? 0 : hex_read(words[2], strlen(words[2]), frame, sizeof frame);
    long ctx_size = count > 3 ? hex_read(words[3], strlen(words[3]), run.ctx, sizeof run.ctx) : 0;
    if (frame_size < 0 || ctx_size < 0) return complain("data or context: not hex, or too long");

    verifier_log[0] = 0;
    int fd = bpf_prog_load((enum bpf_prog_type)type, "raw", "GPL", insns, (size_t)size / 8, &opts);
    int error = fd < 0 ? errno : 0;
    struct log_facts facts;
    log_read(verifier_log, &facts);
    printf("{\"verdict\":\"%s\",\"processed\":%ld", error ? "reject" : "accept", facts.processed);
    if (error) {
        printf(",\"errno\":\"%s\",\"insn\":%ld,\"reason\":", errno_name(error), facts.insn);
        json_string(facts.reason);
    } else {
        if (!only_verdict) {
            run.fd = fd;
            run.type = type;
            run.data = frame;
            run.size = (uint32_t)frame_size;
            run.repeat = 1;
            run.ctx_size = (uint32_t)ctx_size;
            run.want_ctx = ctx_size > 0;
            answer_run();
        }
        close(fd);
    }
    puts("}");
}

int raw_main(int argc, char **argv) {
    (void)argc, (void)argv;
    keep_to_first_cpu();
    complaints_capture();
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        char *words[7], *save = NULL;
        int count = 0;
        for (char *word = strtok_r(line, " \t\n", &save); word && count < 7; word = strtok_r(NULL, " \t\n", &save))
            words[count++] = word;
        if (!count) complain("an empty line");
        else if (!strcmp(words[0], "map")) make_map(words, count);
        else if (!strcmp(words[0], "set")) set_map(words, count);
        else ask(words, count);
        fflush(stdout);
    }
    free(line);
    return EXIT_DONE;
}
