/* The histograms among the metrics. */
#include "api/metrics.h"

typedef const struct histogram *(*histogram_of)(const struct worker_metrics *worker,
                                                unsigned index);

static const struct histogram *round_trip_of(const struct worker_metrics *worker, unsigned index) {
    (void)index;
    return &worker->store.round_trip;
}

static const struct histogram *loop_lag_of(const struct worker_metrics *worker, unsigned index) {
    (void)index;
    return &worker->loop_lag;
}

static const struct histogram *slow_check_wait_of(const struct worker_metrics *worker,
                                                  unsigned index) {
    (void)index;
    return &worker->oauth.slow_check_wait;
}

/* Of all workers; how many durations there are. */
static uint64_t add_up(const struct api_process *process, histogram_of which, unsigned index,
                       struct exposition_histogram *total) {
    uint64_t count = 0;
    *total = (struct exposition_histogram){0};
    for (unsigned worker = 0; worker < process->metrics_count; worker++) {
        const struct histogram *h = which(&process->metrics[worker], index);
        for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
            total->counts[i] += counter_read(&h->buckets[i]);
        }
        total->sum_ns += counter_read(&h->sum_ns);
    }
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        count += total->counts[i];
    }
    return count;
}

static void write_histogram(struct exposition *e, const struct api_process *process,
                            const char *name, const char *help, histogram_of which) {
    struct exposition_histogram total;
    add_up(process, which, 0, &total);
    exposition_family(e, name, "histogram", help);
    exposition_histogram(e, name, EXPOSITION_NO_LABEL, &total);
}

static const struct histogram *request_of(const struct worker_metrics *worker, unsigned endpoint) {
    return &worker->http.durations[endpoint];
}

/* Of the endpoints that were asked. */
static void write_requests(struct exposition *e, const struct api_process *process) {
    static const char name[] = "mintd_http_request_duration_seconds";
    exposition_family(e, name, "histogram", "From a whole request to its answer, by endpoint.");
    for (unsigned i = ENDPOINT_NONE + 1; i < ENDPOINT_COUNT; i++) {
        struct exposition_histogram total;
        if (add_up(process, request_of, i, &total) != 0) {
            exposition_histogram(e, name,
                                 (struct exposition_label){
                                     "endpoint", slice_of_string(endpoint_name((enum endpoint)i))},
                                 &total);
        }
    }
}

void metrics_write_durations(struct exposition *e, const struct api_process *process) {
    write_requests(e, process);
    write_histogram(e, process, "mintd_slow_check_wait_seconds",
                    "How long a slow hash waited for a thread, or until it was given up.",
                    slow_check_wait_of);
    write_histogram(e, process, "mintd_store_round_trip_seconds", "From a command to its reply.",
                    round_trip_of);
    write_histogram(e, process, "mintd_loop_lag_seconds", "How late a worker's tick came.",
                    loop_lag_of);
}
