#include "mintd/clock.h"
#include <time.h>

static struct timespec read_clock(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return now;
}

/* The coarse clock is up to 10 ms behind, and costs a fifth. */
uint64_t clock_wall_ms(void) {
    struct timespec now = read_clock(CLOCK_REALTIME_COARSE);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_monotonic_ns(void) {
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
