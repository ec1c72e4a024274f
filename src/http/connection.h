/* connection.h: one client's socket, from accept to close.
 *
 *      HANDSHAKE -> IDLE                           with TLS
 *      IDLE -> HEAD -> HANDLING -> IDLE            a request without a body
 *              HEAD -> HANDLING -> BODY -> HANDLING    on_head wants the body
 *      any of these -> ENDING -> LINGERING -> CLOSING
 *      any -> CLOSING
 *
 * A connection owns its socket, its blocks and at most one exchange; it is freed in
 * connection_maybe_free(). connection.c has its life, receive.c the way in, send.c the way out,
 * secure.c what TLS adds to both, timeouts.c what ends it from our side. */
#ifndef MINTD_HTTP_CONNECTION_H
#define MINTD_HTTP_CONNECTION_H

#include "http/exchange.h"
#include "http/peer.h"
#include "http/server.h"

#define CONNECTION_STATES(X)                                                                       \
    X(HANDSHAKE, "handshake") /* TLS alone: nothing but the handshake is here */                   \
    X(IDLE, "idle")           /* nothing of a request is here; no exchange */                      \
    X(HEAD, "head")           /* a head is coming in */                                            \
    X(BODY, "body")           /* a body is coming in */                                            \
    X(HANDLING, "handling")   /* the endpoint has the exchange */                                  \
    X(ENDING, "ending")       /* the last answer is on its way out; input is thrown away */        \
    X(LINGERING, "lingering") /* our side is shut; input is thrown away until the client closes */ \
    X(CLOSING, "closing")     /* the handle is being closed, or is closed */

enum connection_state {
#define X(state, name) CONNECTION_##state,
    CONNECTION_STATES(X)
#undef X
        CONNECTION_STATE_COUNT
};

/* Why a connection ended. */
#define CLOSE_REASONS(X)                                                                           \
    X(ANSWERED, "answered, and not to be kept alive")                                              \
    X(REFUSED, "request refused")                                                                  \
    X(CLIENT_ENDED, "client closed")                                                               \
    X(CLIENT_LOST, "client lost")                                                                  \
    X(IDLE_TIMEOUT, "idle for too long")                                                           \
    X(REQUEST_TIMEOUT, "request took too long")                                                    \
    X(WRITE_TIMEOUT, "client does not read")                                                       \
    X(DRAINED, "server is draining")                                                               \
    X(SERVER_CLOSED, "server closed")                                                              \
    X(TLS_FAILED, "TLS failed")                                                                    \
    X(NO_MEMORY, "out of memory")

enum close_reason {
#define X(reason, name) CLOSE_##reason,
    CLOSE_REASONS(X)
#undef X
        CLOSE_REASON_COUNT
};

struct connection {
    uv_poll_t poll;
    int fd;
    int watched; /* what poll looks for: UV_READABLE, UV_WRITABLE */
    struct http_server *server;
    struct link all;   /* in server->connections */
    struct link dirty; /* in server->dirty */
    uint64_t id;       /* for the log */
    enum connection_state state;
    enum close_reason reason; /* from ENDING on */

    struct http_exchange *exchange; /* the endpoint's in HANDLING, and in CLOSING */
    struct block *input;            /* a request that is cut, or waits for its turn */
    struct block *output;           /* answers that have not been tried to write */
    struct block *writing;          /* answers that the kernel has taken in part ... */
    size_t written;                 /* ... so far */
    struct tls_session *tls;        /* NULL: plain */

    struct deadline deadline;       /* of the state */
    struct deadline write_deadline; /* runs until the client has taken what was written */
    uint64_t sent;                  /* bytes that the kernel has taken */
    uint64_t take_until;            /* the client is to have taken so many of them ... */
    uint64_t take_since;            /* ... within write_ms from then on */
    size_t thrown_away;
    unsigned served; /* requests answered */

    bool input_has_ended; /* the client has shut its side */
    bool handle_is_closed;
    struct ip peer;            /* kept small: an idle connection has it, too */
    struct bounds_place place; /* among the connections of all servers */
};

/* Takes over fd, an accepted socket, and its place; false without memory (the fd is closed then,
 * and the place left). */
bool connection_open(struct http_server *server, int fd, const struct ip *peer,
                     struct bounds_place *place);
/* The one writer of the state; starts and stops the state's deadline. */
void connection_set_state(struct connection *c, enum connection_state to, const char *why);
/* Starts the state's deadline anew. */
void connection_start_deadline(struct connection *c);
/* Ends it once all answers are written; an exchange that is not the endpoint's is given back. */
void connection_end(struct connection *c, enum close_reason reason);
/* Ends it now. The first reason counts. */
void connection_close(struct connection *c, enum close_reason reason);
/* Frees it unless there is a reason to live. */
void connection_maybe_free(struct connection *c);

/* The endpoint's answer: encodes it, gives the exchange back, and goes on or ends. */
void connection_answer(struct connection *c, const struct http_response *response);
/* Answers a request that never got whole to its endpoint; its bytes begin at data. */
void connection_refuse(struct connection *c, const char *data, struct refusal refusal);

/* Puts it on the list of http_server_flush(). */
void connection_mark_dirty(struct connection *c);
void connection_flush(struct connection *c);
/* ---- receive.c ---- */

/* Looks for bytes to read and for room to write, as state and buffers ask for. */
void connection_watch(struct connection *c);
/* Serves the requests that wait in the input block. */
void connection_serve_waiting(struct connection *c);
/* Whether http_server_flush() could serve one. */
bool connection_has_waiting(const struct connection *c);

/* Bytes of requests have arrived: plaintext. */
void connection_receive(struct connection *c, char *data, size_t size);
/* The client has shut its side. */
void connection_end_input(struct connection *c);

/* ---- send.c ---- */

/* Puts the answer behind the others; false without memory. */
bool connection_put_answer(struct connection *c, const struct http_response *response, bool closes);
bool connection_put_continue(struct connection *c);
/* Bytes of answers that the kernel has not taken (of those not sealed yet: as plaintext). */
size_t connection_unsent(const struct connection *c);
/* Of those that it has begun to take. */
size_t connection_unwritten(const struct connection *c);
void connection_send(struct connection *c);
/* There is room for more of `writing`. */
void connection_write_on(struct connection *c);

/* ---- secure.c: of connections with TLS alone ---- */

/* False without memory. */
bool connection_secure(struct connection *c);
void connection_receive_records(struct connection *c, char *data, size_t size);
/* Makes records of the answers in the output block, ahead of a write. False: it is closed now. */
bool connection_seal(struct connection *c);
/* Tries to say that nothing follows, ahead of a close that no answer has announced. */
void connection_say_goodbye(struct connection *c);

/* ---- timeouts.c ---- */

/* The state's deadline has passed. */
void connection_on_deadline(struct connection *c);
/* Something was written behind `taken` bytes: from now on it is watched whether the client takes
 * it. */
void connection_watch_taking(struct connection *c, uint64_t taken);
/* It is time to see whether it does. */
void connection_on_write_deadline(struct connection *c);
/* Whether the kernel has bytes that the client has not taken. */
bool connection_has_untaken(const struct connection *c);
/* Closes it where nothing of a request is here; else its next answer says "close". */
void connection_drain(struct connection *c);

#endif
