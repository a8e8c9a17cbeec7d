// What programs send to user space: records of ring buffers and perf event arrays, taken after each packet,
// so that a buffer is full only when one packet fills it.
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERF_PAGES = 64 };

struct record {
    long packet;
    size_t size;
    uint8_t *bytes;
};

struct source {
    const struct bpf_map *map;
    struct ring_buffer *ring;
    struct perf_buffer *perf;
    struct record *records;
    size_t count, capacity;
    long packet; // the one running
    struct source *next;
};

struct events { struct source *first; };

static void keep(struct source *source, const void *bytes, size_t size) {
    if (source->count == source->capacity) {
        source->capacity = source->capacity ? 2 * source->capacity : 64;
        source->records = realloc(source->records, source->capacity * sizeof *source->records);
    }
    struct record *record = &source->records[source->count++];
    *record = (struct record){ .packet = source->packet, .size = size, .bytes = malloc(size + 1) };
    memcpy(record->bytes, bytes, size);
}

static int keep_ring(void *source, void *bytes, size_t size) {
    keep(source, bytes, size);
    return 0;
}

static void keep_perf(void *source, int cpu, void *bytes, uint32_t size) {
    (void)cpu;
    keep(source, bytes, size);
}

static void lost_perf(void *source, int cpu, unsigned long long count) {
    (void)source;
    fprintf(stderr, "perf buffer of CPU %d: %llu records lost\n", cpu, count);
}

struct events *events_open(struct bpf_object *object) {
    struct events *events = calloc(1, sizeof *events);
    struct bpf_map *map;
    bpf_object__for_each_map(map, object) {
        bool ring = bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF;
        if (bpf_map__fd(map) < 0 || (!ring && bpf_map__type(map) != BPF_MAP_TYPE_PERF_EVENT_ARRAY)) continue;
        struct source *source = calloc(1, sizeof *source);
        source->map = map;
        if (ring) source->ring = ring_buffer__new(bpf_map__fd(map), keep_ring, source, NULL);
        else source->perf = perf_buffer__new(bpf_map__fd(map), PERF_PAGES, keep_perf, lost_perf, source, NULL);
        source->next = events->first;
        events->first = source;
    }
    return events;
}

void events_collect(struct events *events, long packet) {
    for (struct source *source = events->first; source; source = source->next) {
        source->packet = packet;
        if (source->ring) ring_buffer__consume(source->ring);
        if (source->perf) perf_buffer__consume(source->perf);
    }
}

bool events_dump(struct events *events, const struct bpf_map *map) {
    struct source *source = events->first;
    while (source && source->map != map) source = source->next;
    if (!source) return false;
    for (size_t i = 0; i < source->count; i++) {
        printf("%s{\"packet\":%ld,\"value\":", i ? "," : "", source->records[i].packet);
        json_hex(source->records[i].bytes, source->records[i].size);
        putchar('}');
    }
    return true;
}

void events_close(struct events *events) {
    for (struct source *source = events->first, *next; source; source = next) {
        next = source->next;
        ring_buffer__free(source->ring);
        perf_buffer__free(source->perf);
        for (size_t i = 0; i < source->count; i++) free(source->records[i].bytes);
        free(source->records);
        free(source);
    }
    free(events);
}
