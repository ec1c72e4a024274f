#include "mintd/clock.h"
#include <stdatomic.h>
#include <time.h>

#define NS_PER_MS 1000000u

static struct timespec read_clock(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return now;
}

static uint64_t ns_of(struct timespec time) {
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t ms_of(struct timespec time) {
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / NS_PER_MS;
}

/* The coarse clocks are up to 10 ms behind, and cost a fifth. */
uint64_t clock_wall_ms(void) {
    return ms_of(read_clock(CLOCK_REALTIME_COARSE));
}

uint64_t clock_monotonic_ms(void) {
    return ms_of(read_clock(CLOCK_MONOTONIC_COARSE));
}

uint64_t clock_monotonic_ns(void) {
    return ns_of(read_clock(CLOCK_MONOTONIC));
}

/* What the shared clock shows more than the monotonic one; 0: it is not known. */
static _Atomic uint64_t shared_lead_ms;

/* By the exact clocks: by as much as a coarse one is behind, or a number is cut, the shared one
 * would be ahead afterwards. */
void clock_share(uint64_t earliest_ms, uint64_t latest_ms) {
    uint64_t lead_ms = atomic_load(&shared_lead_ms), monotonic_ns = clock_monotonic_ns();
    uint64_t earliest_ns = earliest_ms * NS_PER_MS, latest_ns = latest_ms * NS_PER_MS;
    uint64_t now_ns =
        lead_ms == 0 ? ns_of(read_clock(CLOCK_REALTIME)) : monotonic_ns + lead_ms * NS_PER_MS;
    now_ns = now_ns < earliest_ns ? earliest_ns : now_ns > latest_ns ? latest_ns : now_ns;
    atomic_store(&shared_lead_ms, latest_ms == 0 ? 0 : (now_ns - monotonic_ns) / NS_PER_MS);
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
