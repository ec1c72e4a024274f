/* Attempts to connect: when the next one begins, where it leads, and what the stream tells of it,
 * as states of the link. */
#include "store/link/link_internal.h"

#include <stdio.h>

/* ---- when ---- */

static void on_timer(uv_timer_t *timer);

/* Spreads the instances that lost the same Redis; nothing secret hangs on it. */
static unsigned jitter(unsigned range) {
    uint64_t x = uv_hrtime() * 0x9e3779b97f4a7c15u;
    return (unsigned)((x >> 33) % (range + 1));
}

void link_retry_later(struct redis_link *link) {
    unsigned half = link->backoff_ms / 2;
    uv_timer_start(&link->timer, on_timer, link->hurries ? 0 : half + jitter(half), 0);
    link->hurries = false;
    link->backoff_ms *= 2;
    if (link->backoff_ms > LINK_BACKOFF_LAST_MS) {
        link->backoff_ms = LINK_BACKOFF_LAST_MS;
    }
}

void link_hurry(struct redis_link *link) {
    if (link->state == LINK_DOWN && stream_is_idle(&link->stream)) {
        uv_timer_start(&link->timer, on_timer, 0, 0);
    } else if (link->state == LINK_DOWN) {
        link->hurries = true;
    }
}

/* ---- where ---- */

static uint64_t until_ms(const struct redis_link *link) {
    return uv_now(link->loop) + uv_timer_get_due_in(&link->timer);
}

static void open_stream(struct redis_link *link) {
    stream_open(&link->stream, &link->url, link->address_turn, until_ms(link));
}

static void attempt(struct redis_link *link) {
    if (!stream_is_idle(&link->stream)) { /* the resolver still works for one that was given up */
        link_retry_later(link);
        return;
    }
    link->hurries = false;
    if (link->events.on_attempt == NULL) {
        open_stream(link);
        return;
    }
    link_set_state(link, LINK_RESOLVING, "an attempt");
    link->seeks = true;
    link->events.on_attempt(link->context);
}

bool link_seeks(const struct redis_link *link) {
    return link->seeks;
}

void link_connect_to(struct redis_link *link, const struct redis_endpoint *place) {
    link->seeks = false;
    if (place == NULL) {
        open_stream(link);
        return;
    }
    link->url.topology = REDIS_STANDALONE; /* it is known now */
    link->url.port = place->port;
    snprintf(link->url.host, sizeof link->url.host, "%s", place->host);
    redis_url_describe(&link->url, link->address, sizeof link->address);
    open_stream(link);
}

void link_connect_beside(struct redis_link *link, const struct redis_link *other) {
    link->seeks = false;
    link->url.topology = other->url.topology;
    link->url.is_unix = other->url.is_unix;
    link->url.port = other->url.port;
    memcpy(link->url.host, other->url.host, sizeof link->url.host);
    memcpy(link->address, other->address, sizeof link->address);
    stream_open_at(&link->stream, &link->url, stream_address(&other->stream), until_ms(link));
}

void link_begin_attempt(struct redis_link *link) {
    uv_timer_start(&link->timer, on_timer, LINK_ATTEMPT_MS, 0);
    attempt(link);
}

/* ---- the one timer ---- */

static void on_timer(uv_timer_t *timer) {
    struct redis_link *link = timer->data;
    switch (link->state) {
    case LINK_DOWN:
        link_begin_attempt(link);
        break;
    case LINK_RESOLVING:
        if (link->seeks) {
            enum store_trouble trouble;
            const char *why = link->events.why_nowhere(link->context, &trouble);
            if (why == NULL) {
                link_leave(link, "nobody says where it leads");
            } else {
                link_fail(link, trouble, why);
            }
            break;
        }
        stream_give_up(&link->stream);
        break;
    case LINK_CONNECTING:
        stream_give_up(&link->stream);
        break;
    default:
        link_fail(link, STORE_TROUBLE_DISCONNECTED, "it did not answer within 2 s");
    }
}

/* ---- what the stream tells ---- */

static void on_resolving(void *context) {
    struct redis_link *link = context;
    if (link->state != LINK_RESOLVING) { /* it is already where the owner had to say where */
        link_set_state(link, LINK_RESOLVING, "an attempt");
    }
}

static void on_connecting(void *context) {
    link_set_state(context, LINK_CONNECTING, "an attempt");
}

static void on_connected(void *context) {
    struct redis_link *link = context;
    link->address_turn = link->stream.turn;
    if (!traffic_start(&link->traffic)) {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, "out of memory");
        return;
    }
    link_set_state(link, LINK_GREETING, "connected");
    greeting_start(&link->greeting);
}

static void on_end(void *context, enum store_trouble trouble, const char *reason) {
    struct redis_link *link = context;
    bool hung_up = trouble == STORE_TROUBLE_DISCONNECTED || trouble == STORE_TROUBLE_TLS_CUT;
    if (link->state == LINK_GREETING && hung_up) {
        greeting_hung_up(&link->greeting, trouble, reason);
    } else {
        link_fail(link, trouble, reason);
    }
}

static void on_bytes(void *context, struct slice bytes) {
    struct redis_link *link = context;
    if (link->state == LINK_GREETING) {
        greeting_heard(&link->greeting);
    }
    traffic_take(&link->traffic, bytes);
}

static void on_written(void *context, bool written) {
    struct redis_link *link = context;
    traffic_written(&link->traffic, written);
}

static void on_idle(void *context, bool had_socket) {
    link_take_idle(context, had_socket);
}

const struct stream_events link_stream_events = {
    .on_resolving = on_resolving,
    .on_connecting = on_connecting,
    .on_connected = on_connected,
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_written = on_written,
    .on_idle = on_idle,
};
