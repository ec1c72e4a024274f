/* An address or a path to a socket, and the bytes of that. */
#include "store/link/stream_internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define KEEPALIVE_S 1u

void stream_init(struct redis_stream *stream, uv_loop_t *loop, char *input, size_t input_size,
                 const struct stream_events *events, void *context) {
    stream->loop = loop;
    stream->input = input;
    stream->input_size = input_size;
    stream->events = events;
    stream->context = context;
}

void stream_start(struct redis_stream *stream) {
    uv_timer_init(stream->loop, &stream->patience); /* cannot fail */
    stream->patience.data = stream;
}

void stream_fini(struct redis_stream *stream) {
    tls_context_free(stream->tls);
    block_pool_fini(&stream->blocks);
    free(stream->plain);
}

bool stream_is_idle(const struct redis_stream *stream) {
    return !stream->is_open && !stream->is_resolving && !stream->timer_closes;
}

/* ---- end ---- */

static void on_socket_closed(uv_handle_t *handle) {
    struct redis_stream *stream = handle->data;
    stream->is_open = false;
    secure_free(stream);
    if (stream->is_wanted) {
        stream_connect_to_next(stream);
    } else {
        stream->events->on_idle(stream->context, true);
    }
}

static void close_socket(struct redis_stream *stream) {
    if (stream->is_open && !uv_is_closing(&stream->socket.handle)) {
        secure_end(stream);
        uv_close(&stream->socket.handle, on_socket_closed);
    }
}

void stream_close(struct redis_stream *stream) {
    stream->is_wanted = false;
    uv_timer_stop(&stream->patience);
    if (stream->is_resolving) {
        uv_cancel((uv_req_t *)&stream->resolver); /* fails where it is at work already */
    }
    close_socket(stream);
}

static void on_timer_closed(uv_handle_t *handle) {
    struct redis_stream *stream = handle->data;
    stream->timer_closes = false;
    stream->events->on_idle(stream->context, false);
}

void stream_shut(struct redis_stream *stream) {
    stream_close(stream);
    stream->timer_closes = true;
    uv_close((uv_handle_t *)&stream->patience, on_timer_closed);
}

static bool is_telling(enum store_trouble trouble) {
    return trouble != STORE_TROUBLE_NONE && trouble != STORE_TROUBLE_DISCONNECTED;
}

/* The first failure of an attempt, or the first that says more than that there is nobody. */
static void note(struct redis_stream *stream, enum store_trouble trouble, const char *reason) {
    if (stream->reason[0] == '\0' || (is_telling(trouble) && !is_telling(stream->trouble))) {
        stream->trouble = trouble;
        snprintf(stream->reason, sizeof stream->reason, "%s", reason);
    }
}

static void tell_end(struct redis_stream *stream) {
    stream->events->on_end(stream->context, stream->trouble, stream->reason);
}

void stream_fail(struct redis_stream *stream, enum store_trouble trouble, const char *reason) {
    uv_timer_stop(&stream->patience);
    note(stream, trouble, reason);
    if (stream->is_connected || ++stream->address >= stream->address_count) {
        tell_end(stream);
    } else if (stream->is_open) {
        close_socket(stream); /* and on */
    } else {
        stream_connect_to_next(stream);
    }
}

void stream_fail_as(struct redis_stream *stream, int error) {
    stream_fail(stream, STORE_TROUBLE_DISCONNECTED, uv_strerror(error));
}

static const char *what_is_late(const struct redis_stream *stream) {
    return stream->is_resolving      ? "its name was not resolved in time"
           : stream->session != NULL ? "it does not answer the TLS handshake: maybe its port is "
                                       "not for TLS, and redis:// is right"
                                     : "it did not accept in time";
}

void stream_give_up(struct redis_stream *stream) {
    note(stream, STORE_TROUBLE_DISCONNECTED, what_is_late(stream));
    tell_end(stream);
}

/* ---- in ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
    struct redis_stream *stream = handle->data;
    (void)suggested;
    *room = uv_buf_init(stream->input, (unsigned)stream->input_size);
}

static void on_input(struct redis_stream *stream, struct slice bytes) {
    if (stream->session != NULL) {
        secure_take(stream, bytes);
    } else {
        stream->events->on_bytes(stream->context, bytes);
    }
}

static void on_read(uv_stream_t *socket, ssize_t size, const uv_buf_t *room) {
    struct redis_stream *stream = socket->data;
    if (size > 0) {
        on_input(stream, slice_of(room->base, (size_t)size));
    } else if (stream->session != NULL &&
               (size == UV_EOF || size == UV_ECONNRESET || size == UV_EPIPE)) {
        secure_cut(stream);
    } else if (size == UV_EOF) {
        stream_fail(stream, STORE_TROUBLE_DISCONNECTED, "it closed the connection");
    } else if (size < 0) {
        stream_fail_as(stream, (int)size);
    }
}

/* ---- out ---- */

/* Not uv_try_write(): write() takes the way through the kernel's files, which costs more. */
ssize_t stream_send_raw(struct redis_stream *stream, const char *data, size_t size) {
    ssize_t sent = send(stream->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

ssize_t stream_send(struct redis_stream *stream, const char *data, size_t size) {
    return stream->session != NULL ? secure_send(stream, data, size)
                                   : stream_send_raw(stream, data, size);
}

/* Of one that is being closed too: only now are the bytes not needed any more. */
static void on_written(uv_write_t *write, int status) {
    struct redis_stream *stream = write->data;
    stream->is_writing = false;
    if (stream->session != NULL) {
        secure_written(stream, status == 0);
    } else {
        stream->events->on_written(stream->context, status == 0);
    }
}

bool stream_write(struct redis_stream *stream, const char *data, size_t size) {
    uv_buf_t rest = uv_buf_init((char *)data, (unsigned)size); /* it is only read */
    stream->write.data = stream;
    stream->is_writing =
        uv_write(&stream->write, &stream->socket.stream, &rest, 1, on_written) == 0;
    return stream->is_writing;
}

/* ---- connecting ---- */

static void tune_tcp(struct redis_stream *stream) {
    unsigned timeout_ms = STREAM_TIMEOUT_MS;
    uv_tcp_nodelay(&stream->socket.tcp, 1);
    uv_tcp_keepalive(&stream->socket.tcp, 1, KEEPALIVE_S);
    setsockopt(stream->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

void stream_set_connected(struct redis_stream *stream) {
    uv_timer_stop(&stream->patience);
    stream->is_connected = true;
    stream->reason[0] = '\0'; /* of addresses before this one */
    stream->turn += stream->address;
    stream->events->on_connected(stream->context);
}

static void on_connect(uv_connect_t *connect, int status) {
    struct redis_stream *stream = connect->data;
    if (uv_is_closing(&stream->socket.handle)) {
        return; /* given up meanwhile */
    }
    if (status == 0) {
        status = uv_fileno(&stream->socket.handle, &stream->fd);
    }
    if (status == 0 && !stream->url->is_unix) {
        tune_tcp(stream);
    }
    if (status == 0) {
        status = uv_read_start(&stream->socket.stream, on_alloc, on_read);
    }
    if (status != 0) {
        stream_fail_as(stream, status);
    } else if (stream->tls != NULL) {
        secure_start(stream);
    } else {
        stream_set_connected(stream);
    }
}

static void on_impatient(uv_timer_t *timer) {
    struct redis_stream *stream = timer->data;
    stream_fail(stream, STORE_TROUBLE_DISCONNECTED, what_is_late(stream));
}

/* The last address has until the owner gives up. */
static void share_time(struct redis_stream *stream) {
    unsigned to_come = stream->address_count - stream->address;
    uint64_t now = uv_now(stream->loop);
    uint64_t left = now < stream->until_ms ? stream->until_ms - now : 0;
    uv_timer_stop(&stream->patience);
    if (to_come > 1) {
        uv_timer_start(&stream->patience, on_impatient, left / to_come, 0);
    }
}

/* The address is not looked at for a unix socket. */
void stream_connect_to_next(struct redis_stream *stream) {
    const struct sockaddr *address = &stream->addresses[stream->address].any;
    int status = stream->url->is_unix ? uv_pipe_init(stream->loop, &stream->socket.pipe, 0)
                                      : uv_tcp_init(stream->loop, &stream->socket.tcp);
    if (status == 0) {
        stream->is_open = true;
        stream->socket.handle.data = stream->connect.data = stream;
        share_time(stream);
        if (stream->url->is_unix) {
            uv_pipe_connect(&stream->connect, &stream->socket.pipe, stream->url->host, on_connect);
        } else {
            status = uv_tcp_connect(&stream->connect, &stream->socket.tcp, address, on_connect);
        }
    }
    if (status != 0) {
        stream_fail_as(stream, status);
    }
}
