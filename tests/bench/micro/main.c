#include "micro.h"
#include <stdio.h>
#include <stdlib.h>

void micro_fail(const char *file, int line, const char *condition) {
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    exit(1);
}

/* callgrind counts what happens in here, and writes it down at its end: run.py names this function.
 */
void micro_counted(void (*step)(unsigned i), unsigned first, unsigned times);
__attribute__((noinline, noclone)) void micro_counted(void (*step)(unsigned i), unsigned first,
                                                      unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        step(first + i);
    }
}

static void run(const struct micro_scenario *scenario) {
    unsigned warm_up = scenario->times / 10;
    if (scenario->prepare != NULL) {
        scenario->prepare();
    }
    for (unsigned i = 0; i < warm_up; i++) {
        scenario->step(i);
    }
    micro_counted(scenario->step, warm_up, scenario->times);
    printf("%s %u\n", scenario->name, scenario->times);
}

static bool is_wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return argc == 1;
}

int main(int argc, char **argv) {
    static const struct micro_scenario *const all[] = {micro_http, micro_tokens, micro_store,
                                                       micro_flows};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (const struct micro_scenario *scenario = all[i]; scenario->name != NULL; scenario++) {
            if (is_wanted(scenario->name, argc, argv)) {
                run(scenario);
            }
        }
    }
    return 0;
}
