/* TLS between a connection's socket and its parser: what differs from a plain connection.
 *
 * Happy path: HANDSHAKE, and IDLE once it is done. All records of a read are opened at once, and
 * their plaintext goes where that of a plain connection goes: so nothing waits inside OpenSSL while
 * the connection does not read, and the bounds on what waits are the same. On the way out the
 * answers of a turn are sealed together when the socket can take them.
 *
 * Failure modes: what OpenSSL refuses ends as a refused request does: its alert is the last answer,
 * and what follows is thrown away. */
#include "http/connection.h"
#include "mintd/log.h"
#include "mintd/tls.h"
#include <sys/socket.h>

#define PROTOCOL_MAX (64u * 1024u) /* of records that are no answers and wait to be sent */

bool connection_secure(struct connection *c) {
    c->tls = tls_session_new(c->server->tls, &c->server->blocks);
    return c->tls != NULL;
}

static bool takes_input(const struct connection *c) {
    return c->state != CONNECTION_ENDING && c->state != CONNECTION_LINGERING &&
           c->state != CONNECTION_CLOSING;
}

static void on_failure(struct connection *c) {
    if (c->state == CONNECTION_HANDSHAKE) {
        counter_add(&c->server->options.metrics->handshakes_failed, 1);
    }
    log_debug("TLS failed", LOG_NUMBER("connection", c->id),
              LOG_STRING("problem", tls_problem(c->tls)));
    if (c->state == CONNECTION_HANDLING) {
        connection_close(c, CLOSE_TLS_FAILED); /* the endpoint has the exchange */
    } else {
        connection_end(c, CLOSE_TLS_FAILED);
    }
}

/* ---- in ---- */

static bool shake_hands(struct connection *c) {
    switch (tls_handshake(c->tls)) {
    case TLS_DONE:
        counter_add(&c->server->options.metrics->handshakes, 1);
        connection_set_state(c, CONNECTION_IDLE, "handshake is done");
        return true;
    case TLS_MORE:
        return false;
    default:
        on_failure(c);
        return false;
    }
}

/* Fills the buffer of plaintext as far as there is some. */
static enum tls_step open_records(struct connection *c, size_t *size) {
    enum tls_step step = TLS_DONE;
    *size = 0;
    while (step == TLS_DONE && *size < READ_SIZE) {
        size_t count;
        step = tls_read(c->tls, c->server->plain_buffer + *size, READ_SIZE - *size, &count);
        *size += count;
    }
    return step;
}

static void receive_plaintext(struct connection *c) {
    enum tls_step step = TLS_DONE;
    while (step == TLS_DONE && takes_input(c)) {
        size_t size;
        step = open_records(c, &size);
        if (size != 0) {
            connection_receive(c, c->server->plain_buffer, size);
            explicit_bzero(c->server->plain_buffer, size);
        }
    }
    if (!takes_input(c)) {
        return;
    }
    if (step == TLS_ENDED) {
        connection_end_input(c);
    } else if (step == TLS_FAILED) {
        on_failure(c);
    }
}

void connection_receive_records(struct connection *c, char *data, size_t size) {
    if (!takes_input(c)) {
        connection_receive(c, data, size); /* that throws it away */
        return;
    }
    bool was_handshake = c->state == CONNECTION_HANDSHAKE;
    tls_feed(c->tls, data, size);
    if (!was_handshake || shake_hands(c)) {
        receive_plaintext(c);
    }
    tls_feed(c->tls, NULL, 0);
    if (was_handshake && c->state == CONNECTION_IDLE && c->server->draining) {
        connection_drain(c);
    }
    if (c->state == CONNECTION_CLOSING) {
        return;
    }
    if (tls_output_size(c->tls) > PROTOCOL_MAX) {
        connection_close(c, CLOSE_CLIENT_LOST);
    } else if (tls_output_size(c->tls) != 0) {
        connection_mark_dirty(c);
    }
}

/* ---- out ---- */

bool connection_seal(struct connection *c) {
    struct block *plain = c->output;
    c->output = NULL;
    bool sealed = plain == NULL || tls_write(c->tls, plain->data, plain->size);
    block_give(&c->server->blocks, plain);
    if (!sealed) {
        connection_close(c, CLOSE_NO_MEMORY);
        return false;
    }
    if (c->state == CONNECTION_ENDING) {
        tls_end(c->tls);
    }
    c->output = tls_take_output(c->tls);
    return true;
}

void connection_say_goodbye(struct connection *c) {
    if (c->output != NULL || c->writing != NULL || c->state == CONNECTION_LINGERING) {
        return; /* something is missing before it, or it has been said */
    }
    tls_end(c->tls);
    struct block *last = tls_take_output(c->tls);
    if (last != NULL) {
        send(c->fd, last->data, last->size, MSG_NOSIGNAL | MSG_DONTWAIT);
        block_give(&c->server->blocks, last);
    }
}
