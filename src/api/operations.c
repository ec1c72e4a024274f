/* operations.c: /healthz, /readyz: is it alive, can it serve. */
#include "api/api_internal.h"

#define HEARTBEAT_TTL_S 15u
#define KEY_MAX 128u
#define VALUE_MAX 4096u /* 8 addresses of 256 bytes, and some words */

void operations_health(struct api *api, struct http_exchange *x) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE};
    (void)api;
    http_respond(x, &(struct http_response){200, headers, 2, SLICE("{\"status\":\"alive\"}")});
}

struct readiness_call {
    struct api *api;
    struct store_operation heartbeat;
};

static void reply_ready(struct http_exchange *x) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE};
    http_respond(x, &(struct http_response){200, headers, 2, SLICE("{\"status\":\"ready\"}")});
}

static void reply_not_ready(struct http_exchange *x, struct slice reason) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE,
                                                 HEADER("Retry-After", SLICE("1"))};
    char storage[128];
    struct buffer body = buffer_of(storage, sizeof storage);
    buffer_append(&body, S("{\"status\":\"unavailable\",\"error\":\"temporarily_unavailable\","
                           "\"reason\":"));
    buffer_append_json(&body, reason);
    buffer_append_char(&body, '}');
    http_respond(x, &(struct http_response){503, headers, 3, buffer_slice(&body)});
}

static void finish_readiness(struct readiness_call *call) {
    struct http_exchange *x = http_exchange_of_scratch(call);
    if (call->heartbeat.answer == STORE_FOUND) {
        reply_ready(x);
    } else {
        reply_not_ready(x, slice_of_string(store_trouble_name(call->heartbeat.trouble)));
    }
}

static void on_heartbeat_written(struct store_operation *operation) {
    finish_readiness(container_of(operation, struct readiness_call, heartbeat));
}

static void write_heartbeat(const struct api *api, struct buffer *json) {
    const struct api_process *process = api->options.process;
    buffer_append(json, S("{\"version\":\"" MINTD_VERSION "\",\"started\":"));
    buffer_append_number(json, process->started_ms / 1000);
    buffer_append(json, S(",\"seen\":"));
    buffer_append_number(json, api->options.wall_ms() / 1000);
    buffer_append(json, process->tls ? S(",\"tls\":true") : S(",\"tls\":false"));
    buffer_append(json, S(",\"listen\":["));
    for (unsigned i = 0; i < process->listen_count; i++) {
        buffer_append(json, i == 0 ? S("") : S(","));
        buffer_append_json(json, process->listen[i]);
    }
    buffer_append(json, S("]}"));
}

/* Ready means that the store takes a write: it is tried, with the instance's heartbeat. A store
 * that is read-only, full or loading is not ready, though it answers. */
void operations_readiness(struct api *api, struct http_exchange *x) {
    struct readiness_call *call = http_scratch_of(x, sizeof *call);
    char key_storage[KEY_MAX], value_storage[VALUE_MAX];
    struct buffer key = buffer_of(key_storage, sizeof key_storage);
    struct buffer value = buffer_of(value_storage, sizeof value_storage);
    if (atomic_load(&api->options.process->draining)) {
        reply_not_ready(x, S("draining"));
        return;
    }
    if (atomic_load(&api->options.process->starting)) {
        enum store_trouble trouble = store_trouble_now(api->options.store);
        reply_not_ready(x, trouble == STORE_TROUBLE_NONE
                               ? S("starting")
                               : slice_of_string(store_trouble_name(trouble)));
        return;
    }
    buffer_append_format(&key, "instance:%s", api->options.process->name);
    write_heartbeat(api, &value);
    call->api = api;
    call->heartbeat.deadline_ns = 0;
    call->heartbeat.on_done = on_heartbeat_written;
    if (store_set(api->options.store, buffer_slice(&key), buffer_slice(&value), HEARTBEAT_TTL_S,
                  &call->heartbeat) == PROGRESS_DONE) {
        finish_readiness(call);
    }
}
