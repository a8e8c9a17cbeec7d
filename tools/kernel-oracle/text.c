// Words: JSON and hex in both directions, and the names that the kernel and libbpf give to numbers.
#include "oracle.h"

#include <stdio.h>
#include <string.h>

void json_string(const char *text) {
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') printf("\\%c", c);
        else if (c == '\n') fputs("\\n", stdout);
        else if (c < 0x20 || c >= 0x7f) printf("\\u%04x", c);
        else putchar(c);
    }
    putchar('"');
}

void json_hex(const uint8_t *bytes, size_t size) {
    static const char digits[] = "0123456789abcdef";
    putchar('"');
    for (size_t i = 0; i < size; i++) {
        putchar(digits[bytes[i] >> 4]);
        putchar(digits[bytes[i] & 15]);
    }
    putchar('"');
}

static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

long hex_read(const char *text, size_t length, uint8_t *out, size_t capacity) {
    if (length % 2 || length / 2 > capacity) return -1;
    for (size_t i = 0; i < length / 2; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return -1;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return (long)(length / 2);
}

const char *errno_name(int error) {
    // Kernel-internal (include/linux/errno.h), yet BPF calls return it; libc has no name for it.
    if (error == 524) return "ENOTSUPP";
    // libbpf's own numbers (bpf/libbpf.h, enum libbpf_errno).
    static const char *const libbpf_names[] = {
        "LIBELF", "FORMAT", "KVERSION", "ENDIAN", "INTERNAL", "RELOC", "LOAD",
        "VERIFY", "PROG2BIG", "KVER", "PROGTYPE", "WRNGPID", "INVSEQ", "NLPARSE",
    };
    size_t own = (size_t)error - __LIBBPF_ERRNO__START;
    if (own < sizeof libbpf_names / sizeof *libbpf_names) return libbpf_names[own];
    const char *name = strerrorname_np(error);
    return name ? name : "?";
}

// libbpf names are given by number and the numbers are dense: the reverse is a walk.
static int by_name(const char *(*name_of)(int), const char *name) {
    for (int i = 0; i < 256; i++) {
        const char *candidate = name_of(i);
        if (candidate && !strcmp(candidate, name)) return i;
    }
    return -1;
}
static const char *prog_name(int i) { return libbpf_bpf_prog_type_str((enum bpf_prog_type)i); }
static const char *attach_name(int i) { return libbpf_bpf_attach_type_str((enum bpf_attach_type)i); }
static const char *map_name(int i) { return libbpf_bpf_map_type_str((enum bpf_map_type)i); }

int prog_type_by_name(const char *name) { return by_name(prog_name, name); }
int attach_type_by_name(const char *name) { return by_name(attach_name, name); }
int map_type_by_name(const char *name) { return by_name(map_name, name); }
const char *prog_type_name(int type) {
    const char *name = prog_name(type);
    return name ? name : "unspec";
}

static char complaints[4096];
static size_t complaints_size;

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args) {
    if (level != LIBBPF_WARN || complaints_size >= sizeof complaints - 1) return 0;
    int n = vsnprintf(complaints + complaints_size, sizeof complaints - complaints_size, format, args);
    if (n > 0) complaints_size += (size_t)n;
    if (complaints_size >= sizeof complaints) complaints_size = sizeof complaints - 1;
    return 0;
}

void complaints_capture(void) { libbpf_set_print(keep_warning); }

const char *complaints_take(void) {
    static char taken[sizeof complaints];
    memcpy(taken, complaints, complaints_size);
    while (complaints_size && taken[complaints_size - 1] == '\n') complaints_size--;
    taken[complaints_size] = 0;
    complaints_size = 0;
    return taken;
}
