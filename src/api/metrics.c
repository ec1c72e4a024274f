/* metrics.c: /metrics: the sum of what all workers have counted. */
#include "api/metrics.h"
#include "api/accept.h"
#include "mintd/gzip.h"
#include <stdlib.h>

#define TEXT_MAX (192u * 1024u) /* 100 clients of the longest names take 64 KiB of it */

typedef const struct counter *(*counter_of)(const struct worker_metrics *worker, unsigned index);

static uint64_t sum(const struct api_process *process, counter_of which, unsigned index) {
    uint64_t total = 0;
    for (unsigned i = 0; i < process->metrics_count; i++) {
        total += counter_read(which(&process->metrics[i], index));
    }
    return total;
}

static struct exposition_label label_of(const char *name, const char *value) {
    return (struct exposition_label){name, slice_of_string(value)};
}

/* ---- plain numbers ---- */

#define NUMBERS(X)                                                                                 \
    X(http.accepted, "mintd_connections_accepted_total", "counter", "Connections accepted.")       \
    X(http.turned_away, "mintd_connections_turned_away_total", "counter",                          \
      "Connections closed at once: over a bound, or no memory.")                                   \
    X(http.over_address, "mintd_connections_over_address_limit_total", "counter",                  \
      "Of these, over what one address may have.")                                                 \
    X(http.open, "mintd_connections_open", "gauge", "Connections open now.")                       \
    X(http.timeouts, "mintd_connections_timed_out_total", "counter",                               \
      "Connections ended by a deadline.")                                                          \
    X(oauth.minted, "mintd_tokens_minted_total", "counter",                                        \
      "Tokens minted and acknowledged by the store.")                                              \
    X(oauth.validated, "mintd_tokens_validated_total", "counter", "Tokens found good.")            \
    X(oauth.revoked, "mintd_tokens_revoked_total", "counter",                                      \
      "Tokens that their clients gave back at /revoke.")                                           \
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

static void write_numbers(struct exposition *e, const struct api_process *process) {
#define X(field, name, type, help)                                                                 \
    {                                                                                              \
        uint64_t total = 0;                                                                        \
        for (unsigned i = 0; i < process->metrics_count; i++) {                                    \
            total += counter_read(&process->metrics[i].field);                                     \
        }                                                                                          \
        exposition_family(e, name, type, help);                                                    \
        exposition_number(e, name, total);                                                         \
    }
    NUMBERS(X)
#undef X
}

/* ---- numbers by label ---- */

/* One series a value of the label. */
static void write_by(struct exposition *e, const struct api_process *process, const char *name,
                     const char *label, const char *value, counter_of which, unsigned index) {
    exposition_labelled(e, name, label_of(label, value), sum(process, which, index));
}

static const struct counter *response_counter(const struct worker_metrics *worker, unsigned index) {
    return &worker->http.responses[index / HTTP_STATUS_COUNT][index % HTTP_STATUS_COUNT];
}

static void write_responses(struct exposition *e, const struct api_process *process) {
    exposition_family(
        e, "mintd_http_responses_total", "counter",
        "Responses by endpoint and status; none: answered before an endpoint was known.");
    for (unsigned endpoint = 0; endpoint < ENDPOINT_COUNT; endpoint++) {
        for (unsigned status = 0; status < HTTP_STATUS_COUNT; status++) {
            uint64_t count = sum(process, response_counter, endpoint * HTTP_STATUS_COUNT + status);
            if (count == 0) {
                continue;
            }
            buffer_append_format(
                &e->text, "mintd_http_responses_total{endpoint=\"%s\",status=\"%u\"} %llu\n",
                endpoint_name((enum endpoint)endpoint),
                http_status_of_index((enum http_status_index)status), (unsigned long long)count);
        }
    }
}

static const struct counter *refusal_counter(const struct worker_metrics *worker, unsigned index) {
    return &worker->oauth.refusals[index];
}

static void write_refusals(struct exposition *e, const struct api_process *process) {
    exposition_family(e, "mintd_refusals_total", "counter", "Requests refused, by reason.");
    for (unsigned i = OAUTH_REFUSED_NONE + 1; i < OAUTH_REFUSAL_COUNT; i++) {
        write_by(e, process, "mintd_refusals_total", "reason",
                 oauth_refusal_word((enum oauth_refusal)i), refusal_counter, i);
    }
}

static const struct counter *introspection_counter(const struct worker_metrics *worker,
                                                   unsigned is_active) {
    return &worker->oauth.introspections[is_active];
}

static void write_introspections(struct exposition *e, const struct api_process *process) {
    static const char name[] = "mintd_introspections_total";
    exposition_family(e, name, "counter", "Introspections answered, by what was said.");
    write_by(e, process, name, "active", "true", introspection_counter, true);
    write_by(e, process, name, "active", "false", introspection_counter, false);
}

static const struct counter *handshake_counter(const struct worker_metrics *worker,
                                               unsigned is_failed) {
    return is_failed != 0 ? &worker->http.handshakes_failed : &worker->http.handshakes;
}

static void write_handshakes(struct exposition *e, const struct api_process *process) {
    static const char name[] = "mintd_tls_handshakes_total";
    exposition_family(e, name, "counter", "TLS handshakes with clients, by how they ended.");
    write_by(e, process, name, "result", "ok", handshake_counter, false);
    write_by(e, process, name, "result", "failed", handshake_counter, true);
}

static const struct counter *answer_counter(const struct worker_metrics *worker, unsigned index) {
    return &worker->store.answers[index];
}

static const struct counter *trouble_counter(const struct worker_metrics *worker, unsigned index) {
    return &worker->store.troubles[index];
}

static void write_store(struct exposition *e, const struct api_process *process) {
    static const char *const answers[] = {
        [STORE_UNKNOWN] = "unknown", [STORE_FOUND] = "found", [STORE_ABSENT] = "absent"};
    exposition_family(e, "mintd_store_answers_total", "counter",
                      "Operations of the store by answer.");
    for (unsigned i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        write_by(e, process, "mintd_store_answers_total", "answer", answers[i], answer_counter, i);
    }
    exposition_family(e, "mintd_store_troubles_total", "counter",
                      "Operations whose answer is unknown, by reason.");
    for (unsigned i = STORE_TROUBLE_NONE + 1; i < STORE_TROUBLE_COUNT; i++) {
        write_by(e, process, "mintd_store_troubles_total", "reason",
                 store_trouble_name((enum store_trouble)i), trouble_counter, i);
    }
    exposition_family(e, "mintd_store_identity_changes_total", "counter",
                      "Times that Redis was emptied, or was another one than before.");
    exposition_number(e, "mintd_store_identity_changes_total",
                      atomic_load(&process->identity_changes));
}

static void write_slow_checks(struct exposition *e, const struct oauth *oauth) {
    static const char *const lanes[] = {[PASSWORD_AHEAD] = "ahead", [PASSWORD_BEHIND] = "behind"};
    exposition_family(
        e, "mintd_slow_checks_waiting", "gauge",
        "Slow hashes that wait for a thread; behind: of addresses with much refused.");
    for (unsigned i = 0; i < PASSWORD_LANES; i++) {
        exposition_labelled(e, "mintd_slow_checks_waiting", label_of("lane", lanes[i]),
                            oauth_slow_checks_waiting(oauth, (enum password_lane)i));
    }
}

/* ---- by client ---- */

/* Of each client two: what was minted, then what was validated. */
static const struct counter *client_counter(const struct worker_metrics *worker, unsigned index) {
    unsigned client = index / 2;
    return index % 2 == 0 ? &worker->oauth.clients[client].minted
                          : &worker->oauth.clients[client].validated;
}

static void write_client_family(struct exposition *e, const struct api_process *process,
                                const char *name, const char *help, unsigned which) {
    unsigned count = client_names_count(process->client_names);
    exposition_family(e, name, "counter", help);
    for (unsigned i = 0; i < count; i++) {
        struct exposition_label label = {"client", client_names_at(process->client_names, i)};
        exposition_labelled(e, name, label, sum(process, client_counter, 2 * i + which));
    }
    write_by(e, process, name, "client", CLIENT_NAMES_OTHER, client_counter,
             2 * CLIENT_NAMES_MAX + which);
}

static void write_clients(struct exposition *e, const struct api_process *process) {
    if (process->client_names != NULL) {
        write_client_family(e, process, "mintd_client_tokens_minted_total",
                            "Tokens minted, by client; other: those over --metrics-clients.", 0);
        write_client_family(e, process, "mintd_client_tokens_validated_total",
                            "Tokens found good, by client; other: as above.", 1);
    }
}

/* ---- the answer ---- */

static void write_all(struct exposition *e, const struct api *api) {
    const struct api_process *process = api->options.process;
    metrics_write_process(e, api);
    write_responses(e, process);
    write_numbers(e, process);
    write_handshakes(e, process);
    write_refusals(e, process);
    write_introspections(e, process);
    write_store(e, process);
    write_slow_checks(e, api->options.oauth);
    write_clients(e, process);
    metrics_write_durations(e, process);
    exposition_end(e);
}

static bool pack(const struct exposition *e, struct buffer *packed) {
    return packed->data != NULL && gzip_pack(buffer_slice(&e->text), packed);
}

static void reply_metrics(struct http_exchange *x, const struct exposition *e, bool packs) {
    char *storage = packs ? malloc(TEXT_MAX) : NULL;
    struct buffer packed = buffer_of(storage, TEXT_MAX);
    bool is_packed = pack(e, &packed); /* else it is sent as it is */
    const struct http_header headers[] = {
        HEADER("Content-Type", e->is_openmetrics
                                   ? S("application/openmetrics-text; version=1.0.0; charset=utf-8")
                                   : S("text/plain; version=0.0.4; charset=utf-8")),
        HEADER_NO_STORE,
        HEADER("Vary", SLICE("Accept, Accept-Encoding")),
        HEADER("Content-Encoding", SLICE("gzip")),
    };
    http_respond(x, &(struct http_response){.status = 200,
                                            .headers = headers,
                                            .header_count = is_packed ? 4 : 3,
                                            .body = buffer_slice(is_packed ? &packed : &e->text)});
    free(storage);
}

void operations_metrics(struct api *api, struct http_exchange *x) {
    const struct http_request *request = http_request_of(x);
    char *storage = malloc(TEXT_MAX);
    struct exposition e = {buffer_of(storage, TEXT_MAX), accept_prefers_openmetrics(request)};
    if (storage != NULL) {
        write_all(&e, api);
    }
    if (storage == NULL || e.text.overflow) {
        reply_error(x, 503, S("temporarily_unavailable"), S("not enough memory"), NULL);
    } else {
        reply_metrics(x, &e, accept_takes_gzip(request));
    }
    free(storage);
}
