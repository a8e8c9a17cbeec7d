// Classic pcap as the driver hands it over: little-endian, Ethernet, times of either unit, which nobody reads
// (draft-ietf-opsawg-pcap).
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct capture { FILE *file; };

struct capture *capture_open(const char *path, const char **problem) {
    uint8_t header[24];
    FILE *file = fopen(path, "rb");
    *problem = file ? NULL : "cannot be opened";
    if (file && fread(header, 1, sizeof header, file) != sizeof header) *problem = "is shorter than a pcap file header";
    else if (file && memcmp(header, "\xd4\xc3\xb2\xa1", 4) && memcmp(header, "\x4d\x3c\xb2\xa1", 4))
        *problem = "is no little-endian pcap";
    else if (file && memcmp(header + 20, "\1\0", 2)) *problem = "has another link type than Ethernet";
    if (*problem) {
        if (file) fclose(file);
        return NULL;
    }
    struct capture *capture = malloc(sizeof *capture);
    capture->file = file;
    return capture;
}

long capture_next(struct capture *capture, uint8_t *out, size_t capacity) {
    uint8_t header[16];
    size_t got = fread(header, 1, sizeof header, capture->file);
    if (got == 0) return -1;
    if (got != sizeof header) return -2;
    uint32_t size = (uint32_t)header[8] | (uint32_t)header[9] << 8 | (uint32_t)header[10] << 16 | (uint32_t)header[11] << 24;
    if (size > capacity || fread(out, 1, size, capture->file) != size) return -2;
    return (long)size;
}

void capture_close(struct capture *capture) {
    fclose(capture->file);
    free(capture);
}
