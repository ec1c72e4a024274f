/* readiness.c: /readyz: can it serve.
 *
 * Ready means that the store takes a write: it is tried, with the instance's heartbeat. A store
 * that is read-only, full or loading is not ready, though it answers. With --readiness serving an
 * instance that was ready once stays ready until it drains: it refuses in its own words what it
 * cannot serve, where a balancer without instances has none. But whoever asks often must
 * not make Redis write often: one probe answers all who ask while it is under way, and for some
 * time after; a no for less time than a yes, so that who waits for the store hears of it soon. That
 * there is no link needs no probe. */
#include "api/api_internal.h"
#include "api/heartbeat_record.h"
#include "mintd/clock.h"

#define YES_FOR_NS 1000000000ull
#define NO_FOR_NS 200000000ull
#define BODY_MAX 512u
#define AWAY_MAX 300u

struct readiness_call {
    struct readiness_call *next; /* that waits for the same probe */
};

/* For people: neither a reason to be ready nor not to be. */
static void write_warning(const struct api *api, struct slice trouble, struct buffer *body) {
    const struct api_process *process = api->options.process;
    char storage[AWAY_MAX];
    struct buffer away = buffer_of(storage, sizeof storage);
    store_write_away(api->options.store, &away);
    if (!slice_is_absent(trouble)) {
        buffer_append(body, S(",\"warning\":\"what needs redis is answered 503: "));
        buffer_append(body, trouble); /* a word of ours */
        buffer_append_char(body, '"');
    } else if (away.size != 0) {
        buffer_append(&away, S(": what it has is answered 503"));
        buffer_append(body, S(",\"warning\":"));
        buffer_append_json(body, buffer_slice(&away));
    } else if (api_redis_has_changed(process)) {
        buffer_append(body, S(",\"warning\":\"redis was emptied, or is another one than before\""));
    } else if ((atomic_load(&process->notices) & 1u << API_NOTICE_REDIS_UNCHECKED) != 0) {
        buffer_append(body, S(",\"warning\":\"nothing checks that redis is the one that is meant: "
                              "--redis-tls-insecure\""));
    }
}

/* trouble: what is wrong with the store; absent: nothing. */
static void reply_ready(const struct api *api, struct http_exchange *x, struct slice trouble) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE};
    char storage[BODY_MAX];
    struct buffer body = buffer_of(storage, sizeof storage);
    atomic_store(&api->options.process->was_ready, true);
    buffer_append(&body, S("{\"status\":\"ready\""));
    write_warning(api, trouble, &body);
    buffer_append_char(&body, '}');
    http_respond(x, &(struct http_response){200, headers, 2, buffer_slice(&body)});
}

static void reply_not_ready(const struct api *api, struct http_exchange *x, struct slice reason) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE,
                                                 HEADER("Retry-After", SLICE("1"))};
    char storage[BODY_MAX];
    struct buffer body = buffer_of(storage, sizeof storage);
    buffer_append(&body, S("{\"status\":\"unavailable\",\"error\":\"temporarily_unavailable\","
                           "\"reason\":"));
    buffer_append_json(&body, reason);
    write_warning(api, SLICE_ABSENT, &body);
    buffer_append_char(&body, '}');
    http_respond(x, &(struct http_response){503, headers, 3, buffer_slice(&body)});
}

static bool stays_ready(const struct api *api) {
    const struct api_process *process = api->options.process;
    return process->stays_ready && atomic_load(&process->was_ready) &&
           !atomic_load(&process->draining);
}

static void reply_not_served(const struct api *api, struct http_exchange *x, struct slice reason) {
    if (stays_ready(api)) {
        reply_ready(api, x, reason);
    } else {
        reply_not_ready(api, x, reason);
    }
}

/* The node that the heartbeat is written to may be the one that is away. */
static bool is_of_one_node(struct store *store, const struct store_operation *probe) {
    return probe->trouble == STORE_TROUBLE_DISCONNECTED &&
           store_trouble_now(store) == STORE_TROUBLE_NONE;
}

static bool speaks_for_it(struct store *store, const struct store_operation *probe) {
    return probe->answer == STORE_FOUND || is_of_one_node(store, probe);
}

void readiness_note_write(struct api_process *process, struct store *store,
                          const struct store_operation *write) {
    atomic_store(&process->is_unwritable, !speaks_for_it(store, write));
}

static void reply(const struct api *api, struct http_exchange *x) {
    const struct store_operation *probe = &api->readiness.probe;
    if (speaks_for_it(api->options.store, probe)) {
        reply_ready(api, x, SLICE_ABSENT);
    } else {
        reply_not_served(api, x, slice_of_string(store_trouble_name(probe->trouble)));
    }
}

static void on_probed(struct store_operation *probe) {
    struct api *api = container_of(probe, struct api, readiness.probe);
    struct readiness *readiness = &api->readiness;
    struct readiness_call *call = readiness->waiting;
    readiness_note_write(api->options.process, api->options.store, probe);
    readiness->waiting = NULL;
    readiness->is_open = false;
    while (call != NULL) {
        struct readiness_call *next = call->next; /* it is gone once it is responded to */
        reply(api, http_exchange_of_scratch(call));
        call = next;
    }
}

static bool is_recent(const struct readiness *readiness) {
    uint64_t good_for_ns = readiness->probe.answer == STORE_FOUND ? YES_FOR_NS : NO_FOR_NS;
    return readiness->probed_ns != 0 && clock_monotonic_ns() - readiness->probed_ns < good_for_ns;
}

static enum progress probe(struct api *api) {
    struct readiness *readiness = &api->readiness;
    char key_storage[HEARTBEAT_KEY_MAX], storage[HEARTBEAT_TEXT_MAX];
    struct buffer json = buffer_of(storage, sizeof storage);
    heartbeat_write(api->options.process, api->options.wall_ms(), &json);
    readiness->probed_ns = clock_monotonic_ns();
    readiness->probe.deadline_ns = 0;
    readiness->probe.on_done = on_probed;
    enum progress progress =
        store_set(api->options.store, heartbeat_key(api->options.process, key_storage),
                  buffer_slice(&json), HEARTBEAT_TTL_S, &readiness->probe);
    readiness->is_open = progress == PROGRESS_PENDING;
    if (progress == PROGRESS_DONE) {
        readiness_note_write(api->options.process, api->options.store, &readiness->probe);
    }
    return progress;
}

/* What is known without a probe: absent where nothing speaks against it. */
static struct slice reason_against(const struct api *api) {
    const struct api_process *process = api->options.process;
    enum store_trouble trouble = store_trouble_now(api->options.store);
    if (atomic_load(&process->draining)) {
        return S("draining");
    }
    if (trouble != STORE_TROUBLE_NONE) {
        return slice_of_string(store_trouble_name(trouble));
    }
    bool is_starting = atomic_load(&process->starting) || atomic_load(&process->to_listen) != 0;
    return is_starting ? S("starting") : SLICE_ABSENT;
}

bool readiness_is_likely(const struct api *api) {
    bool is_writable = !atomic_load(&api->options.process->is_unwritable);
    return stays_ready(api) || (slice_is_absent(reason_against(api)) && is_writable);
}

struct slice readiness_reason_against(const struct api *api) {
    return reason_against(api);
}

void operations_readiness(struct api *api, struct http_exchange *x) {
    struct readiness *readiness = &api->readiness;
    struct slice reason = reason_against(api);
    if (!slice_is_absent(reason)) {
        reply_not_served(api, x, reason);
        return;
    }
    if (!readiness->is_open && (is_recent(readiness) || probe(api) == PROGRESS_DONE)) {
        reply(api, x);
        return;
    }
    struct readiness_call *call = http_scratch_of(x, sizeof *call, NULL);
    call->next = readiness->waiting;
    readiness->waiting = call;
}
