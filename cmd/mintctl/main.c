/* main.c: the operator's tool: finds the subcommand. Exit status: 0 done, 1 refused, 2 usage. */
#include "health.h"
#include <stdio.h>
#include <string.h>

static int show_usage(FILE *out, int status) {
    fputs("usage: mintctl health [URL]\n"
          "  health   asks whether an instance is ready (http://127.0.0.1:4001/readyz)\n"
          "  --help, --version\n",
          out);
    return status;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        return show_usage(stderr, 2);
    }
    if (strcmp(argv[1], "--help") == 0) {
        return show_usage(stdout, 0);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("mintctl " MINTD_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "health") == 0 && argc <= 3) {
        return health_check(argc == 3 ? argv[2] : "http://127.0.0.1:4001/readyz");
    }
    return show_usage(stderr, 2);
}
