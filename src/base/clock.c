#include "mintd/clock.h"
#include <stdatomic.h>
#include <time.h>

static struct timespec read_clock(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return now;
}

static uint64_t ms_of(struct timespec time) {
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* The coarse clocks are up to 10 ms behind, and cost a fifth. */
uint64_t clock_wall_ms(void) {
    return ms_of(read_clock(CLOCK_REALTIME_COARSE));
}

uint64_t clock_monotonic_ms(void) {
    return ms_of(read_clock(CLOCK_MONOTONIC_COARSE));
}

uint64_t clock_monotonic_ns(void) {
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What the shared clock shows more than the monotonic one; 0: it is not known. */
static _Atomic uint64_t shared_lead_ms;

void clock_share(uint64_t now_ms) {
    atomic_store(&shared_lead_ms, now_ms == 0 ? 0 : now_ms - clock_monotonic_ms());
}

uint64_t clock_shared_ms(void) {
    uint64_t lead_ms = atomic_load_explicit(&shared_lead_ms, memory_order_relaxed);
    return lead_ms == 0 ? clock_wall_ms() : clock_monotonic_ms() + lead_ms;
}

bool clock_skew_ms(int64_t *skew_ms) {
    uint64_t lead_ms = atomic_load(&shared_lead_ms);
    *skew_ms = lead_ms == 0 ? 0 : (int64_t)(clock_wall_ms() - (clock_monotonic_ms() + lead_ms));
    return lead_ms != 0;
}
