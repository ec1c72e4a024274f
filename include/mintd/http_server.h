/* http_server.h: an HTTP/1.1 server on one event loop: listeners, connections, limits, drain.
 *
 * Happy path: http_listen() opens the sockets once for all workers; each worker makes a server,
 * gives it its sockets, runs its loop and calls http_server_flush() once a turn and
 * http_server_tick() ten times a second. http_server_drain() stops listening and lets the open
 * requests end; http_server_close() ends what is left. */
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

#define HTTP_ADDRESSES_MAX 8u /* of one name */

struct http_sockets {
    unsigned count;     /* of workers: the caller's to set */
    int *fds;           /* the caller's; room for HTTP_ADDRESSES_MAX * count */
    unsigned addresses; /* that are open: address a for worker w is fds[a * count + w] */
};

enum http_listened {
    HTTP_LISTENS,
    HTTP_HAS_NO_SUCH_ADDRESS, /* this machine: IPv6 is off, for instance */
    HTTP_LISTENS_NOT,
};

/* "host:port", "[v6]:port", ":port" (all interfaces), "unix:/path". A name is all its addresses;
 * those that this machine does not have are told to the log, while there is one that it has.
 * "localhost" needs no resolver; others are resolved (blocking: only at start). TCP: one
 * SO_REUSEPORT socket a worker, listening; a port where anybody else listens already is an error.
 * Unix: one socket, duplicated; a socket file that nobody answers on is replaced. On success the
 * sockets are the caller's. On failure nothing stays open, and `error` gets one line that says what
 * is wrong and what may help. */
enum http_listened http_listen(struct slice address, struct http_sockets *sockets,
                               struct buffer *error);
/* Whether the address is well-formed, without opening anything. */
bool http_address_is_valid(struct slice address, struct buffer *error);
/* Whether only this machine reaches it: loopback or a unix socket. */
bool http_address_is_local(struct slice address);
/* Whether it is every interface: no host, or the unspecified address of either family. */
bool http_address_is_everywhere(struct slice address);
/* The address that a listening socket has, as http_listen() takes it ("127.0.0.1:4001"): tells the
 * port where 0 was asked for. */
void http_listener_name(int fd, struct buffer *name);
/* Removes the socket file of a unix address; nothing for TCP. */
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

/* The index of a status that stands in the table; of any other, that of 500. */
enum http_status_index http_status_index_of(unsigned status);
unsigned http_status_of_index(enum http_status_index index);

struct http_metrics {
    struct counter responses[HTTP_MAX_ENDPOINTS][HTTP_STATUS_COUNT];
    struct counter accepted;     /* connections since the start */
    struct counter turned_away;  /* closed at once: over a bound, or no memory */
    struct counter over_address; /* of these, over max_per_address */
    struct counter open;         /* connections now */
    struct counter timeouts;     /* connections ended by a deadline */
    struct counter handshakes_failed;
};

struct http_server_options {
    const struct http_handler *handler;
    void *context; /* given to the handler */
    struct http_metrics *metrics;
    unsigned max_connections;   /* of this server */
    struct http_bounds *bounds; /* and with others; outlives the server; NULL: none */
    /* Deadlines in milliseconds; 0 takes the default. */
    unsigned head_ms;  /* from a request's first byte to the end of its head: 408; 10,000. Also for
                          the handshake of TLS: closed */
    unsigned body_ms;  /* from there to the end of its body: 408; 10,000 */
    unsigned idle_ms;  /* between requests, and before the first: closed silently; 75,000 */
    unsigned write_ms; /* for the client's machine to take what was written, or 32 KiB of it where
                          it is more: reset; 10,000 */
};

/* NULL where memory or the loop fails. The metrics and the handler outlive the server. */
struct http_server *http_server_new(struct uv_loop_s *loop,
                                    const struct http_server_options *options);
/* Takes over one listening socket of http_listen() (closed with the server, also on failure);
 * returns 0 or a libuv error. Once for each listener. */
int http_server_add_listener(struct http_server *server, int fd);
/* From now on what is accepted over TCP speaks TLS; what is open goes on as it is. Takes over the
 * reference. False without memory, the first time alone. */
bool http_server_use_tls(struct http_server *server, struct tls_context *tls);
/* Goes on with the requests that wait behind answered ones, and writes all answers of this turn:
 * one write a connection. (What was answered on the spot has left at the end of its read.) To be
 * called before the loop blocks (uv_prepare), ahead of the store's flush. */
void http_server_flush(struct http_server *server);
/* Looks at deadlines and renews the Date line. About every 100 ms. wall_ms: since the epoch. */
void http_server_tick(struct http_server *server, uint64_t wall_ms);
/* Listeners close (what they had accepted is served); idle connections close; responses from now on
 * say "Connection: close". */
void http_server_drain(struct http_server *server);
/* Ahead of that: all goes on, and responses from now on say "Connection: close". */
void http_server_announce_drain(struct http_server *server);
/* Whether no connection is open any more. */
bool http_server_is_idle(const struct http_server *server);
/* Ends all connections now, whatever they do. Exchanges whose endpoint has not responded live on
 * until it does; then on_closed is called, once, on a later turn, and the server may be freed. */
void http_server_close(struct http_server *server, void (*on_closed)(void *context), void *context);
void http_server_free(struct http_server *server); /* after on_closed */

#endif
