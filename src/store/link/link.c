/* The life of a link: states, loss and return. */
#include "store/link/link_internal.h"

#include "mintd/log.h"
#include <stdlib.h>

#define STEADY_MS 1000u /* up for so long: the back-off begins anew */

/* ---- state ---- */

const char *link_state_name(enum link_state state) {
    static const char *const names[] = {
        [LINK_DOWN] = "down",
        [LINK_RESOLVING] = "resolving",
        [LINK_CONNECTING] = "connecting",
        [LINK_GREETING] = "greeting",
        [LINK_UP] = "up",
        [LINK_CLOSED] = "closed",
    };
    return names[state];
}

static bool edge_is_legal(enum link_state from, enum link_state to) {
#define TO(state) (1u << (state))
    static const unsigned edges[] = {
        [LINK_DOWN] = TO(LINK_RESOLVING) | TO(LINK_CONNECTING) | TO(LINK_CLOSED),
        [LINK_RESOLVING] = TO(LINK_CONNECTING) | TO(LINK_DOWN) | TO(LINK_CLOSED),
        [LINK_CONNECTING] = TO(LINK_GREETING) | TO(LINK_DOWN) | TO(LINK_CLOSED),
        [LINK_GREETING] = TO(LINK_UP) | TO(LINK_DOWN) | TO(LINK_CLOSED),
        [LINK_UP] = TO(LINK_DOWN) | TO(LINK_CLOSED),
        [LINK_CLOSED] = 0,
    };
    return (edges[from] & TO(to)) != 0;
#undef TO
}

void link_set_state(struct redis_link *link, enum link_state state, const char *reason) {
    if (!edge_is_legal(link->state, state)) {
        abort();
    }
    log_debug("redis link", LOG_STRING("redis", link->address),
              LOG_STRING("from", link_state_name(link->state)),
              LOG_STRING("to", link_state_name(state)), LOG_STRING("reason", reason));
    link->state = state;
}

enum link_state link_state(const struct redis_link *link) {
    return link->state;
}

enum store_trouble link_trouble(const struct redis_link *link) {
    return link->state == LINK_UP ? STORE_TROUBLE_NONE : link->trouble;
}

bool link_takes_pushes(const struct redis_link *link) {
    return link->greeting.speaks_resp3;
}

struct slice link_server_version(const struct redis_link *link) {
    return slice_of_string(link->greeting.server_version);
}

const char *link_address(const struct redis_link *link) {
    return link->address;
}

const char *link_host(const struct redis_link *link) {
    return link->url.host;
}

const char *link_reason(const struct redis_link *link) {
    return link->reason;
}

void link_set_tls_name(struct redis_link *link, struct slice name) {
    stream_set_tls_name(&link->stream, name);
}

void link_use_tls(struct redis_link *link, struct tls_context *tls) {
    stream_use_tls(&link->stream, tls);
}

bool link_look_at_tls(const struct redis_link *link, struct tls_client_view *view) {
    return stream_look_at_tls(&link->stream, view);
}

void *link_context(const struct redis_link *link) {
    return link->context;
}

/* ---- loss and return ---- */

static void go_down(struct redis_link *link, enum store_trouble trouble, const char *reason) {
    enum link_state before = link->state;
    link_set_state(link, LINK_DOWN, reason);
    traffic_stop(&link->traffic);
    link->seeks = false;
    link->trouble = trouble;
    uv_timer_stop(&link->timer);
    uv_timer_stop(&link->heart);
    if (before == LINK_UP) {
        link->lost_ms = uv_now(link->loop);
        if (link->lost_ms - link->up_ms >= STEADY_MS) {
            link->backoff_ms = LINK_BACKOFF_FIRST_MS;
        }
    } else {
        link->address_turn++;
    }
    if (before == LINK_UP || before == LINK_GREETING) {
        link->events.on_down(link->context);
    }
    bool had_socket = link->stream.is_open;
    stream_close(&link->stream);
    if (!had_socket) {
        link_retry_later(link);
    }
}

void link_fail(struct redis_link *link, enum store_trouble trouble, const char *reason) {
    if (link->state != LINK_DOWN && link->state != LINK_CLOSED) {
        link_say_failure(link, trouble, reason);
        go_down(link, trouble, link->reason);
    }
}

void link_leave(struct redis_link *link, const char *reason) {
    if (link->state != LINK_DOWN && link->state != LINK_CLOSED) {
        go_down(link, STORE_TROUBLE_DISCONNECTED, reason);
    }
}

void link_set_up(struct redis_link *link) {
    link_set_state(link, LINK_UP, "greeted");
    link->up_ms = uv_now(link->loop);
    link->reason[0] = '\0';
    uv_timer_stop(&link->timer);
    traffic_set_up(&link->traffic);
    heart_start(link);
    link_say_up(link);
    link->has_been_up = true;
}

/* ---- what the parts report ---- */

/* The reasons to live: the stream and the other parts. */
static void maybe_closed(struct redis_link *link) {
    if (link->state == LINK_CLOSED && stream_is_idle(&link->stream) && link->open_parts == 0) {
        link->on_closed(link->on_closed_context);
    }
}

static void on_lost(void *context, enum store_trouble trouble, const char *reason) {
    link_fail(context, trouble, reason);
}

static void on_push(void *context, const struct reply *push) {
    struct redis_link *link = context;
    if (link->events.on_push != NULL) {
        link->events.on_push(link->context, push);
    }
}

static void on_part_closed(void *context) {
    struct redis_link *link = context;
    link->open_parts--;
    maybe_closed(link);
}

static const struct traffic_events traffic_events = {
    .on_lost = on_lost,
    .on_push = on_push,
    .on_closed = on_part_closed,
};

static void on_greeted(void *context) {
    struct redis_link *link = context;
    link->events.on_greeting(link->context);
}

static void on_again(void *context, const char *reason) {
    link_leave(context, reason);
}

static void on_refused(void *context, const char *why) {
    struct redis_link *link = context;
    if (link->events.on_refused != NULL) {
        link->events.on_refused(link->context, why);
    }
}

static const struct greeting_events greeting_events = {
    .on_greeted = on_greeted,
    .on_failed = on_lost,
    .on_again = on_again,
    .on_refused = on_refused,
};

void link_take_idle(struct redis_link *link, bool had_socket) {
    if (had_socket) {
        traffic_drop(&link->traffic);
        if (link->state == LINK_DOWN) {
            link_retry_later(link);
        }
    }
    maybe_closed(link);
}

/* ---- new, close, free ---- */

/* False: no memory. */
static bool make_parts(struct redis_link *link, const struct link_options *options) {
    const struct traffic_options traffic = {
        .pending_max = options->pending_max != 0 ? options->pending_max : LINK_PENDING_DEFAULT,
        .reply_nodes_max =
            options->reply_nodes_max != 0 ? options->reply_nodes_max : LINK_REPLY_NODES,
        .reply_text_max = options->reply_text_max != 0 ? options->reply_text_max : LINK_REPLY_TEXT,
        .keeps_commands = options->keeps_commands,
        .events = &traffic_events,
        .context = link,
    };
    const struct greeting_options greeting = {
        .url = &link->url,
        .address = link->address,
        .name = options->name,
        .told = options->told,
        .is_quiet = options->peer == LINK_TO_SENTINEL,
        .events = &greeting_events,
        .context = link,
    };
    stream_init(&link->stream, link->loop, options->input, LINK_INPUT_SIZE, &link_stream_events,
                link);
    role_init(&link->role, &link->traffic, options->peer != LINK_TO_MASTER);
    if (!traffic_init(&link->traffic, link->loop, &link->stream, &traffic)) {
        return false;
    }
    if (!greeting_init(&link->greeting, &link->traffic, &link->role, &greeting)) {
        traffic_fini(&link->traffic);
        return false;
    }
    return true;
}

struct redis_link *link_new(uv_loop_t *loop, const struct link_options *options) {
    struct redis_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return NULL;
    }
    link->url = *options->url;
    link->loop = loop;
    if (!make_parts(link, options)) {
        explicit_bzero(&link->url, sizeof link->url);
        free(link);
        return NULL;
    }
    link->events = *options->events;
    link->context = options->context;
    link->peer = options->peer;
    link->is_second = options->is_second;
    link->trouble = STORE_TROUBLE_DISCONNECTED;
    link->backoff_ms = LINK_BACKOFF_FIRST_MS;
    redis_url_describe(&link->url, link->address, sizeof link->address);
    if (options->tls != NULL) {
        stream_use_tls(&link->stream, tls_context_share(options->tls));
    }
    stream_set_tls_name(&link->stream, options->tls_name);
    return link;
}

void link_start(struct redis_link *link) {
    uv_timer_init(link->loop, &link->timer); /* neither can fail */
    uv_timer_init(link->loop, &link->heart);
    link->timer.data = link->heart.data = link;
    traffic_open(&link->traffic);
    link->open_parts = 3;
    stream_start(&link->stream);
    link_begin_attempt(link);
}

void link_free(struct redis_link *link) {
    greeting_fini(&link->greeting);
    traffic_fini(&link->traffic);
    stream_fini(&link->stream);
    explicit_bzero(&link->url, sizeof link->url);
    free(link);
}

static void on_timer_closed(uv_handle_t *timer) {
    on_part_closed(timer->data);
}

void link_close(struct redis_link *link, void (*on_closed)(void *), void *context) {
    link->seeks = false;
    bool spoke = link->state == LINK_GREETING || link->state == LINK_UP;
    link->on_closed = on_closed;
    link->on_closed_context = context;
    link->trouble = STORE_TROUBLE_DISCONNECTED;
    link_set_state(link, LINK_CLOSED, "closed by its owner");
    traffic_stop(&link->traffic);
    if (spoke) {
        link->events.on_down(link->context);
    }
    traffic_close(&link->traffic);
    stream_shut(&link->stream);
    uv_close((uv_handle_t *)&link->timer, on_timer_closed);
    uv_close((uv_handle_t *)&link->heart, on_timer_closed);
}

/* ---- commands ---- */

unsigned link_pending(const struct redis_link *link) {
    return traffic_pending(&link->traffic);
}

uint64_t link_heard_ms(const struct redis_link *link) {
    return link->traffic.heard_ms;
}

struct output *link_begin(struct redis_link *link) {
    return traffic_begin(&link->traffic);
}

bool link_end(struct redis_link *link, const struct link_handler *handler, unsigned *slot) {
    return traffic_end(&link->traffic, handler, slot);
}

void link_hand_over(struct redis_link *link, unsigned slot,
                    void (*on_reply)(void *context, const struct link_result *result),
                    void *context) {
    traffic_hand_over(&link->traffic, slot, on_reply, context);
}

bool link_flush(struct redis_link *link, bool more_may_come) {
    return traffic_flush(&link->traffic, more_may_come);
}

bool link_set_password(struct redis_link *link, struct slice password) {
    return greeting_set_password(&link->greeting, password);
}

void link_authenticate(struct redis_link *link) {
    greeting_authenticate(&link->greeting);
}
