/* Whether the server of a link that is up is there still, and is the master still.
 *
 * Ticks are counted, not time: where this process itself stood still for long, that is one tick,
 * and what came in meanwhile is read before the next. */
#include "store/link/link_internal.h"

#define TICK_MS 250u
#define TICKS_UNTIL_LOST (LINK_SILENCE_MS / TICK_MS)

/* That it was answered is all: link_heard_ms() is of now. */
static void on_master(void *context) {
    (void)context;
}

static void on_other(void *context, enum store_trouble trouble, const char *reason) {
    link_fail(context, trouble, reason);
}

static const struct role_events role_events = {.on_master = on_master, .on_other = on_other};

/* A link that is busy with reads is asked too: a replica goes on answering these. */
static void beat(struct redis_link *link) {
    link->beat_ms = uv_now(link->loop);
    if (link->events.on_beat == NULL) {
        role_ask(&link->role, &role_events, link);
    } else {
        link->events.on_beat(link->context);
    }
}

static bool is_time_to_ask(const struct redis_link *link) {
    return !role_is_asked(&link->role) && uv_now(link->loop) - link->beat_ms >= LINK_ROLE_MS;
}

static void on_heart(uv_timer_t *timer) {
    struct redis_link *link = timer->data;
    unsigned silent_ticks = traffic_tick(&link->traffic);
    if (link_pending(link) != 0 && silent_ticks >= TICKS_UNTIL_LOST) {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, "it was silent for 2 s");
    } else if (is_time_to_ask(link)) {
        beat(link);
    }
}

void heart_start(struct redis_link *link) {
    link->beat_ms = uv_now(link->loop); /* the greeting has asked */
    uv_timer_start(&link->heart, on_heart, TICK_MS, TICK_MS);
}
