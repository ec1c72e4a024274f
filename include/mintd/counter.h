/* counter.h: numbers that one thread counts and any thread may read.
 *
 * Each worker has its own; the reader sums. Relaxed loads and stores, no locked instruction. */
#ifndef MINTD_COUNTER_H
#define MINTD_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

/* For the owning thread alone. */
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

/* Durations by powers of two: bucket i counts those of at most HISTOGRAM_FIRST_NS << i. */
#define HISTOGRAM_BUCKETS 18
#define HISTOGRAM_FIRST_NS 16384u /* 16 us; the last bucket ends at 2.1 s */

struct histogram {
    struct counter buckets[HISTOGRAM_BUCKETS + 1]; /* not cumulative; the last: longer than all */
    struct counter sum_ns;
};

void histogram_record(struct histogram *h, uint64_t duration_ns);

#endif
