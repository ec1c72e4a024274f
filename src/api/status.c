/* status.c: happy path: /status.json refreshes what is known of the instances, and answers when
 * that is done; where the store is away, at once, with what is known here. It waits no longer than
 * the store may take. */
#include "api/status.h"
#include "mintd/clock.h"
#include <stdlib.h>

#define TEXT_MAX (128u * 1024u)

struct status_call {
    struct status_call *next; /* that waits for the same refresh */
};

static void reply(struct status *status, struct http_exchange *x) {
    static const struct http_header headers[] = {
        HEADER_JSON, HEADER_NO_STORE, HEADER("X-Content-Type-Options", SLICE("nosniff")),
        HEADER("Cross-Origin-Resource-Policy", SLICE("same-origin"))};
    char *storage = malloc(TEXT_MAX);
    struct buffer json = buffer_of(storage, storage == NULL ? 0 : TEXT_MAX);
    if (storage != NULL) {
        status_write(status, &json);
    }
    if (storage == NULL || json.overflow) {
        reply_error(x, 503, S("temporarily_unavailable"), S("not enough memory"), NULL);
    } else {
        http_respond(x, &(struct http_response){200, headers, 4, buffer_slice(&json)});
    }
    free(storage);
}

static void on_refreshed(struct instances *instances) {
    struct status *status = container_of(instances, struct status, instances);
    struct status_call *call = status->waiting;
    status->waiting = NULL;
    while (call != NULL) {
        struct status_call *next = call->next; /* it is gone once it is responded to */
        reply(status, http_exchange_of_scratch(call));
        call = next;
    }
}

void operations_status(struct api *api, struct http_exchange *x) {
    struct status *status = api->status;
    if (instances_refresh(&status->instances) == PROGRESS_DONE) {
        reply(status, x);
        return;
    }
    struct status_call *call = http_scratch_of(x, sizeof *call, NULL);
    call->next = status->waiting;
    status->waiting = call;
}

void operations_status_page(struct api *api, struct http_exchange *x) {
    const struct http_header headers[] = {
        HEADER("Content-Type", SLICE("text/html; charset=utf-8")),
        HEADER_NO_STORE,
        HEADER("Content-Security-Policy", status_page_policy),
        HEADER("X-Content-Type-Options", SLICE("nosniff")),
        HEADER("Referrer-Policy", SLICE("no-referrer")),
    };
    (void)api;
    http_respond(x, &(struct http_response){200, headers, 5, status_page});
}

bool status_open(struct api *api) {
    if (api->options.paths != API_METRICS_ONLY) {
        return true;
    }
    struct status *status = calloc(1, sizeof *status);
    if (status == NULL) {
        return false;
    }
    status->api = api;
    history_init(&status->history, api->options.process, clock_monotonic_ns());
    instances_init(&status->instances, api->options.store, api->options.process->name,
                   api->options.wall_ms);
    status->instances.on_refreshed = on_refreshed;
    api->status = status;
    return true;
}

void status_close(struct api *api) {
    free(api->status);
}

void api_tick(struct api *api) {
    if (api->status != NULL) {
        history_tick(&api->status->history, store_trouble_now(api->options.store),
                     clock_monotonic_ns(), api->options.wall_ms());
    }
}
