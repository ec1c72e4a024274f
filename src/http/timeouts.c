/* What ends a connection that its client does not end: deadlines that pass, and the drain. */
#include "http/connection.h"
#include "mintd/tls.h"
#include <linux/sockios.h>
#include <sys/ioctl.h>

#define TAKE_AT_LEAST (32u * 1024u) /* bytes within write_ms, where more wait */
#define FRESH_MS 1000u /* a connection this young may have its first request still on the way */

/* ---- deadlines ---- */

/* The kernel forgets what it has not delivered, instead of trying on for minutes. */
static void reset(struct connection *c, enum close_reason reason) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    connection_close(c, reason);
}

/* An ordinary close would leave the kernel with what the client does not take, for minutes. */
static void let_go(struct connection *c, enum close_reason reason) {
    if (connection_has_untaken(c)) {
        reset(c, reason);
    } else {
        connection_close(c, reason);
    }
}

static void on_idle_too_long(struct connection *c) {
    if (connection_unsent(c) != 0) {
        connection_start_deadline(c); /* busy with reading our answers */
        return;
    }
    if (!c->server->draining) {
        counter_add(&c->server->options.metrics->timeouts, 1);
    }
    connection_close(c, c->server->draining ? CLOSE_DRAINED : CLOSE_IDLE_TIMEOUT);
}

static void on_request_too_slow(struct connection *c) {
    counter_add(&c->server->options.metrics->timeouts, 1);
    if (c->input == NULL || !parser_has_begun(c->exchange->parser)) {
        let_go(c, CLOSE_REQUEST_TIMEOUT);
        return;
    }
    connection_refuse(c, c->input->data,
                      (struct refusal){408, "the request took too long: send it faster"});
}

/* The last answer has as long as any other. */
static void on_lingered(struct connection *c) {
    if (!c->server->draining && connection_has_untaken(c)) {
        connection_start_deadline(c);
    } else {
        connection_close(c, c->reason);
    }
}

void connection_on_deadline(struct connection *c) {
    switch (c->state) {
    case CONNECTION_IDLE:
        on_idle_too_long(c);
        return;
    case CONNECTION_HANDSHAKE:
    case CONNECTION_HEAD:
    case CONNECTION_BODY:
        on_request_too_slow(c);
        return;
    default:
        on_lingered(c);
        return;
    }
}

/* ---- what clients take ---- */

/* What the kernel has and the client has not (a unix socket counts its own overhead with it). */
static uint64_t untaken_bytes(const struct connection *c) {
    int count = 0;
    return ioctl(c->fd, SIOCOUTQ, &count) == 0 && count > 0 ? (uint64_t)count : 0;
}

bool connection_has_untaken(const struct connection *c) {
    return deadline_is_running(&c->write_deadline) && untaken_bytes(c) != 0;
}

/* All that waits now, or a good part of it. */
static void set_task(struct connection *c, uint64_t taken) {
    uint64_t waits = c->sent - taken + connection_unwritten(c);
    c->take_until = taken + (waits < TAKE_AT_LEAST ? waits : TAKE_AT_LEAST);
    c->take_since = uv_now(c->server->loop);
}

void connection_watch_taking(struct connection *c, uint64_t taken) {
    set_task(c, taken);
    deadline_start(&c->write_deadline, &c->server->waits[WAIT_WRITE], c->take_since);
}

static void on_all_taken(struct connection *c) {
    deadline_stop(&c->write_deadline);
    if (c->state == CONNECTION_LINGERING && c->input_has_ended) {
        connection_close(c, c->reason); /* it waited for nothing else */
    }
}

void connection_on_write_deadline(struct connection *c) {
    struct http_server *server = c->server;
    uint64_t now = uv_now(server->loop);
    uint64_t untaken = untaken_bytes(c);
    uint64_t taken = c->sent > untaken ? c->sent - untaken : 0;
    if (untaken == 0 && c->writing == NULL) {
        on_all_taken(c);
        return;
    }
    if (taken >= c->take_until) {
        set_task(c, taken);
    }
    if (now - c->take_since < server->options.write_ms) {
        deadline_start(&c->write_deadline, &server->waits[WAIT_WRITE], now);
        return;
    }
    counter_add(&server->options.metrics->timeouts, 1);
    reset(c, CLOSE_WRITE_TIMEOUT);
}

/* ---- drain ---- */

/* Whether bytes have arrived that nobody has read: they may be a request. */
static bool has_unread_bytes(struct connection *c) {
    int count = 0;
    if (c->tls != NULL && tls_has_unread(c->tls)) {
        return true;
    }
    return ioctl(c->fd, FIONREAD, &count) == 0 && count > 0;
}

/* Whether it may be closed at once without taking an answer, or a chance, from the client. */
static bool is_quiet(struct connection *c) {
    struct http_server *server = c->server;
    uint64_t idle_since = c->deadline.at - server->waits[WAIT_IDLE].duration;
    bool is_fresh = c->served == 0 && uv_now(server->loop) - idle_since < FRESH_MS;
    return !is_fresh && !has_unread_bytes(c);
}

void connection_drain(struct connection *c) {
    if (c->state == CONNECTION_HEAD && !parser_has_begun(c->exchange->parser)) {
        connection_close(c, CLOSE_DRAINED);
        return;
    }
    if (c->state == CONNECTION_HANDSHAKE) {
        deadline_start(&c->deadline, &c->server->waits[WAIT_LINGER], uv_now(c->server->loop));
        return; /* it comes here again when that is done */
    }
    if (c->state != CONNECTION_IDLE || c->input != NULL) {
        return; /* its next answer says "close" */
    }
    if (connection_unsent(c) != 0) {
        connection_end(c, CLOSE_DRAINED);
    } else if (is_quiet(c)) {
        connection_close(c, CLOSE_DRAINED);
    } else {
        deadline_start(&c->deadline, &c->server->waits[WAIT_LINGER], uv_now(c->server->loop));
    }
}
