// The verifier's log as facts: how much it looked at, where it stopped and the sentence it stopped with.
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long number_after(const char *line, size_t length, const char *key) {
    const char *at = memmem(line, length, key, strlen(key));
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

// Lines that belong to the trace, not to the reason.
static bool is_trace(const char *line, size_t length) {
    static const char *const prefixes[] = { ";", "from ", "cur state:", "old state:", "mark_precise", "stack depth", "verification time", "processed " };
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t n = strlen(prefixes[i]);
        if (length >= n && !memcmp(line, prefixes[i], n)) return true;
    }
    return false;
}

void log_read(const char *log, struct log_facts *facts) {
    *facts = (struct log_facts){ .processed = -1, .states = -1, .insn = -1, .ns = -1 };
    for (const char *line = log; *line;) {
        size_t length = strcspn(line, "\n");
        char *end;
        long pc = strtol(line, &end, 10);
        if (number_after(line, length, "verification time ") >= 0) {
            facts->ns = number_after(line, length, "verification time ") * 1000LL;
        } else if (length >= 10 && !memcmp(line, "processed ", 10)) {
            facts->processed = number_after(line, length, "processed ");
            facts->states = number_after(line, length, "total_states ");
        } else if (end != line && *end == ':') { // "7: (85) call …" or the state "7: R0=…"
            if (end[1] == ' ' && end[2] == '(') facts->insn = pc;
        } else if (length && !is_trace(line, length)) {
            snprintf(facts->reason, sizeof facts->reason, "%.*s", (int)length, line);
        }
        line += length + (line[length] == '\n');
    }
}
