/* status_history.h: what /status plots and lists: samples of rates and durations, and the last
 * troubles of the store. All bounded, in memory of its own, measured from counters that are there
 * anyway: a request pays nothing for it. */
#ifndef MINTD_STATUS_HISTORY_H
#define MINTD_STATUS_HISTORY_H

#include "api/heartbeat_record.h"
#include "mintd/api.h"

#define HISTORY_SAMPLES 150u /* of two seconds: five minutes */
#define HISTORY_SAMPLE_S 2u
#define HISTORY_TROUBLES 20u
#define HISTORY_TROUBLE_JOINS_MS                                                                   \
    10000u /* the same one so soon after the last is the same entry                                \
            */

/* Durations by bucket, of all workers. */
struct history_counts {
    uint64_t buckets[HISTOGRAM_BUCKETS + 1];
};

struct history_sample {
    uint64_t at_ms;         /* epoch */
    struct api_rates rates; /* a second, in tenths */
    /* half of them took less, and 99 of 100; 0: there was none */
    unsigned half_us, most_us; /* requests, but for those to the operations' endpoints */
    unsigned store_most_us;    /* commands to the store */
};

struct history_trouble {
    uint64_t first_ms, last_ms; /* epoch */
    enum store_trouble what;
    uint64_t operations; /* that ended so; 0: none was tried */
};

struct history {
    const struct api_process *process;
    uint64_t sampled_ns; /* clock_monotonic_ns() */
    struct heartbeat_totals totals;
    struct history_counts requests, round_trips;
    struct history_sample samples[HISTORY_SAMPLES]; /* a ring: the next one is put at */
    unsigned next_sample, sample_count;
    uint64_t counted[STORE_TROUBLE_COUNT];
    struct history_trouble troubles[HISTORY_TROUBLES]; /* the last one changed is the last */
    unsigned trouble_count;
};

void history_init(struct history *history, const struct api_process *process, uint64_t now_ns);
/* Some times a second. `now`: why the store does not work at this moment. */
void history_tick(struct history *history, enum store_trouble now, uint64_t now_ns,
                  uint64_t wall_ms);
/* The oldest one is 0. */
const struct history_sample *history_sample(const struct history *history, unsigned index);

/* By when so many thousandths of the durations that lie between two counts were over, to within
 * the bucket; 0: there are none. */
unsigned history_quantile_us(const struct history_counts *before, const struct history_counts *now,
                             unsigned thousandths);

#endif
