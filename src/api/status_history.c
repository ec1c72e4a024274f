#include "api/status_history.h"
#include "api/api_internal.h"
#include <string.h>

#define SECOND_NS 1000000000ull

/* ---- durations ---- */

static void add_counts(struct history_counts *counts, const struct histogram *histogram) {
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        counts->buckets[i] += counter_read(&histogram->buckets[i]);
    }
}

/* Probes and scrapes say nothing of what clients get. */
static bool is_of_clients(unsigned endpoint) {
    return endpoint != ENDPOINT_NONE && endpoint != ENDPOINT_HEALTHZ &&
           endpoint != ENDPOINT_READYZ && endpoint != ENDPOINT_METRICS &&
           endpoint != ENDPOINT_STATUS;
}

static void read_counts(const struct api_process *process, struct history_counts *requests,
                        struct history_counts *round_trips) {
    memset(requests, 0, sizeof *requests);
    memset(round_trips, 0, sizeof *round_trips);
    for (unsigned i = 0; i < process->metrics_count; i++) {
        const struct worker_metrics *worker = &process->metrics[i];
        add_counts(round_trips, &worker->store.round_trip);
        for (unsigned endpoint = 0; endpoint < ENDPOINT_COUNT; endpoint++) {
            if (is_of_clients(endpoint)) {
                add_counts(requests, &worker->http.durations[endpoint]);
            }
        }
    }
}

/* What is longer than all buckets is as long as twice the last bound. */
static uint64_t between_ns(unsigned bucket, uint64_t place, uint64_t count) {
    uint64_t from = bucket == 0 ? 0 : histogram_bounds_ns[bucket - 1];
    uint64_t to = bucket < HISTOGRAM_BUCKETS ? histogram_bounds_ns[bucket] : 2 * from;
    return from + (to - from) * place / count;
}

unsigned history_quantile_us(const struct history_counts *before, const struct history_counts *now,
                             unsigned thousandths) {
    uint64_t total = 0, below = 0;
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        total += now->buckets[i] - before->buckets[i];
    }
    uint64_t wanted = (total * thousandths + 999) / 1000;
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS && total != 0; i++) {
        uint64_t count = now->buckets[i] - before->buckets[i];
        if (count != 0 && below + count >= wanted) {
            return (unsigned)(between_ns(i, wanted - below, count) / 1000);
        }
        below += count;
    }
    return 0;
}

/* ---- samples ---- */

static uint64_t tenths_a_second(uint64_t before, uint64_t now, uint64_t span_ns) {
    uint64_t span_us = span_ns / 1000;
    return ((now - before) * 10 * 1000000 + span_us / 2) / span_us;
}

static void take_sample(struct history *h, uint64_t now_ns, uint64_t wall_ms) {
    struct history_sample *sample = &h->samples[h->next_sample];
    struct heartbeat_totals totals = heartbeat_count(h->process);
    struct history_counts requests, round_trips;
    uint64_t span_ns = now_ns - h->sampled_ns;
    read_counts(h->process, &requests, &round_trips);
    sample->at_ms = wall_ms;
    counter_set(&sample->rates.minted, tenths_a_second(h->totals.minted, totals.minted, span_ns));
    counter_set(&sample->rates.validated,
                tenths_a_second(h->totals.validated, totals.validated, span_ns));
    counter_set(&sample->rates.refused,
                tenths_a_second(h->totals.refused, totals.refused, span_ns));
    counter_set(&sample->rates.answered,
                tenths_a_second(h->totals.answered, totals.answered, span_ns));
    sample->half_us = history_quantile_us(&h->requests, &requests, 500);
    sample->most_us = history_quantile_us(&h->requests, &requests, 990);
    sample->store_most_us = history_quantile_us(&h->round_trips, &round_trips, 990);
    h->totals = totals;
    h->requests = requests;
    h->round_trips = round_trips;
    h->sampled_ns = now_ns;
    h->next_sample = (h->next_sample + 1) % HISTORY_SAMPLES;
    h->sample_count += h->sample_count < HISTORY_SAMPLES;
}

const struct history_sample *history_sample(const struct history *h, unsigned index) {
    return &h->samples[(h->next_sample + HISTORY_SAMPLES - h->sample_count + index) %
                       HISTORY_SAMPLES];
}

/* ---- troubles ---- */

/* The entry that goes on, or a new one; put at the end. */
static struct history_trouble *entry_of(struct history *h, enum store_trouble what,
                                        uint64_t wall_ms) {
    struct history_trouble entry = {.first_ms = wall_ms, .last_ms = wall_ms, .what = what};
    unsigned place = h->trouble_count;
    for (unsigned i = 0; i < h->trouble_count; i++) {
        const struct history_trouble *one = &h->troubles[i];
        if (one->what == what && wall_ms < one->last_ms + HISTORY_TROUBLE_JOINS_MS) {
            entry = *one;
            place = i;
        }
    }
    if (place == HISTORY_TROUBLES) {
        place = 0; /* the oldest one goes */
    } else if (place == h->trouble_count) {
        h->trouble_count++;
    }
    memmove(&h->troubles[place], &h->troubles[place + 1],
            (h->trouble_count - place - 1) * sizeof h->troubles[0]);
    h->troubles[h->trouble_count - 1] = entry;
    return &h->troubles[h->trouble_count - 1];
}

static void note(struct history *h, enum store_trouble what, uint64_t operations,
                 uint64_t wall_ms) {
    struct history_trouble *entry = entry_of(h, what, wall_ms);
    entry->last_ms = wall_ms;
    entry->operations += operations;
}

static uint64_t count_troubles(const struct api_process *process, unsigned what) {
    uint64_t total = 0;
    for (unsigned i = 0; i < process->metrics_count; i++) {
        total += counter_read(&process->metrics[i].store.troubles[what]);
    }
    return total;
}

/* The link that is not up yet is no trouble. */
static bool has_just_started(const struct history *h, uint64_t now_ns) {
    return now_ns - h->process->started_ns < SECOND_NS;
}

static void look_for_troubles(struct history *h, enum store_trouble now, uint64_t wall_ms) {
    for (unsigned what = STORE_TROUBLE_NONE + 1; what < STORE_TROUBLE_COUNT; what++) {
        uint64_t count = count_troubles(h->process, what);
        if (count != h->counted[what] || what == now) {
            note(h, (enum store_trouble)what, count - h->counted[what], wall_ms);
            h->counted[what] = count;
        }
    }
}

/* ---- life ---- */

void history_init(struct history *h, const struct api_process *process, uint64_t now_ns) {
    memset(h, 0, sizeof *h);
    h->process = process;
    h->sampled_ns = now_ns;
}

void history_tick(struct history *h, enum store_trouble now, uint64_t now_ns, uint64_t wall_ms) {
    look_for_troubles(h, has_just_started(h, now_ns) ? STORE_TROUBLE_NONE : now, wall_ms);
    if (now_ns - h->sampled_ns >= HISTORY_SAMPLE_S * SECOND_NS) {
        take_sample(h, now_ns, wall_ms);
    }
}
