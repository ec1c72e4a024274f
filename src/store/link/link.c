/* The life of a link: states, loss and return. */
#include "store/link/link_internal.h"

#include "mintd/buffer.h"
#include "mintd/log.h"
#include <stdio.h>
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
    return link->speaks_resp3;
}

struct slice link_server_version(const struct redis_link *link) {
    return slice_of_string(link->server_version);
}

uint64_t link_heard_ms(const struct redis_link *link) {
    return link->heard_ms;
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

void link_use_tls(struct redis_link *link, struct tls_context *tls) {
    stream_use_tls(&link->stream, tls);
}

bool link_look_at_tls(const struct redis_link *link, struct tls_client_view *view) {
    return stream_look_at_tls(&link->stream, view);
}

void *link_context(const struct redis_link *link) {
    return link->context;
}

/* ---- new, close, free ---- */

static void set_name(struct redis_link *link, struct slice name) {
    size_t size = name.size < sizeof link->name ? name.size : sizeof link->name - 1;
    for (size_t i = 0; i < size; i++) {
        char c = name.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        link->name[i] = plain || c == '.' || c == '_' || c == '-' ? c : '-';
    }
}

static void forget_password(struct redis_link *link) {
    if (link->password != NULL) {
        explicit_bzero(link->password, link->password_size);
        free(link->password);
    }
}

bool link_set_password(struct redis_link *link, struct slice password) {
    char *copy = malloc(password.size + 1);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, password.data, password.size);
    copy[password.size] = '\0';
    forget_password(link);
    link->password = copy;
    link->password_size = password.size;
    return true;
}

struct redis_link *link_new(uv_loop_t *loop, const struct link_options *options) {
    struct redis_link *link = calloc(1, sizeof *link);
    if (link == NULL || !link_set_password(link, slice_of_string(options->url->password)) ||
        !traffic_init(link, options)) {
        if (link != NULL) {
            forget_password(link);
        }
        free(link);
        return NULL;
    }
    link->events = *options->events;
    link->context = options->context;
    link->url = *options->url;
    link->peer = options->peer;
    link->is_second = options->is_second;
    link->told = options->told;
    link->loop = loop;
    link->trouble = STORE_TROUBLE_DISCONNECTED;
    link->backoff_ms = LINK_BACKOFF_FIRST_MS;
    set_name(link, options->name);
    redis_url_describe(&link->url, link->address, sizeof link->address);
    stream_init(&link->stream, loop, &link_stream_events, link);
    if (options->tls != NULL) {
        stream_use_tls(&link->stream, tls_context_share(options->tls));
    }
    stream_set_tls_name(&link->stream, options->tls_name);
    return link;
}

static void on_timer(uv_timer_t *timer);

static void begin_attempt(struct redis_link *link) {
    uv_timer_start(&link->timer, on_timer, LINK_ATTEMPT_MS, 0);
    link_attempt(link);
}

void link_start(struct redis_link *link) {
    uv_timer_init(link->loop, &link->timer); /* none can fail */
    uv_timer_init(link->loop, &link->heart);
    uv_idle_init(link->loop, &link->sleepless);
    link->timer.data = link->heart.data = link->sleepless.data = link;
    link->handles = 3;
    stream_start(&link->stream);
    begin_attempt(link);
}

void link_hurry(struct redis_link *link) {
    if (link->state == LINK_DOWN && stream_is_idle(&link->stream)) {
        uv_timer_start(&link->timer, on_timer, 0, 0);
    }
}

bool link_seeks(const struct redis_link *link) {
    return link->seeks;
}

void link_connect_to(struct redis_link *link, const struct redis_endpoint *place) {
    link->seeks = false;
    if (place == NULL) {
        link_open(link);
        return;
    }
    link->url.topology = REDIS_STANDALONE; /* it is known now */
    link->url.port = place->port;
    snprintf(link->url.host, sizeof link->url.host, "%s", place->host);
    redis_url_describe(&link->url, link->address, sizeof link->address);
    link_open(link);
}

void link_connect_beside(struct redis_link *link, const struct redis_link *other) {
    link->seeks = false;
    link->url.topology = other->url.topology;
    link->url.is_unix = other->url.is_unix;
    link->url.port = other->url.port;
    memcpy(link->url.host, other->url.host, sizeof link->url.host);
    memcpy(link->address, other->address, sizeof link->address);
    link_open_at(link, stream_address(&other->stream));
}

void link_free(struct redis_link *link) {
    forget_password(link);
    traffic_fini(link);
    stream_fini(&link->stream);
    explicit_bzero(&link->url, sizeof link->url);
    free(link);
}

/* The reasons to live: the stream and the other handles. */
static void maybe_closed(struct redis_link *link) {
    if (link->state == LINK_CLOSED && stream_is_idle(&link->stream) && link->handles == 0) {
        link->on_closed(link->on_closed_context);
    }
}

static void on_handle_closed(uv_handle_t *handle) {
    struct redis_link *link = handle->data;
    link->handles--;
    maybe_closed(link);
}

void link_close(struct redis_link *link, void (*on_closed)(void *), void *context) {
    link->seeks = false;
    bool spoke = link->state == LINK_GREETING || link->state == LINK_UP;
    link->on_closed = on_closed;
    link->on_closed_context = context;
    link->trouble = STORE_TROUBLE_DISCONNECTED;
    link_set_state(link, LINK_CLOSED, "closed by its owner");
    if (spoke) {
        link->events.on_down(link->context);
    }
    stream_shut(&link->stream);
    uv_close((uv_handle_t *)&link->timer, on_handle_closed);
    uv_close((uv_handle_t *)&link->heart, on_handle_closed);
    uv_close((uv_handle_t *)&link->sleepless, on_handle_closed);
}

/* ---- loss and return ---- */

/* Spreads the instances that lost the same Redis; nothing secret hangs on it. */
static unsigned jitter(unsigned range) {
    uint64_t x = uv_hrtime() * 0x9e3779b97f4a7c15u;
    return (unsigned)((x >> 33) % (range + 1));
}

void link_retry_later(struct redis_link *link) {
    unsigned half = link->backoff_ms / 2;
    uv_timer_start(&link->timer, on_timer, half + jitter(half), 0);
    link->backoff_ms *= 2;
    if (link->backoff_ms > LINK_BACKOFF_LAST_MS) {
        link->backoff_ms = LINK_BACKOFF_LAST_MS;
    }
}

void link_take_idle(struct redis_link *link, bool had_socket) {
    if (had_socket) {
        traffic_end(link);
        if (link->state == LINK_DOWN) {
            link_retry_later(link);
        }
    }
    maybe_closed(link);
}

/* What the log says. */
struct words {
    const char *field, *connected, *back, *lost, *refuses, *useless;
};

static const struct words *words_of(const struct redis_link *link) {
    static const struct words redis = {
        "redis",
        "redis is connected",
        "redis is back",
        "redis is lost",
        "redis refuses us; check the user, its password and its rights",
        "redis cannot be used yet",
    };
    static const struct words sentinel = {
        "sentinel",
        "a sentinel is connected",
        "a sentinel is back",
        "a sentinel is lost",
        "a sentinel refuses us; check --redis-sentinel-user and its password",
        "a sentinel cannot be asked yet",
    };
    static const struct words second = {
        "redis",
        "redis is connected, for writes that wait for replicas",
        "redis is back, for writes that wait for replicas",
        "redis is lost, for writes that wait for replicas: they are 503",
        "redis refuses to wait for replicas: writes that wait are 503; check the user's rights",
        "redis cannot be asked to wait for replicas: writes that wait are 503",
    };
    return link->is_second ? &second : link->peer == LINK_TO_SENTINEL ? &sentinel : &redis;
}

/* Once when it is lost, once whenever the reason changes; not for each attempt. */
static void say_failure(struct redis_link *link, enum store_trouble trouble, const char *reason) {
    if (link->state != LINK_UP && strcmp(reason, link->reason) == 0) {
        return;
    }
    bool is_ours = trouble == STORE_TROUBLE_NOAUTH || trouble == STORE_TROUBLE_NOPERM;
    const struct words *words = words_of(link);
    const char *message = link->state == LINK_UP ? words->lost
                          : is_ours              ? words->refuses
                                                 : words->useless;
    log_line(is_ours ? LOG_ERROR : LOG_WARNING, message, LOG_STRING(words->field, link->address),
             LOG_STRING("trouble", store_trouble_name(trouble)), LOG_STRING("reason", reason),
             LOG_END);
    snprintf(link->reason, sizeof link->reason, "%s", reason);
}

static void go_down(struct redis_link *link, enum store_trouble trouble, const char *reason) {
    enum link_state before = link->state;
    link_set_state(link, LINK_DOWN, reason);
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
        say_failure(link, trouble, reason);
        go_down(link, trouble, link->reason);
    }
}

void link_leave(struct redis_link *link, const char *reason) {
    if (link->state != LINK_DOWN && link->state != LINK_CLOSED) {
        go_down(link, STORE_TROUBLE_DISCONNECTED, reason);
    }
}

void link_set_up(struct redis_link *link) {
    const struct words *words = words_of(link);
    link_set_state(link, LINK_UP, "greeted");
    link->up_ms = uv_now(link->loop);
    link->reason[0] = '\0';
    uv_timer_stop(&link->timer);
    heart_start(link);
    if (link->has_been_up) {
        log_info(words->back, LOG_STRING(words->field, link->address),
                 LOG_NUMBER("away_ms", link->up_ms - link->lost_ms));
    } else {
        log_info(words->connected, LOG_STRING(words->field, link->address));
    }
    link->has_been_up = true;
}

/* ---- the one timer ---- */

static void on_timer(uv_timer_t *timer) {
    struct redis_link *link = timer->data;
    switch (link->state) {
    case LINK_DOWN:
        begin_attempt(link);
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
