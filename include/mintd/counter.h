/* counter.h: numbers that one thread counts and any thread may read.
 *
 * Each worker has its own, and the reader adds them up. Loads and stores are relaxed; no
 * instruction is locked. */
#ifndef MINTD_COUNTER_H
#define MINTD_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

/* Only for the owning thread; so is counter_set(). */
static inline void counter_add(struct counter *c, uint64_t n) {
    uint64_t value = atomic_load_explicit(&c->value, memory_order_relaxed);
    atomic_store_explicit(&c->value, value + n, memory_order_relaxed);
}

static inline void counter_set(struct counter *c, uint64_t value) {
    atomic_store_explicit(&c->value, value, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *c) {
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

/* Durations, in buckets whose bounds are those that service levels name: 1, 5, 10, 25, 50, 100,
 * 250 ms and some around them. Bucket i counts the durations of at most histogram_bounds_ns[i]
 * that are in no bucket below it. */
#define HISTOGRAM_BUCKETS 15u

struct histogram {
    struct counter
        buckets[HISTOGRAM_BUCKETS + 1]; /* not cumulative; the last one: longer than all bounds */
    struct counter sum_ns;
};

extern const uint64_t histogram_bounds_ns[HISTOGRAM_BUCKETS]; /* ascending: 50 us to 2.5 s */

/* Only for the owning thread. It compares from the first bound on, so short durations cost
 * least. */
void histogram_record(struct histogram *h, uint64_t duration_ns);

#endif
