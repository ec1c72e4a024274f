#include "mintd/counter.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

const uint64_t histogram_bounds_ns[HISTOGRAM_BUCKETS] = {
    50 * US, 100 * US, 250 * US, 500 * US, 1 * MS,   2500 * US, 5 * MS,    10 * MS,
    25 * MS, 50 * MS,  100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS,
};

void histogram_record(struct histogram *h, uint64_t duration_ns) {
    unsigned bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS && duration_ns > histogram_bounds_ns[bucket]) {
        bucket++;
    }
    counter_add(&h->buckets[bucket], 1);
    counter_add(&h->sum_ns, duration_ns);
}
