#include "mintd/counter.h"

/* The first bucket whose end is not under the duration: each ends at twice the one before. */
static unsigned bucket_of(uint64_t duration_ns) {
    if (duration_ns <= HISTOGRAM_FIRST_NS) {
        return 0;
    }
    uint64_t firsts = (duration_ns - 1) / HISTOGRAM_FIRST_NS;
    unsigned bucket = 64 - (unsigned)__builtin_clzll(firsts);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS;
}

void histogram_record(struct histogram *h, uint64_t duration_ns) {
    counter_add(&h->buckets[bucket_of(duration_ns)], 1);
    counter_add(&h->sum_ns, duration_ns);
}
