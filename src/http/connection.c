/* Happy path: accepted, IDLE; requests come and go (receive.c, send.c); the client closes, CLOSING;
 * libuv gives the handle back, freed.
 *
 * Failure modes: whoever sees one calls connection_end() if what has been answered may still reach
 * the client, else connection_close(). If the endpoint has not responded by then, the connection
 * outlives its socket until it does. */
#include "http/connection.h"
#include "mintd/clock.h"
#include "mintd/flow.h"
#include "mintd/log.h"
#include "mintd/tls.h"
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const state_names[CONNECTION_STATE_COUNT] = {
#define X(state, name) name,
    CONNECTION_STATES(X)
#undef X
};

static const char *const reason_names[CLOSE_REASON_COUNT] = {
#define X(reason, name) name,
    CLOSE_REASONS(X)
#undef X
};

/* ---- state ---- */

#define TO(state) (1u << CONNECTION_##state)

static const unsigned edges[CONNECTION_STATE_COUNT] = {
    [CONNECTION_HANDSHAKE] = TO(IDLE) | TO(ENDING) | TO(CLOSING),
    [CONNECTION_IDLE] = TO(HEAD) | TO(ENDING) | TO(CLOSING),
    [CONNECTION_HEAD] = TO(HANDLING) | TO(ENDING) | TO(CLOSING),
    [CONNECTION_BODY] = TO(HANDLING) | TO(ENDING) | TO(CLOSING),
    [CONNECTION_HANDLING] = TO(IDLE) | TO(BODY) | TO(ENDING) | TO(CLOSING),
    [CONNECTION_ENDING] = TO(LINGERING) | TO(CLOSING),
    [CONNECTION_LINGERING] = TO(CLOSING),
    [CONNECTION_CLOSING] = 0,
};

void connection_start_deadline(struct connection *c) {
    static const enum wait waits[CONNECTION_STATE_COUNT] = {
        [CONNECTION_HANDSHAKE] = WAIT_HEAD,   [CONNECTION_IDLE] = WAIT_IDLE,
        [CONNECTION_HEAD] = WAIT_HEAD,        [CONNECTION_BODY] = WAIT_BODY,
        [CONNECTION_HANDLING] = WAIT_COUNT,   [CONNECTION_ENDING] = WAIT_COUNT,
        [CONNECTION_LINGERING] = WAIT_LINGER, [CONNECTION_CLOSING] = WAIT_COUNT,
    };
    enum wait wait = waits[c->state];
    if (wait == WAIT_COUNT) {
        deadline_stop(&c->deadline);
    } else {
        deadline_start(&c->deadline, &c->server->waits[wait], uv_now(c->server->loop));
    }
}

void connection_set_state(struct connection *c, enum connection_state to, const char *why) {
    assert((edges[c->state] & (1u << to)) != 0);
    log_debug("connection", LOG_NUMBER("connection", c->id),
              LOG_STRING("from", state_names[c->state]), LOG_STRING("to", state_names[to]),
              LOG_STRING("reason", why));
    c->state = to;
    connection_start_deadline(c);
}

/* ---- birth ---- */

/* TCP sockets inherit it from the one that listens, unix sockets do not. */
static void bound_unix_buffer(int fd) {
    const int size = SOCKET_SENDS;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

bool connection_open(struct http_server *server, int fd, const struct ip *peer,
                     struct bounds_place *place) {
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL || uv_poll_init(server->loop, &c->poll, fd) != 0) {
        free(c);
        close(fd);
        bounds_leave(server->options.bounds, place);
        return false;
    }
    c->server = server;
    c->place = *place;
    c->fd = fd;
    c->id = server->next_connection_id++;
    list_init(&c->dirty);
    deadline_init(&c->deadline);
    deadline_init(&c->write_deadline);
    c->peer = *peer;
    if (c->peer.size == 0) {
        bound_unix_buffer(fd);
    }
    bool is_secure = server->tls != NULL && c->peer.size != 0;
    c->state = is_secure ? CONNECTION_HANDSHAKE : CONNECTION_IDLE;
    list_append(&server->connections, &c->all);
    counter_set(&server->options.metrics->open, ++server->open_count);
    if (is_secure && !connection_secure(c)) {
        connection_close(c, CLOSE_NO_MEMORY);
        return true;
    }
    connection_start_deadline(c);
    connection_watch(c);
    return true;
}

/* ---- death ---- */

void connection_maybe_free(struct connection *c) {
    if (!c->handle_is_closed) {
        return; /* libuv has the handle */
    }
    if (c->exchange != NULL) {
        return; /* the endpoint has not responded */
    }
    struct http_server *server = c->server;
    link_remove(&c->all);
    free(c);
    server_maybe_end(server);
}

static void on_closed(uv_handle_t *handle) {
    struct connection *c = container_of((uv_poll_t *)handle, struct connection, poll);
    c->handle_is_closed = true;
    block_give(&c->server->blocks, c->input);
    block_give(&c->server->blocks, c->output);
    block_give(&c->server->blocks, c->writing);
    c->input = c->output = c->writing = NULL;
    tls_session_free(c->tls);
    c->tls = NULL;
    connection_maybe_free(c);
}

static void give_exchange(struct connection *c) {
    if (c->exchange != NULL) {
        exchange_give(c->server, c->exchange);
        c->exchange = NULL;
    }
}

void connection_close(struct connection *c, enum close_reason reason) {
    if (c->state == CONNECTION_CLOSING) {
        return;
    }
    if (c->state != CONNECTION_HANDLING) {
        give_exchange(c);
    }
    if (c->tls != NULL) {
        connection_say_goodbye(c);
    }
    link_remove(&c->dirty);
    deadline_stop(&c->write_deadline);
    counter_set(&c->server->options.metrics->open, --c->server->open_count);
    bounds_leave(c->server->options.bounds, &c->place);
    connection_set_state(c, CONNECTION_CLOSING, reason_names[reason]);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    close(c->fd); /* uv_close() has stopped polling it */
}

void connection_end(struct connection *c, enum close_reason reason) {
    if (c->state != CONNECTION_HANDLING) {
        give_exchange(c);
    }
    c->reason = reason;
    connection_set_state(c, CONNECTION_ENDING, reason_names[reason]);
    connection_mark_dirty(c);
}

/* RFC 9112 9.6: had we closed with input unread, the reset could overtake the answer. And of a
 * socket that is closed nobody would see whether the client takes what is left. */
static void start_lingering(struct connection *c) {
    bool waits_for_nothing = c->input_has_ended && !connection_has_untaken(c);
    if (waits_for_nothing || shutdown(c->fd, SHUT_WR) != 0) {
        connection_close(c, c->reason);
        return;
    }
    connection_set_state(c, CONNECTION_LINGERING, reason_names[c->reason]);
}

/* ---- answers ---- */

static void tell_answered(const struct http_server *server, struct http_exchange *x,
                          unsigned status) {
    const struct http_server_options *options = &server->options;
    options->handler->on_answered(options->context, x,
                                  &(struct http_answered){
                                      .method = x->request.method,
                                      .endpoint = x->endpoint,
                                      .status = status,
                                      .duration_us = (clock_monotonic_ns() - x->began_ns) / 1000,
                                      .client = x->client,
                                  });
}

static void answer(struct connection *c, const struct http_response *response,
                   enum close_reason reason) {
    struct http_server *server = c->server;
    struct http_exchange *x = c->exchange;
    assert(x != NULL && (c->state == CONNECTION_HANDLING || c->state == CONNECTION_CLOSING));
    enum http_status_index status = http_status_index_of(response->status);
    counter_add(&server->options.metrics->responses[x->endpoint][status], 1);
    if (x->endpoint != 0) { /* it was shown, so it has started */
        durations_note(&server->durations, x->started_ns,
                       &server->options.metrics->durations[x->endpoint]);
    }
    if (x->is_in_crowd) {
        lag_leave_crowd(&server->lag);
    }
    if (server->options.handler->on_answered != NULL) {
        tell_answered(server, x, response->status);
    }

    bool closes = !x->keeps_alive || x->body_is_unread || server->closes_answered;
    if (c->state != CONNECTION_CLOSING && !connection_put_answer(c, response, closes)) {
        connection_close(c, CLOSE_NO_MEMORY);
    }
    give_exchange(c);
    c->served++;
    if (c->state == CONNECTION_CLOSING) {
        connection_maybe_free(c);
    } else if (closes) {
        connection_end(c, reason);
    } else {
        connection_set_state(c, CONNECTION_IDLE, "answered");
        connection_mark_dirty(c);
    }
}

void connection_answer(struct connection *c, const struct http_response *response) {
    answer(c, response, CLOSE_ANSWERED);
}

void connection_refuse(struct connection *c, const char *data, struct refusal refusal) {
    char json[256];
    struct buffer body = buffer_of(json, sizeof json);
    buffer_append(&body, S("{\"error\":\"invalid_request\",\"error_description\":"));
    buffer_append_json(&body, slice_of_string(refusal.description));
    buffer_append(&body, S("}"));
    const struct http_header headers[] = {
        {S("Content-Type"), S("application/json")},
        {S("Cache-Control"), S("no-store")},
        {S("Pragma"), S("no-cache")},
    };
    const struct http_response response = {
        .status = refusal.status,
        .headers = headers,
        .header_count = sizeof headers / sizeof *headers,
        .body = buffer_slice(&body),
    };
    exchange_describe(c->exchange, data);
    c->exchange->keeps_alive = false;
    if (c->state != CONNECTION_HANDLING) {
        connection_set_state(c, CONNECTION_HANDLING, refusal.description);
    }
    answer(c, &response, CLOSE_REFUSED);
}

/* ---- turns of the loop ---- */

void connection_mark_dirty(struct connection *c) {
    server_note_turn(c->server);
    link_remove(&c->dirty);
    list_append(&c->server->dirty, &c->dirty);
}

void connection_flush(struct connection *c) {
    connection_serve_waiting(c);
    connection_send(c);
    if (c->state == CONNECTION_CLOSING) {
        return;
    }
    if (c->state == CONNECTION_ENDING && connection_unsent(c) == 0) {
        start_lingering(c);
    }
    connection_watch(c);
    if (connection_has_waiting(c)) {
        connection_mark_dirty(c);
    }
}
