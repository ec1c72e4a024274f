/* http_server.h: an HTTP/1.1 server on one event loop: listeners, connections, limits, drain.
 *
 * Happy path: http_listen() opens the sockets once for all workers. Each worker makes a server,
 * gives it its sockets and runs its loop. It calls http_server_flush() once in each turn and
 * http_server_tick() ten times a second. http_server_drain() stops listening and lets the open
 * requests end. http_server_close() ends what is left. */
#ifndef MINTD_HTTP_SERVER_H
#define MINTD_HTTP_SERVER_H

#include "mintd/buffer.h"
#include "mintd/counter.h"
#include "mintd/http.h"
#include "mintd/http_bounds.h"
#include "mintd/http_tls.h"

struct uv_loop_s;
struct http_server;

/* ---- listeners ---- */

#define HTTP_ADDRESS_MAX 256u

#define HTTP_ADDRESSES_MAX 8u /* addresses of one name */

struct http_sockets {
    unsigned count;     /* how many workers there are: the caller sets it */
    int *fds;           /* the caller's array: room for HTTP_ADDRESSES_MAX * count */
    bool may_share;     /* the caller sets it: another process may listen there too */
    bool is_shared;     /* one does */
    unsigned addresses; /* how many are open: address a for worker w is fds[a * count + w] */
};

enum http_listened {
    HTTP_LISTENS,
    HTTP_HAS_NO_SUCH_ADDRESS, /* this machine lacks it: IPv6 is off, for instance */
    HTTP_LISTENS_NOT,
};

/* Opens the sockets of an address: "host:port", "[v6]:port", ":port" (all interfaces) or
 * "unix:/path". A name stands for all its addresses. While this machine has at least one of them,
 * those that it does not have are logged and left out. "localhost" needs no resolver. Other names
 * are resolved, which blocks: call it only at start.
 *
 * TCP: each worker gets one listening socket with SO_REUSEPORT; a port on which somebody else
 * listens already is an error. If it may be shared it is none where that is a process of the same
 * user whose sockets have SO_REUSEPORT too; these sockets are only bound then, and get no
 * connection until http_start_listening(): the kernel spreads new ones over all that listen. Unix:
 * one socket, duplicated; a socket file on which nobody answers is replaced. On success the caller
 * owns the sockets. On failure nothing stays open, and `error` gets one line that says what is
 * wrong and what may help. */
enum http_listened http_listen(struct slice address, struct http_sockets *sockets,
                               struct buffer *error);
/* For a socket of an address that may be shared; for one that listens already it does nothing.
 * False: the kernel refuses (errno). */
bool http_start_listening(int fd);
/* Whether the address is well-formed. It opens nothing. */
bool http_address_is_valid(struct slice address, struct buffer *error);
/* Whether only this machine can reach it: it is loopback or a unix socket. */
bool http_address_is_local(struct slice address);
/* Whether it means every interface: no host, or the unspecified address of either family. */
bool http_address_is_everywhere(struct slice address);
/* Appends the address of a listening socket, as http_listen() takes it ("127.0.0.1:4001"). It
 * tells the port that the kernel chose where port 0 was asked for. */
void http_listener_name(int fd, struct buffer *name);
/* Removes the socket file of a unix address, while its sockets are open: later a file that is there
 * may be another program's. For TCP it does nothing. */
void http_unlisten(struct slice address);

/* ---- server ---- */

/* clang-format off */
#define HTTP_STATUSES(X)                                                                           \
    X(200) X(204)                                                                                  \
    X(400) X(401) X(403) X(404) X(405) X(408) X(413) X(414) X(415) X(417) X(429) X(431)            \
    X(500) X(501) X(503) X(505)
/* clang-format on */

enum http_status_index {
#define X(status) HTTP_STATUS_##status,
    HTTP_STATUSES(X)
#undef X
        HTTP_STATUS_COUNT
};

/* The index of a status in the table; of a status that is not in it, the index of 500. */
enum http_status_index http_status_index_of(unsigned status);
unsigned http_status_of_index(enum http_status_index index);

struct http_metrics {
    struct counter responses[HTTP_MAX_ENDPOINTS][HTTP_STATUS_COUNT];
    /* From the arrival of a whole request to its answer, for all endpoints but 0. It is never too
     * short. It is too long by at most the time of one turn of the loop, or of 16 answers where
     * that is less. */
    struct histogram durations[HTTP_MAX_ENDPOINTS];
    struct counter accepted;     /* connections since the start */
    struct counter turned_away;  /* closed at once: over a bound, or no memory */
    struct counter over_address; /* of these: over max_per_address */
    struct counter open;         /* connections now */
    struct counter timeouts;     /* connections ended by a deadline */
    struct counter handshakes;   /* TLS handshakes that succeeded */
    struct counter handshakes_failed;
};

struct http_server_options {
    const struct http_handler *handler;
    void *context; /* given to each call of the handler */
    struct http_metrics *metrics;
    unsigned max_connections; /* of this server only */
    /* A turn has lasted for over 10 ms, and libuv finds more in it: do what is done at its end
     * (http_server_flush(), store_flush()). NULL: not called. */
    void (*on_long_turn)(void *context);
    void *turn_context;
    struct http_bounds *bounds; /* the bounds of the process; outlives the server; NULL: none */
    bool listens_later;         /* sockets that are only bound wait for http_server_listen() */

    /* Deadlines in milliseconds; 0 means the default. */

    /* From a request's first byte to the end of its head: then 408. Default 10,000. Also for the
     * TLS handshake: then the connection is closed. */
    unsigned head_ms;
    /* From the end of the head to the end of the body: then 408. Default 10,000. */
    unsigned body_ms;
    /* Between requests, and before the first: then closed silently. Default 75,000. */
    unsigned idle_ms;
    /* For the client's machine to take what was written, or 32 KiB of it where it is more: then
     * the connection is reset. Default 10,000. */
    unsigned write_ms;
};

/* NULL: no memory, or the loop refused. The metrics and the handler outlive the server. */
struct http_server *http_server_new(struct uv_loop_s *loop,
                                    const struct http_server_options *options);
/* Takes over one listening socket of http_listen(). It is closed with the server, also on failure.
 * Returns 0 or a libuv error. Call it once for each listener. */
int http_server_add_listener(struct http_server *server, int fd);
/* For a server that listens_later: from now on its listeners take connections. False: the kernel
 * refuses one of them (errno); it may be tried again. */
bool http_server_listen(struct http_server *server);
/* Connections that are accepted over TCP from now on speak TLS. Open ones go on as they are. The
 * server takes over the reference to the context, also on failure. False: no memory; only the
 * first call can fail. */
bool http_server_use_tls(struct http_server *server, struct tls_context *tls);
/* Ends a turn of the loop: goes on with the requests that wait behind answered ones, and writes
 * all answers of this turn with one write for each connection. An answer that was given at once
 * has left at the end of its read already. The durations that are counted end here. Call it before
 * the loop blocks (uv_prepare), and before store_flush(). */
void http_server_flush(struct http_server *server);
/* Looks at deadlines, renews the Date line, and frees memory that is no longer needed. Call it
 * about every 100 ms. wall_ms: milliseconds since the epoch. */
void http_server_tick(struct http_server *server, uint64_t wall_ms);
/* Closes the listeners and the idle connections. Connections that were accepted are still served.
 * Responses from now on say "Connection: close". */
void http_server_drain(struct http_server *server);
/* Accepts what waits and closes the listeners; all else goes on, and responses from now on say
 * "Connection: close". A second call does nothing. */
void http_server_stop_listening(struct http_server *server);
/* Call it before the drain: everything goes on, but responses from now on say "Connection:
 * close". */
void http_server_announce_drain(struct http_server *server);
/* Whether no connection is open any more. */
bool http_server_is_idle(const struct http_server *server);
/* Ends all connections now, whatever they do. An exchange whose endpoint has not responded yet
 * lives until it does. When all have ended, on_closed is called once, on a later turn; then the
 * server may be freed. */
void http_server_close(struct http_server *server, void (*on_closed)(void *context), void *context);
void http_server_free(struct http_server *server); /* after on_closed */

#endif
