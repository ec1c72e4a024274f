/* server.h: what the files of the HTTP server share of struct http_server. */
#ifndef MINTD_HTTP_SERVER_INTERNAL_H
#define MINTD_HTTP_SERVER_INTERNAL_H

#include "http/bounds.h"
#include "http/deadlines.h"
#include "http/durations.h"
#include "http/lag.h"
#include "http/response.h"
#include "mintd/block.h"
#include "mintd/http_server.h"
#include <uv.h>

#define READ_SIZE (64u * 1024u) /* of the buffer that all connections read into */
/* Of each socket, in the kernel (that doubles both for its own overhead): what a client does not
 * read, and what we do not, costs no more. Larger answers leave in pieces. */
#define SOCKET_SENDS (16 * 1024)
#define SOCKET_RECEIVES (32 * 1024)
#define EXCHANGES_KEPT 1024u /* at most */
#define EXCHANGES_IDLE 64u   /* of these stay when it is quiet */

struct http_exchange;

/* The waits that end by a deadline, one list each. */
enum wait { WAIT_IDLE, WAIT_HEAD, WAIT_BODY, WAIT_WRITE, WAIT_LINGER, WAIT_COUNT };

struct http_server {
    uv_loop_t *loop;
    struct http_server_options options;
    struct link listeners;
    struct link connections; /* all, also those that are closing */
    struct link dirty;       /* connections with something to do in http_server_flush() */
    unsigned open_count;     /* of these, not closing */
    struct deadline_list waits[WAIT_COUNT];

    struct http_exchange *exchanges; /* those that nobody uses */
    unsigned exchange_count;
    struct block_pool blocks;
    char *read_buffer;       /* READ_SIZE; holds nothing between two callbacks */
    struct tls_context *tls; /* of TCP connections accepted from now on; NULL: plain */
    char *plain_buffer;      /* the same for what TLS records hold; NULL without TLS */

    struct durations durations;
    struct http_lag lag;
    uint64_t broken_up_ms; /* when the turn under way began, or was last broken up */
    char date[RESPONSE_DATE_SIZE];
    uint64_t date_second;
    uint64_t warned_second; /* of the last warning that clients are turned away */
    uint64_t next_request_id;
    uint64_t next_connection_id;
    int reserve_fd; /* given up to turn somebody away where no descriptor is left; -1: none */
    struct ip over_address; /* the last that was turned away for its address ... */
    bool has_over_address;  /* ... which the log does not know yet */
    bool closes_answered;   /* responses say "Connection: close" */

    bool draining;
    bool closing;
    bool is_shrinking; /* the last tick gave exchanges back */
    uv_timer_t end;    /* never started: its closing is the "later turn" of on_closed */
    void (*on_closed)(void *context);
    void *closed_context;
};

/* Something was ready: a turn is under way. */
static inline void server_note_turn(struct http_server *server) {
    if (server->lag.began_ns == 0) {
        lag_begin_turn(&server->lag, uv_now(server->loop) * 1000000);
        server->broken_up_ms = uv_now(server->loop);
    }
}
/* To be called when a listener or a connection is gone. */
void server_maybe_end(struct http_server *server);

#endif
