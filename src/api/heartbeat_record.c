/* What the record of an instance says: see docs/redis.md. */
#include "api/heartbeat_record.h"
#include "mintd/clock.h"
#include "mintd/heartbeat_view.h"
#include <unistd.h>

#define SECOND_NS 1000000000ull

static uint64_t sum(const struct api_process *process,
                    const struct counter *(*counter_of)(const struct worker_metrics *)) {
    uint64_t total = 0;
    for (unsigned i = 0; i < process->metrics_count; i++) {
        total += counter_read(counter_of(&process->metrics[i]));
    }
    return total;
}

#define COUNTERS(X)                                                                                \
    X(minted, oauth.minted)                                                                        \
    X(validated, oauth.validated)                                                                  \
    X(links, store.link_up)                                                                        \
    X(caching, store.cache.on)                                                                     \
    X(connections, http.open)

#define X(name, field)                                                                             \
    static const struct counter *name##_of(const struct worker_metrics *worker) {                  \
        return &worker->field;                                                                     \
    }
COUNTERS(X)
#undef X

static uint64_t sum_refusals(const struct api_process *process) {
    uint64_t total = 0;
    for (unsigned i = 0; i < process->metrics_count; i++) {
        for (unsigned reason = OAUTH_REFUSED_NONE + 1; reason < OAUTH_REFUSAL_COUNT; reason++) {
            total += counter_read(&process->metrics[i].oauth.refusals[reason]);
        }
    }
    return total;
}

static uint64_t sum_answers(const struct api_process *process) {
    uint64_t total = 0;
    for (unsigned i = 0; i < process->metrics_count; i++) {
        for (unsigned endpoint = 0; endpoint < HTTP_MAX_ENDPOINTS; endpoint++) {
            for (unsigned status = 0; status < HTTP_STATUS_COUNT; status++) {
                total += counter_read(&process->metrics[i].http.responses[endpoint][status]);
            }
        }
    }
    return total;
}

struct heartbeat_totals heartbeat_count(const struct api_process *process) {
    return (struct heartbeat_totals){sum(process, minted_of), sum(process, validated_of),
                                     sum_refusals(process), sum_answers(process)};
}

static void write_number(struct buffer *json, const char *name, uint64_t number) {
    buffer_append_format(json, ",\"%s\":%llu", name, (unsigned long long)number);
}

static void write_text(struct buffer *json, const char *name, struct slice text) {
    buffer_append_format(json, ",\"%s\":", name);
    buffer_append_json(json, text);
}

static void write_listeners(struct buffer *json, const struct api_process *process) {
    buffer_append(json, process->tls ? S(",\"tls\":true") : S(",\"tls\":false"));
    buffer_append(json, S(",\"listen\":["));
    for (unsigned i = 0; i < process->listen_count; i++) {
        buffer_append(json, i == 0 ? S("") : S(","));
        buffer_append_json(json, process->listen[i]);
    }
    buffer_append_char(json, ']');
}

static void write_totals(struct buffer *json, const struct heartbeat_totals *totals) {
    buffer_append_format(
        json, ",\"totals\":{\"minted\":%llu,\"validated\":%llu,\"refused\":%llu,\"answered\":%llu}",
        (unsigned long long)totals->minted, (unsigned long long)totals->validated,
        (unsigned long long)totals->refused, (unsigned long long)totals->answered);
}

static void write_rate(struct buffer *json, const char *name, const struct counter *tenths) {
    uint64_t rate = counter_read(tenths);
    buffer_append_format(json, "\"%s\":%llu.%llu", name, (unsigned long long)(rate / 10),
                         (unsigned long long)(rate % 10));
}

static void write_rates(struct buffer *json, const struct api_rates *rates) {
    buffer_append(json, S(",\"rates\":{"));
    write_rate(json, "minted", &rates->minted);
    buffer_append_char(json, ',');
    write_rate(json, "validated", &rates->validated);
    buffer_append_char(json, ',');
    write_rate(json, "refused", &rates->refused);
    buffer_append_char(json, ',');
    write_rate(json, "answered", &rates->answered);
    buffer_append_char(json, '}');
}

static unsigned notices_of(const struct api_process *process) {
    unsigned lately = api_redis_has_changed(process) ? 1u << API_NOTICE_REDIS_CHANGED : 0;
    return atomic_load(&process->notices) | lately;
}

static void write_notices(struct buffer *json, unsigned notices) {
    static const char *const names[] = {
#define X(id, name) name,
        API_NOTICES(X)
#undef X
    };
    bool is_first = true;
    buffer_append(json, S(",\"notices\":["));
    for (unsigned i = 0; i < API_NOTICE_COUNT; i++) {
        if ((notices >> i & 1) != 0) {
            buffer_append_format(json, "%s\"%s\"", is_first ? "" : ",", names[i]);
            is_first = false;
        }
    }
    buffer_append_char(json, ']');
}

static void write_skew(struct buffer *json) {
    int64_t skew_ms;
    if (clock_skew_ms(&skew_ms)) {
        buffer_append_format(json, ",\"clock_skew_ms\":%lld", (long long)skew_ms);
    }
}

void heartbeat_write(const struct api_process *process, uint64_t wall_ms, struct buffer *json) {
    struct heartbeat_totals totals = heartbeat_count(process);
    buffer_append(json, S("{\"version\":\"" MINTD_VERSION "\""));
    write_text(json, "commit", slice_of_string(process->commit));
    write_text(json, "run", slice_of_string(process->run));
    write_text(json, "host", slice_of_string(process->host));
    write_number(json, "pid", (uint64_t)getpid());
    write_number(json, "started", process->started_ms / 1000);
    write_number(json, "uptime", (clock_monotonic_ns() - process->started_ns) / SECOND_NS);
    write_number(json, "seen", wall_ms / 1000);
    buffer_append(json, atomic_load(&process->draining) ? S(",\"draining\":true")
                                                        : S(",\"draining\":false"));
    write_text(json, "issuer", process->issuer);
    write_listeners(json, process);
    write_number(json, "workers", process->worker_count);
    write_number(json, "links", sum(process, links_of));
    write_number(json, "caching", sum(process, caching_of));
    write_number(json, "connections", sum(process, connections_of));
    if (process->client != NULL) {
        write_text(json, "client", slice_of_string(process->client));
    }
    write_totals(json, &totals);
    write_rates(json, &process->rates);
    write_notices(json, notices_of(process));
    write_skew(json);
    buffer_append_char(json, '}');
}

struct slice heartbeat_key(const struct api_process *process, char *storage) {
    struct buffer key = buffer_of(storage, HEARTBEAT_KEY_MAX);
    buffer_append(&key, S(HEARTBEAT_RECORD));
    buffer_append(&key, slice_of_string(process->name));
    return buffer_slice(&key);
}
