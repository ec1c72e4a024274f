/* redis_stream.h: the bytes of one connection to Redis. It knows addresses and sockets, and nothing
 * of commands.
 *
 *      stream_open()  ->  on_resolving  ->  on_connecting  ->  on_connected  ->  on_bytes ...
 *                         (for a name)
 *
 * Failure modes: whatever goes wrong is one on_end, and the owner calls stream_close(). The waits
 * have no limit here: the owner has the deadline. */
#ifndef MINTD_REDIS_STREAM_H
#define MINTD_REDIS_STREAM_H

#include "mintd/redis_store.h"
#include <uv.h>

#define STREAM_INPUT_SIZE (32u * 1024u)
#define STREAM_TIMEOUT_MS 2000u /* until what was sent is acknowledged by the other machine */

/* Of each, `context` is that of stream_init(). After stream_close() only on_written and on_idle are
 * called. */
struct stream_events {
    void (*on_resolving)(void *context);
    bool (*on_connecting)(void *context); /* false: the owner has closed it */
    void (*on_connected)(void *context);
    void (*on_bytes)(void *context, struct slice bytes);
    void (*on_end)(void *context, const char *reason);
    /* Of stream_write(): `written` is false where the other side takes nothing more. */
    void (*on_written)(void *context, bool written);
    /* After stream_close(): the socket is closed, or the resolver has come to its end. */
    void (*on_idle)(void *context, bool had_socket);
};

struct redis_stream {
    uv_loop_t *loop;
    const struct stream_events *events;
    void *context;
    const struct redis_url *url;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } socket;
    uv_os_fd_t fd;  /* of the socket, once it is connected */
    bool is_wanted; /* from stream_open() until stream_close() */
    bool is_open;   /* the socket, from its init until its close callback */
    bool is_resolving;
    bool is_writing;
    unsigned turn; /* which of a name's addresses */
    uv_getaddrinfo_t resolver;
    uv_connect_t connect;
    uv_write_t write;
    char input[STREAM_INPUT_SIZE];
};

void stream_init(struct redis_stream *stream, uv_loop_t *loop, const struct stream_events *events,
                 void *context);
/* Neither a socket nor the resolver is at work. */
bool stream_is_idle(const struct redis_stream *stream);
/* Idle; the url stays where it is. Of a name's addresses it takes number `turn`, modulo their
 * count. */
void stream_open(struct redis_stream *stream, const struct redis_url *url, unsigned turn);
/* Nothing where it is closed. on_idle follows on a later turn unless it is idle. */
void stream_close(struct redis_stream *stream);

/* How many bytes the socket takes at once, maybe none; -1: it takes nothing more. */
ssize_t stream_send(struct redis_stream *stream, const char *data, size_t size);
/* What it did not take at once. The bytes stay where they are until on_written; one such call at a
 * time. False: it takes nothing more. */
bool stream_write(struct redis_stream *stream, const char *data, size_t size);

#endif
