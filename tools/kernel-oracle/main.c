// The front door: which question is asked of the kernel.
#include "oracle.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
} commands[] = {
    { "verdicts", verdicts_main, "verdicts FILE.o...\n" },
    { "run", run_main,
      "run FILE.o PROGRAM CAPTURE.pcap [--map-init FILE] [--maps] [--type TYPE] [--repeat N]\n"
      "      [--ctx-hex HEX] [--ctx-out] [--data-out] [--log]\n" },
    { "raw", raw_main, "raw    (questions on standard input, one a line)\n" },
    { "maps", maps_main, "maps   (operations on maps on standard input, one a line)\n" },
    { "bench", bench_main, "bench  (questions on standard input, one a line)\n" },
};
static const size_t command_count = sizeof commands / sizeof *commands;

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < command_count; i++)
        if (!strcmp(argv[1], commands[i].name)) return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "oracle: asks the running Linux kernel; README.md describes the answers\n");
    for (size_t i = 0; i < command_count; i++) fprintf(stderr, "  oracle %s", commands[i].usage);
    return EXIT_USAGE;
}
