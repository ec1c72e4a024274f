/* The way in: bytes become requests, requests go to the handler.
 *
 * Happy path: receive_some() has a whole request in the server's read buffer; serve() parses it
 * there, and the handler answers on the spot or later. Nothing is copied.
 *
 * Failure modes: a request is cut, or must wait until the one before it is answered: what has come
 * is copied into the connection's input block. A request is refused: what follows is thrown away.
 */
#include "http/connection.h"

#include "mintd/clock.h"
#include "mintd/flow.h"
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

/* A request that is cut keeps at most this much (parser.h); of those that wait we read no more. */
#define INPUT_MAX (HTTP_MAX_HEAD + HTTP_MAX_BODY)
#define OUTPUT_MAX (64u * 1024u)            /* with more unsent, no further request is begun */
#define TURN_MS 10u                         /* a longer turn is broken up */
#define THROW_AWAY_MAX (2u * 1024u * 1024u) /* of input behind the last answer */

/* Input that nobody has taken yet, from the first byte of a request on. */
struct bytes {
    char *data;
    size_t size;
};

/* ---- serving ---- */

static bool may_serve(const struct connection *c) {
    if (c->state == CONNECTION_IDLE) {
        return connection_unsent(c) < OUTPUT_MAX;
    }
    return c->state == CONNECTION_HEAD || c->state == CONNECTION_BODY;
}

static bool begin_request(struct connection *c) {
    c->exchange = exchange_take(c->server, c);
    if (c->exchange == NULL) {
        connection_close(c, CLOSE_NO_MEMORY);
        return false;
    }
    if (c->server->options.handler->on_answered != NULL) {
        c->exchange->began_ns = clock_monotonic_ns();
    }
    connection_set_state(c, CONNECTION_HEAD, "first byte");
    return true;
}

/* Shows the endpoint the head; false where it has taken the exchange. */
static bool show_head(struct connection *c, const char *data) {
    const struct http_server_options *options = &c->server->options;
    struct http_exchange *x = c->exchange;
    exchange_describe(x, data);
    x->head_was_shown = true;
    x->started_ns = durations_now(&c->server->durations);
    /* Until the endpoint asks for the body: should it answer now, the body stays unread. */
    x->body_is_unread = x->request.announces_body;
    connection_set_state(c, CONNECTION_HANDLING, "head is in");
    if (options->handler->on_head(options->context, x) == HTTP_TAKEN) {
        return false;
    }
    assert(c->exchange == x);
    x->body_is_unread = false;
    return true;
}

/* The request's bytes go as soon as the handler returns. If the endpoint has not responded, its
 * exchange must not show them any more. */
static void after_handler(struct connection *c) {
    if (c->exchange != NULL) {
        c->exchange->is_in_crowd = true;
        lag_enter_crowd(&c->server->lag);
        exchange_forget_request(c->exchange);
    }
}

static void serve_head(struct connection *c, struct bytes *in) {
    if (show_head(c, in->data)) {
        if (c->state == CONNECTION_CLOSING) { /* closed by the handler, that wanted to go on */
            exchange_give(c->server, c->exchange);
            c->exchange = NULL;
            return;
        }
        connection_set_state(c, CONNECTION_BODY, "endpoint reads the body");
        return;
    }
    after_handler(c);
    in->size = 0; /* the beginning of a body that nobody wants */
}

static void serve_request(struct connection *c, struct bytes *in) {
    const struct http_server_options *options = &c->server->options;
    size_t taken = parser_taken(c->exchange->parser);
    bool goes_on = true;
    if (c->exchange->head_was_shown) {
        exchange_describe(c->exchange, in->data);
        connection_set_state(c, CONNECTION_HANDLING, "body is in");
        c->exchange->started_ns = durations_now(&c->server->durations);
    } else {
        goes_on = show_head(c, in->data);
    }
    if (goes_on) {
        options->handler->on_request(options->context, c->exchange);
    }
    after_handler(c);
    in->data += taken;
    in->size -= taken;
}

static void wait_for_more(struct connection *c, struct bytes *in) {
    const struct parser *parser = c->exchange->parser;
    in->size = parser_taken(parser);
    if (c->state == CONNECTION_BODY && parser_awaits_continue(parser) &&
        !connection_put_continue(c)) {
        connection_close(c, CLOSE_NO_MEMORY);
    }
}

/* Takes requests out of *in until one is not whole, or has to be answered first. No recursion: an
 * endpoint that answers on the spot returns here. */
static void serve(struct connection *c, struct bytes *in) {
    while (in->size != 0 && may_serve(c)) {
        if (c->exchange == NULL && !begin_request(c)) {
            return;
        }
        switch (parser_run(c->exchange->parser, in->data, in->size)) {
        case PARSER_MORE:
            wait_for_more(c, in);
            return;
        case PARSER_HEAD:
            serve_head(c, in);
            break;
        case PARSER_DONE:
            serve_request(c, in);
            break;
        case PARSER_REFUSED:
            connection_refuse(c, in->data, parser_refusal(c->exchange->parser));
            break;
        }
    }
}

/* ---- the input block ---- */

static bool keeps_input(const struct connection *c) {
    return c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD ||
           c->state == CONNECTION_BODY || c->state == CONNECTION_HANDLING;
}

static void drop_input(struct connection *c) {
    block_give(&c->server->blocks, c->input);
    c->input = NULL;
}

static bool append_input(struct connection *c, const char *data, size_t size) {
    if (!block_reserve(&c->server->blocks, &c->input, size)) {
        connection_close(c, CLOSE_NO_MEMORY);
        return false;
    }
    memcpy(c->input->data + c->input->size, data, size);
    c->input->size += size;
    return true;
}

/* The client has shut its side: what is not whole by now never will be (and is not acted upon). */
static void end_if_input_has_ended(struct connection *c) {
    bool waits_for_input = c->state == CONNECTION_HANDSHAKE ||
                           (c->state == CONNECTION_IDLE && c->input == NULL) ||
                           c->state == CONNECTION_HEAD || c->state == CONNECTION_BODY;
    if (c->input_has_ended && waits_for_input) {
        connection_end(c, CLOSE_CLIENT_ENDED);
    }
}

bool connection_has_waiting(const struct connection *c) {
    return c->state == CONNECTION_IDLE && c->input != NULL && may_serve(c);
}

static void serve_input(struct connection *c) {
    struct bytes in = {c->input->data, c->input->size};
    serve(c, &in);
    if (in.size == 0 || !keeps_input(c)) {
        drop_input(c);
    } else {
        block_keep(c->input, (size_t)(in.data - c->input->data), in.size);
    }
}

void connection_serve_waiting(struct connection *c) {
    if (connection_has_waiting(c)) {
        serve_input(c);
    }
    if (c->input != NULL && !keeps_input(c)) {
        drop_input(c);
    }
    end_if_input_has_ended(c);
}

/* ---- reading ---- */

static void throw_away(struct connection *c, size_t size) {
    c->thrown_away += size;
    if (c->thrown_away > THROW_AWAY_MAX) {
        connection_close(c, c->reason);
    }
}

void connection_receive(struct connection *c, char *data, size_t size) {
    if (c->state == CONNECTION_ENDING || c->state == CONNECTION_LINGERING) {
        throw_away(c, size);
        return;
    }
    if (c->input != NULL || !may_serve(c)) {
        if (append_input(c, data, size) && may_serve(c)) {
            serve_input(c);
        }
        return;
    }
    struct bytes in = {data, size};
    serve(c, &in);
    if (in.size != 0 && keeps_input(c)) {
        append_input(c, in.data, in.size);
    }
}

void connection_end_input(struct connection *c) {
    c->input_has_ended = true;
    if (c->state == CONNECTION_LINGERING) {
        connection_close(c, c->reason);
        return;
    }
    end_if_input_has_ended(c);
}

static void receive_some(struct connection *c) {
    char *data = c->server->read_buffer;
    ssize_t count = recv(c->fd, data, READ_SIZE, MSG_DONTWAIT);
    if (count == 0) {
        connection_end_input(c);
    } else if (count > 0) {
        if (c->tls == NULL) {
            connection_receive(c, data, (size_t)count);
        } else {
            connection_receive_records(c, data, (size_t)count);
        }
        explicit_bzero(data, (size_t)count);
    } else if (errno != EAGAIN && errno != EINTR) {
        connection_close(c, CLOSE_CLIENT_LOST);
    }
}

/* ---- the socket ---- */

static bool wants_to_read(const struct connection *c) {
    if (c->input_has_ended) {
        return false;
    }
    switch (c->state) {
    case CONNECTION_IDLE:
        return c->input == NULL || c->input->size < INPUT_MAX;
    case CONNECTION_HANDLING:
        return !c->exchange->body_is_unread && (c->input == NULL || c->input->size < INPUT_MAX);
    default:
        return true;
    }
}

/* libuv looks again and again within a turn while a thousand connections are ready each time: what
 * the turn's end is there for must not wait for that. The time is that of libuv's last look. */
static void note_turn(struct http_server *server) {
    server_note_turn(server);
    if (uv_now(server->loop) - server->broken_up_ms > TURN_MS &&
        server->options.on_long_turn != NULL) {
        server->broken_up_ms = uv_now(server->loop);
        server->options.on_long_turn(server->options.turn_context);
    }
}

/* An error, with which libuv stops polling, is met by whatever the connection does next: what has
 * arrived before it is still read. */
static void on_ready(uv_poll_t *poll, int status, int events) {
    struct connection *c = container_of(poll, struct connection, poll);
    note_turn(c->server);
    if (status != 0) {
        events = c->watched;
        c->watched = 0;
    }
    if ((events & UV_WRITABLE) != 0 && c->state != CONNECTION_CLOSING) {
        connection_write_on(c);
    }
    if ((events & UV_READABLE) != 0 && c->state != CONNECTION_CLOSING && wants_to_read(c)) {
        receive_some(c);
    }
    /* What was answered on the spot leaves now, from a block that is still in the cache, and not
     * together with the answers of a thousand others. */
    if (!list_is_empty(&c->dirty)) {
        link_remove(&c->dirty);
        connection_flush(c);
    }
    connection_watch(c);
}

void connection_watch(struct connection *c) {
    if (c->state == CONNECTION_CLOSING) {
        return;
    }
    int wanted = (wants_to_read(c) ? UV_READABLE : 0) | (c->writing != NULL ? UV_WRITABLE : 0);
    if (wanted == c->watched) {
        return;
    }
    c->watched = wanted;
    int error = wanted == 0 ? uv_poll_stop(&c->poll) : uv_poll_start(&c->poll, wanted, on_ready);
    if (error != 0) {
        connection_close(c, CLOSE_CLIENT_LOST);
    }
}
