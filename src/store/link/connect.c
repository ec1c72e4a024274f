/* An attempt to connect: what the stream tells, as states of the link. */
#include "store/link/link_internal.h"

static void on_resolving(void *context) {
    struct redis_link *link = context;
    if (link->state != LINK_RESOLVING) { /* it is already where the owner had to say where */
        link_set_state(link, LINK_RESOLVING, "an attempt");
    }
}

static bool on_connecting(void *context) {
    struct redis_link *link = context;
    link_set_state(link, LINK_CONNECTING, "an attempt");
    if (!traffic_reset(link)) {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, "out of memory");
        return false;
    }
    return true;
}

static void on_connected(void *context) {
    struct redis_link *link = context;
    link->address_turn = link->stream.turn;
    link_set_state(link, LINK_GREETING, "connected");
    greeting_start(link);
}

static void on_end(void *context, enum store_trouble trouble, const char *reason) {
    struct redis_link *link = context;
    bool hung_up = trouble == STORE_TROUBLE_DISCONNECTED || trouble == STORE_TROUBLE_TLS_CUT;
    if (link->state == LINK_GREETING && hung_up) {
        greeting_hung_up(link, trouble, reason);
    } else {
        link_fail(link, trouble, reason);
    }
}

static void on_bytes(void *context, struct slice bytes) {
    traffic_take(context, bytes);
}

static void on_written(void *context, bool written) {
    traffic_written(context, written);
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

void link_attempt(struct redis_link *link) {
    if (!stream_is_idle(&link->stream)) { /* the resolver still works for one that was given up */
        link_retry_later(link);
        return;
    }
    if (link->events.on_attempt == NULL) {
        link_open(link);
        return;
    }
    link_set_state(link, LINK_RESOLVING, "an attempt");
    link->seeks = true;
    link->events.on_attempt(link->context);
}

static uint64_t until_ms(const struct redis_link *link) {
    return uv_now(link->loop) + uv_timer_get_due_in(&link->timer);
}

void link_open(struct redis_link *link) {
    stream_open(&link->stream, &link->url, link->address_turn, until_ms(link));
}

void link_open_at(struct redis_link *link, const union stream_address *address) {
    stream_open_at(&link->stream, &link->url, address, until_ms(link));
}
