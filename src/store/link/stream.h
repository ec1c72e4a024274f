/* stream.h: the bytes of one connection to Redis, plain or over TLS. It knows addresses and
 * sockets, and nothing of commands.
 *
 *      stream_open()  ->  on_resolving  ->  on_connecting  ->  on_connected  ->  on_bytes ...
 *                         (for a name)
 *
 * A name may have several addresses: one after the other is tried, TLS and all, and what is left of
 * the time is shared among those that are still to come.
 *
 * Failure modes: whatever goes wrong is one on_end, and the owner calls stream_close(). The owner
 * has the deadline, and calls stream_give_up() then. Of several addresses the first failure is
 * told, unless a later one got further. */
#ifndef MINTD_REDIS_STREAM_H
#define MINTD_REDIS_STREAM_H

#include "mintd/redis_store.h"
#include "mintd/tls_client.h"
#include <netinet/in.h>
#include <uv.h>

#define STREAM_TIMEOUT_MS 2000u   /* until what was sent is acknowledged by the other machine */
#define STREAM_ADDRESSES_MAX 8u   /* of a name, in one attempt */
#define STREAM_REASON_MAX 160u    /* what is longer is cut */
#define STREAM_FIRST_WORDS_MAX 8u /* enough to tell one protocol from another */

/* Of each, `context` is that of stream_init(). After stream_close() only on_written and on_idle are
 * called. */
struct stream_events {
    void (*on_resolving)(void *context);
    void (*on_connecting)(void *context);
    void (*on_connected)(void *context); /* and over TLS, it is the server that was meant */
    void (*on_bytes)(void *context, struct slice bytes);
    void (*on_end)(void *context, enum store_trouble trouble, const char *reason);
    /* Of stream_write(), or of what TLS had still to send: `written` is false where the other side
     * takes nothing more. */
    void (*on_written)(void *context, bool written);
    /* After stream_close(): the socket is closed, or the resolver has come to its end; after
     * stream_shut(), also its timer. */
    void (*on_idle)(void *context, bool had_socket);
};

union stream_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct redis_stream {
    uv_loop_t *loop;
    const struct stream_events *events;
    void *context;
    char *input; /* the owner's */
    size_t input_size;
    const struct redis_url *url;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } socket;
    uv_os_fd_t fd;     /* of the socket, once it is connected */
    bool is_wanted;    /* from stream_open() until stream_close() */
    bool is_open;      /* the socket, from its init until its close callback */
    bool is_connected; /* on_connected has come */
    bool is_resolving;
    bool is_writing;
    bool timer_closes; /* between stream_shut() and its close callback */

    /* the attempt */
    uint64_t until_ms; /* loop time: the owner's deadline */
    unsigned turn;     /* which of a name's addresses is under way */
    unsigned address_count, address;
    union stream_address addresses[STREAM_ADDRESSES_MAX];
    uv_timer_t patience; /* with an address that is not the last */
    enum store_trouble trouble;
    char reason[STREAM_REASON_MAX]; /* what is told of the attempt; "" so far nothing */

    uv_getaddrinfo_t resolver;
    uv_connect_t connect;
    uv_write_t write;

    /* TLS (stream_tls.c); all NULL where it is plain */
    struct tls_context *tls; /* for the next handshake */
    char tls_name[REDIS_NAME_MAX];
    struct tls_session *session; /* of the open socket */
    struct block_pool blocks;
    struct block *sealed; /* the socket's, while is_writing */
    char *plain;
    unsigned first_words_size;
    char first_words[STREAM_FIRST_WORDS_MAX]; /* of the other side, in the handshake */
};

/* What comes is read into `input`, which stays; it is looked at before anything else is read: other
 * streams of the loop may have the same. */
void stream_init(struct redis_stream *stream, uv_loop_t *loop, char *input, size_t input_size,
                 const struct stream_events *events, void *context);
/* Ahead of the first stream_open(); from then on stream_shut() is due. */
void stream_start(struct redis_stream *stream);
/* Handshakes from now on are made with this; takes over the reference. */
void stream_use_tls(struct redis_stream *stream, struct tls_context *tls);
/* The name or address that the certificate is for; empty: the URL's host. */
void stream_set_tls_name(struct redis_stream *stream, struct slice name);
/* After stream_shut(), once it is idle; or where it was never started. */
void stream_fini(struct redis_stream *stream);
/* Neither a socket nor the resolver is at work, nor does its timer close. */
bool stream_is_idle(const struct redis_stream *stream);
/* Idle; the url stays where it is. The first of a name's addresses that is tried is number `turn`,
 * modulo their count; until_ms: by when stream_give_up() will be called, in loop time. */
void stream_open(struct redis_stream *stream, const struct redis_url *url, unsigned turn,
                 uint64_t until_ms);
/* The same of one address, whatever the url's host has by now. */
void stream_open_at(struct redis_stream *stream, const struct redis_url *url,
                    const union stream_address *address, uint64_t until_ms);
/* Where it is connected; of a unix socket it says nothing. */
const union stream_address *stream_address(const struct redis_stream *stream);
/* It is open and not connected, and the time is over: on_end comes from inside. */
void stream_give_up(struct redis_stream *stream);
/* Nothing where it is closed. on_idle follows on a later turn unless it is idle. */
void stream_close(struct redis_stream *stream);
/* Closes it for good; on_idle follows on a later turn. */
void stream_shut(struct redis_stream *stream);

/* How many bytes the socket takes at once, maybe none; -1: it takes nothing more. Over TLS all are
 * taken, and is_writing tells whether they are still on their way. */
ssize_t stream_send(struct redis_stream *stream, const char *data, size_t size);
/* What it did not take at once. The bytes stay where they are until on_written; one such call at a
 * time. False: it takes nothing more. */
bool stream_write(struct redis_stream *stream, const char *data, size_t size);

/* What was agreed on; false: plain, or not connected. */
bool stream_look_at_tls(const struct redis_stream *stream, struct tls_client_view *view);

#endif
