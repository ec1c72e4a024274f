/* status_json.c: what /status.json says: docs/configuration.md. No secret is in it: it is made of
 * counters, words, names and addresses. */
#include "api/heartbeat_record.h"
#include "api/status.h"

/* ---- members ---- */

static void write_text(struct buffer *json, const char *name, struct slice text) {
    buffer_append_format(json, ",\"%s\":", name);
    buffer_append_json(json, text);
}

static void write_some_text(struct buffer *json, const char *name, const char *text) {
    if (*text != '\0') {
        write_text(json, name, slice_of_string(text));
    }
}

static void write_number(struct buffer *json, const char *name, uint64_t number) {
    buffer_append_format(json, ",\"%s\":%llu", name, (unsigned long long)number);
}

static void write_word(struct buffer *json, const char *name, enum store_trouble trouble) {
    if (trouble != STORE_TROUBLE_NONE) {
        write_text(json, name, slice_of_string(store_trouble_name(trouble)));
    }
}

/* ---- this instance, and Redis ---- */

static void write_self(const struct status *status, struct buffer *json) {
    const struct api *api = status->api;
    const struct api_process *process = api->options.process;
    struct slice reason = readiness_reason_against(api);
    if (slice_is_absent(reason) && !readiness_is_likely(api)) {
        reason = S("unwritable");
    }
    buffer_append_format(json, "{\"now\":%llu", (unsigned long long)api->options.wall_ms());
    write_text(json, "name", slice_of_string(process->name));
    write_text(json, "version", S(MINTD_VERSION));
    write_text(json, "issuer", process->issuer);
    buffer_append(json, slice_is_absent(reason) ? S(",\"ready\":true") : S(",\"ready\":false"));
    if (!slice_is_absent(reason)) {
        write_text(json, "reason", reason);
    }
}

struct node_list {
    struct buffer *json;
    bool has_some;
};

static void write_node(void *context, const struct store_node *node) {
    struct node_list *list = context;
    buffer_append(list->json, list->has_some ? S(",{") : S("{"));
    buffer_append(list->json, S("\"address\":"));
    buffer_append_json(list->json, node->address);
    if (node->role != NULL) {
        write_text(list->json, "role", slice_of_string(node->role));
    }
    buffer_append(list->json,
                  node->trouble == STORE_TROUBLE_NONE ? S(",\"up\":true") : S(",\"up\":false"));
    write_word(list->json, "trouble", node->trouble);
    if (node->slots != 0) {
        write_number(list->json, "slots", node->slots);
    }
    buffer_append_char(list->json, '}');
    list->has_some = true;
}

static void write_store(const struct status *status, struct buffer *json) {
    const struct store *store = status->api->options.store;
    struct node_list list = {.json = json};
    buffer_append(json, S(",\"redis\":{\"nodes\":["));
    const char *kind = store_look(store, write_node, &list);
    buffer_append_char(json, ']');
    write_text(json, "kind", slice_of_string(kind));
    write_word(json, "error", store_trouble_now(store));
    buffer_append_char(json, '}');
}

/* ---- instances ---- */

static void write_rates(struct buffer *json, const struct instance_view *view) {
    buffer_append_format(json,
                         ",\"rates\":{\"minted\":%.1f,\"validated\":%.1f,\"refused\":%.1f,"
                         "\"answered\":%.1f}",
                         view->minted, view->validated, view->refused, view->answered);
}

static void write_instance(struct buffer *json, const struct instance_view *view, uint64_t now_s,
                           bool is_self) {
    buffer_append(json, S("{\"name\":"));
    buffer_append_json(json, slice_of_string(view->name));
    buffer_append(json, is_self ? S(",\"self\":true") : S(",\"self\":false"));
    buffer_append(json, view->is_gone ? S(",\"gone\":true") : S(",\"gone\":false"));
    buffer_append(json, view->is_draining ? S(",\"draining\":true") : S(",\"draining\":false"));
    write_some_text(json, "version", view->version);
    write_some_text(json, "commit", view->commit);
    write_some_text(json, "host", view->host);
    write_some_text(json, "notices", view->notices);
    write_number(json, "uptime", view->uptime);
    write_number(json, "seen", view->seen);
    write_number(json, "age", now_s > view->seen ? now_s - view->seen : 0);
    write_number(json, "workers", view->workers);
    write_number(json, "links", view->links);
    write_number(json, "caching", view->caching);
    write_number(json, "connections", view->connections);
    write_rates(json, view);
    buffer_append_char(json, '}');
}

/* Of this one nothing has to be read. */
static void write_own_instance(const struct status *status, struct buffer *json, uint64_t now_ms) {
    char storage[HEARTBEAT_TEXT_MAX];
    struct buffer record = buffer_of(storage, sizeof storage);
    struct instance_view view = {.was_seen = false};
    heartbeat_write(status->api->options.process, now_ms, &record);
    instance_view_read(&view, buffer_slice(&record));
    struct buffer name = buffer_of(view.name, INSTANCES_NAME_MAX);
    buffer_append(&name, slice_of_string(status->api->options.process->name));
    write_instance(json, &view, now_ms / 1000, true);
}

static void write_instances(const struct status *status, struct buffer *json) {
    const struct instances *all = &status->instances;
    uint64_t now_ms = status->api->options.wall_ms();
    buffer_append(json, S(",\"instances\":{\"list\":["));
    write_own_instance(status, json, now_ms);
    for (unsigned i = 0; i < all->count; i++) {
        if (all->views[i].was_seen) {
            buffer_append_char(json, ',');
            write_instance(json, &all->views[i], now_ms / 1000, false);
        }
    }
    buffer_append(json, all->has_more ? S("],\"more\":true") : S("],\"more\":false"));
    write_number(json, "read", all->read_ms);
    enum store_trouble now = store_trouble_now(status->api->options.store);
    write_word(json, "error", now != STORE_TROUBLE_NONE ? now : all->trouble);
    buffer_append_char(json, '}');
}

/* ---- what was ---- */

static void begin_list(struct buffer *json, const char *name) {
    buffer_append_format(json, ",\"%s\":[", name);
}

static void write_tenths(struct buffer *json, const struct counter *rate) {
    uint64_t tenths = counter_read(rate);
    buffer_append_format(json, "%llu.%llu", (unsigned long long)(tenths / 10),
                         (unsigned long long)(tenths % 10));
}

#define RATES(X) X(minted) X(validated) X(refused) X(answered)
#define DURATIONS(X) X("p50_ms", half_us) X("p99_ms", most_us) X("redis_p99_ms", store_most_us)

static void write_history(const struct history *history, struct buffer *json) {
    buffer_append_format(json, ",\"history\":{\"every\":%u", HISTORY_SAMPLE_S);
    begin_list(json, "at");
    for (unsigned i = 0; i < history->sample_count; i++) {
        buffer_append_format(json, "%s%llu", i == 0 ? "" : ",",
                             (unsigned long long)history_sample(history, i)->at_ms);
    }
#define X(rate)                                                                                    \
    buffer_append_char(json, ']');                                                                 \
    begin_list(json, #rate);                                                                       \
    for (unsigned i = 0; i < history->sample_count; i++) {                                         \
        buffer_append(json, i == 0 ? S("") : S(","));                                              \
        write_tenths(json, &history_sample(history, i)->rates.rate);                               \
    }
    RATES(X)
#undef X
#define X(name, member)                                                                            \
    buffer_append_char(json, ']');                                                                 \
    begin_list(json, name);                                                                        \
    for (unsigned i = 0; i < history->sample_count; i++) {                                         \
        buffer_append_format(json, "%s%.3f", i == 0 ? "" : ",",                                    \
                             history_sample(history, i)->member / 1000.0);                         \
    }
    DURATIONS(X)
#undef X
    buffer_append(json, S("]}"));
}

/* The last one first. */
static void write_troubles(const struct history *history, struct buffer *json) {
    begin_list(json, "troubles");
    for (unsigned i = history->trouble_count; i != 0; i--) {
        const struct history_trouble *trouble = &history->troubles[i - 1];
        buffer_append_format(json, "%s{\"first\":%llu", i == history->trouble_count ? "" : ",",
                             (unsigned long long)trouble->first_ms);
        write_number(json, "last", trouble->last_ms);
        write_word(json, "reason", trouble->what);
        write_number(json, "operations", trouble->operations);
        buffer_append_char(json, '}');
    }
    buffer_append_char(json, ']');
}

void status_write(struct status *status, struct buffer *json) {
    write_self(status, json);
    write_store(status, json);
    write_instances(status, json);
    write_history(&status->history, json);
    write_troubles(&status->history, json);
    buffer_append_char(json, '}');
}
