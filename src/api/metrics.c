/* metrics.c: /metrics: the sum of what all workers have counted, as Prometheus' text 0.0.4. */
#include "api/api_internal.h"
#include "mintd/clock.h"
#include <stdlib.h>

#define TEXT_MAX (128u * 1024u)

typedef const struct counter *(*counter_of)(const struct worker_metrics *worker, unsigned index);

static uint64_t sum(const struct api_process *process, counter_of which, unsigned index) {
    uint64_t total = 0;
    for (unsigned i = 0; i < process->metrics_count; i++) {
        total += counter_read(which(&process->metrics[i], index));
    }
    return total;
}

static void write_head(struct buffer *text, const char *name, const char *type, const char *help) {
    buffer_append_format(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_number(struct buffer *text, const char *name, uint64_t value) {
    buffer_append_format(text, "%s %llu\n", name, (unsigned long long)value);
}

static void write_labelled(struct buffer *text, const char *name, const char *label,
                           const char *label_value, uint64_t value) {
    buffer_append_format(text, "%s{%s=\"%s\"} %llu\n", name, label, label_value,
                         (unsigned long long)value);
}

/* ---- plain numbers ---- */

#define NUMBERS(X)                                                                                 \
    X(http.accepted, "mintd_connections_accepted_total", "counter", "Connections accepted.")       \
    X(http.turned_away, "mintd_connections_turned_away_total", "counter",                          \
      "Connections closed at once: over a bound, or no memory.")                                   \
    X(http.over_address, "mintd_connections_over_address_limit_total", "counter",                  \
      "Of these, over --max-connections-per-address.")                                             \
    X(http.open, "mintd_connections_open", "gauge", "Connections open now.")                       \
    X(http.timeouts, "mintd_connections_timed_out_total", "counter",                               \
      "Connections ended by a deadline.")                                                          \
    X(http.handshakes_failed, "mintd_tls_handshakes_failed_total", "counter",                      \
      "TLS handshakes that failed.")                                                               \
    X(oauth.minted, "mintd_tokens_minted_total", "counter",                                        \
      "Tokens minted and acknowledged by the store.")                                              \
    X(oauth.validated, "mintd_tokens_validated_total", "counter", "Tokens found good.")            \
    X(oauth.slow_checks, "mintd_secret_slow_checks_total", "counter",                              \
      "Secrets given to the threads that check slow hashes.")                                      \
    X(oauth.shared_checks, "mintd_secret_shared_checks_total", "counter",                          \
      "Slow hashes spared by another one of the same secret that was under way.")                  \
    X(oauth.remembered_checks, "mintd_secret_remembered_checks_total", "counter",                  \
      "Slow hashes spared by the memory of verified secrets.")                                     \
    X(store.link_up, "mintd_store_links_up", "gauge",                                              \
      "Links to the store that can serve; one a worker.")                                          \
    X(store.nodes, "mintd_store_nodes", "gauge",                                                   \
      "Nodes of the cluster that have slots, of each worker.")                                     \
    X(store.nodes_up, "mintd_store_nodes_up", "gauge", "Of these, those that are up.")             \
    X(store.redirects, "mintd_store_redirects_total", "counter",                                   \
      "Commands that a node of the cluster sent to another one.")                                  \
    X(store.connects, "mintd_store_connects_total", "counter", "Links to the store that came up.") \
    X(store.master_changes, "mintd_store_master_changes_total", "counter",                         \
      "Links that were left because Sentinels named another master.")                              \
    X(store.sentinels_lost, "mintd_store_sentinels_lost_total", "counter",                         \
      "Links to Sentinels that were lost.")                                                        \
    X(store.durable_up, "mintd_store_durable_links_up", "gauge",                                   \
      "Second links, for writes that wait for replicas, that are up; one a worker and node.")      \
    X(store.waits, "mintd_store_waits_total", "counter",                                           \
      "Batches of writes that waited for replicas, and were answered.")                            \
    X(store.waits_short, "mintd_store_waits_short_total", "counter",                               \
      "Of these, those that too few replicas had in time.")                                        \
    X(store.pending, "mintd_store_operations_pending", "gauge",                                    \
      "Operations that wait for the store.")                                                       \
    X(store.cache.on, "mintd_cache_on", "gauge",                                                   \
      "Workers that answer from memory: the store tells them of each change.")                     \
    X(store.cache.hits, "mintd_cache_hits_total", "counter", "Look-ups answered from memory.")     \
    X(store.cache.misses, "mintd_cache_misses_total", "counter",                                   \
      "Look-ups that had to ask the store.")                                                       \
    X(store.cache.joined, "mintd_cache_joined_total", "counter",                                   \
      "Look-ups that waited for another one of the same key.")                                     \
    X(store.cache.invalidated, "mintd_cache_invalidated_total", "counter",                         \
      "Copies forgotten because the store said that they had changed.")                            \
    X(store.cache.emptied, "mintd_cache_emptied_total", "counter",                                 \
      "Times that all was forgotten: a link was lost, or all keys were gone.")                     \
    X(store.cache.evicted, "mintd_cache_evicted_total", "counter",                                 \
      "Copies forgotten for want of room: --cache-size.")                                          \
    X(store.cache.entries, "mintd_cache_entries", "gauge", "Copies in memory.")                    \
    X(store.cache.bytes, "mintd_cache_bytes", "gauge", "Memory of copies.")

static void write_numbers(struct buffer *text, const struct api_process *process) {
#define X(field, name, type, help)                                                                 \
    {                                                                                              \
        uint64_t total = 0;                                                                        \
        for (unsigned i = 0; i < process->metrics_count; i++) {                                    \
            total += counter_read(&process->metrics[i].field);                                     \
        }                                                                                          \
        write_head(text, name, type, help);                                                        \
        write_number(text, name, total);                                                           \
    }
    NUMBERS(X)
#undef X
}

/* ---- numbers by label ---- */

static const struct counter *response_counter(const struct worker_metrics *worker, unsigned index) {
    return &worker->http.responses[index / HTTP_STATUS_COUNT][index % HTTP_STATUS_COUNT];
}

static void write_responses(struct buffer *text, const struct api_process *process) {
    write_head(text, "mintd_http_responses_total", "counter",
               "Responses by endpoint and status; none: answered before an endpoint was known.");
    for (unsigned endpoint = 0; endpoint < ENDPOINT_COUNT; endpoint++) {
        for (unsigned status = 0; status < HTTP_STATUS_COUNT; status++) {
            uint64_t count = sum(process, response_counter, endpoint * HTTP_STATUS_COUNT + status);
            if (count == 0) {
                continue;
            }
            buffer_append_format(
                text, "mintd_http_responses_total{endpoint=\"%s\",status=\"%u\"} %llu\n",
                endpoint_name((enum endpoint)endpoint),
                http_status_of_index((enum http_status_index)status), (unsigned long long)count);
        }
    }
}

static const struct counter *refusal_counter(const struct worker_metrics *worker, unsigned index) {
    return &worker->oauth.refusals[index];
}

static void write_refusals(struct buffer *text, const struct api_process *process) {
    write_head(text, "mintd_refusals_total", "counter", "Requests refused, by reason.");
    for (unsigned i = OAUTH_REFUSED_NONE + 1; i < OAUTH_REFUSAL_COUNT; i++) {
        write_labelled(text, "mintd_refusals_total", "reason",
                       oauth_refusal_label((enum oauth_refusal)i),
                       sum(process, refusal_counter, i));
    }
}

static const struct counter *answer_counter(const struct worker_metrics *worker, unsigned index) {
    return &worker->store.answers[index];
}

static const struct counter *trouble_counter(const struct worker_metrics *worker, unsigned index) {
    return &worker->store.troubles[index];
}

static void write_identity(struct buffer *text, const struct api_process *process) {
    static const char name[] = "mintd_store_identity_changes_total";
    write_head(text, name, "counter",
               "Times that Redis was emptied, or was another one than before.");
    write_number(text, name, atomic_load(&process->identity_changes));
}

static void write_store(struct buffer *text, const struct api_process *process) {
    static const char *const answers[] = {
        [STORE_UNKNOWN] = "unknown", [STORE_FOUND] = "found", [STORE_ABSENT] = "absent"};
    write_head(text, "mintd_store_answers_total", "counter", "Operations of the store by answer.");
    for (unsigned i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        write_labelled(text, "mintd_store_answers_total", "answer", answers[i],
                       sum(process, answer_counter, i));
    }
    write_head(text, "mintd_store_troubles_total", "counter",
               "Operations whose answer is unknown, by reason.");
    for (unsigned i = STORE_TROUBLE_NONE + 1; i < STORE_TROUBLE_COUNT; i++) {
        write_labelled(text, "mintd_store_troubles_total", "reason",
                       store_trouble_name((enum store_trouble)i), sum(process, trouble_counter, i));
    }
}

static void write_slow_checks(struct buffer *text, const struct oauth *oauth) {
    static const char *const lanes[] = {[PASSWORD_AHEAD] = "ahead", [PASSWORD_BEHIND] = "behind"};
    write_head(text, "mintd_slow_checks_waiting", "gauge",
               "Slow hashes that wait for a thread; behind: of addresses with much refused.");
    for (unsigned i = 0; i < PASSWORD_LANES; i++) {
        write_labelled(text, "mintd_slow_checks_waiting", "lane", lanes[i],
                       oauth_slow_checks_waiting(oauth, (enum password_lane)i));
    }
}

/* ---- durations ---- */

static const struct counter *round_trip_counter(const struct worker_metrics *worker,
                                                unsigned index) {
    const struct histogram *h = &worker->store.round_trip;
    return index > HISTOGRAM_BUCKETS ? &h->sum_ns : &h->buckets[index];
}

static const struct counter *loop_lag_counter(const struct worker_metrics *worker, unsigned index) {
    const struct histogram *h = &worker->loop_lag;
    return index > HISTOGRAM_BUCKETS ? &h->sum_ns : &h->buckets[index];
}

static const struct counter *slow_check_wait_counter(const struct worker_metrics *worker,
                                                     unsigned index) {
    const struct histogram *h = &worker->oauth.slow_check_wait;
    return index > HISTOGRAM_BUCKETS ? &h->sum_ns : &h->buckets[index];
}

static void write_histogram(struct buffer *text, const struct api_process *process,
                            const char *name, const char *help, counter_of which) {
    uint64_t count = 0;
    write_head(text, name, "histogram", help);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += sum(process, which, i);
        buffer_append_format(text, "%s_bucket{le=\"%.9g\"} %llu\n", name,
                             (double)((uint64_t)HISTOGRAM_FIRST_NS << i) / 1e9,
                             (unsigned long long)count);
    }
    count += sum(process, which, HISTOGRAM_BUCKETS);
    buffer_append_format(text, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)count);
    buffer_append_format(text, "%s_sum %.9g\n%s_count %llu\n", name,
                         (double)sum(process, which, HISTOGRAM_BUCKETS + 1) / 1e9, name,
                         (unsigned long long)count);
}

/* ---- the process ---- */

static void write_process(struct buffer *text, const struct api_process *process) {
    write_head(text, "mintd_build_info", "gauge", "Always 1; the labels tell what runs.");
    buffer_append_format(text, "mintd_build_info{version=\"%s\",name=\"%s\"} 1\n", MINTD_VERSION,
                         process->name);
    write_head(text, "mintd_start_time_seconds", "gauge", "When it started, since the epoch.");
    write_number(text, "mintd_start_time_seconds", process->started_ms / 1000);
    write_head(text, "mintd_workers", "gauge", "Event loops.");
    write_number(text, "mintd_workers", process->worker_count);
    write_head(text, "mintd_log_lines_dropped_total", "counter",
               "Log lines dropped because the sink was slower than the log.");
    write_number(text, "mintd_log_lines_dropped_total", log_dropped());
    long long expiry = atomic_load(&process->certificate_expiry_s);
    if (expiry > 0) {
        write_head(text, "mintd_tls_certificate_expiry_seconds", "gauge",
                   "When the certificate in use expires, since the epoch.");
        write_number(text, "mintd_tls_certificate_expiry_seconds", (uint64_t)expiry);
    }
}

/* Absent where nobody can tell. */
static void write_clock(struct buffer *text) {
    int64_t skew_ms;
    if (clock_skew_ms(&skew_ms)) {
        write_head(text, "mintd_clock_skew_seconds", "gauge",
                   "How far this machine's clock is ahead of that of Redis.");
        buffer_append_format(text, "mintd_clock_skew_seconds %.3f\n", (double)skew_ms / 1000);
    }
}

void operations_metrics(struct api *api, struct http_exchange *x) {
    static const struct http_header headers[] = {
        HEADER("Content-Type", SLICE("text/plain; version=0.0.4; charset=utf-8")), HEADER_NO_STORE};
    const struct api_process *process = api->options.process;
    char *storage = malloc(TEXT_MAX);
    if (storage == NULL) {
        reply_error(x, 503, S("temporarily_unavailable"), S("not enough memory"), NULL);
        return;
    }
    struct buffer text = buffer_of(storage, TEXT_MAX);
    write_process(&text, process);
    write_clock(&text);
    write_responses(&text, process);
    write_numbers(&text, process);
    write_refusals(&text, process);
    write_store(&text, process);
    write_identity(&text, process);
    write_slow_checks(&text, api->options.oauth);
    write_histogram(&text, process, "mintd_slow_check_wait_seconds",
                    "How long a slow hash waited for a thread, or until it was given up.",
                    slow_check_wait_counter);
    write_histogram(&text, process, "mintd_store_round_trip_seconds",
                    "From a command to its reply.", round_trip_counter);
    write_histogram(&text, process, "mintd_loop_lag_seconds", "How late a worker's tick came.",
                    loop_lag_counter);
    http_respond(x, &(struct http_response){200, headers, 2, buffer_slice(&text)});
    free(storage);
}
