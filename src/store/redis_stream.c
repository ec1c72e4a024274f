/* A name to addresses, an address or a path to a socket, and the bytes of that. */
#include "store/redis_stream.h"

#include "mintd/localhost.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#define KEEPALIVE_S 1u

void stream_init(struct redis_stream *stream, uv_loop_t *loop, const struct stream_events *events,
                 void *context) {
    stream->loop = loop;
    stream->events = events;
    stream->context = context;
}

bool stream_is_idle(const struct redis_stream *stream) {
    return !stream->is_open && !stream->is_resolving;
}

/* ---- end ---- */

static void on_socket_closed(uv_handle_t *handle) {
    struct redis_stream *stream = handle->data;
    stream->is_open = false;
    stream->events->on_idle(stream->context, true);
}

void stream_close(struct redis_stream *stream) {
    stream->is_wanted = false;
    if (stream->is_resolving) {
        uv_cancel((uv_req_t *)&stream->resolver); /* fails where it is at work already */
    }
    if (stream->is_open && !uv_is_closing(&stream->socket.handle)) {
        uv_close(&stream->socket.handle, on_socket_closed);
    }
}

static void fail(struct redis_stream *stream, int error) {
    stream->events->on_end(stream->context, uv_strerror(error));
}

/* ---- in ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
    struct redis_stream *stream = handle->data;
    (void)suggested;
    *room = uv_buf_init(stream->input, sizeof stream->input);
}

static void on_read(uv_stream_t *socket, ssize_t size, const uv_buf_t *room) {
    struct redis_stream *stream = socket->data;
    if (size > 0) {
        stream->events->on_bytes(stream->context, slice_of(room->base, (size_t)size));
    } else if (size == UV_EOF) {
        stream->events->on_end(stream->context, "it closed the connection");
    } else if (size < 0) {
        fail(stream, (int)size);
    }
}

/* ---- out ---- */

/* Not uv_try_write(): write() takes the way through the kernel's files, which costs more. */
ssize_t stream_send(struct redis_stream *stream, const char *data, size_t size) {
    ssize_t sent = send(stream->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* Of one that is being closed too: only now are the bytes not needed any more. */
static void on_written(uv_write_t *write, int status) {
    struct redis_stream *stream = write->data;
    stream->is_writing = false;
    stream->events->on_written(stream->context, status == 0);
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

static void on_connect(uv_connect_t *connect, int status) {
    struct redis_stream *stream = connect->data;
    if (!stream->is_wanted) {
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
        fail(stream, status);
        return;
    }
    stream->events->on_connected(stream->context);
}

/* `address` is not looked at for a unix socket. */
static void connect_to(struct redis_stream *stream, const struct sockaddr *address) {
    if (!stream->events->on_connecting(stream->context)) {
        return;
    }
    int status = stream->url->is_unix ? uv_pipe_init(stream->loop, &stream->socket.pipe, 0)
                                      : uv_tcp_init(stream->loop, &stream->socket.tcp);
    if (status == 0) {
        stream->is_open = true;
        stream->socket.handle.data = stream->connect.data = stream;
        if (stream->url->is_unix) {
            uv_pipe_connect(&stream->connect, &stream->socket.pipe, stream->url->host, on_connect);
        } else {
            status = uv_tcp_connect(&stream->connect, &stream->socket.tcp, address, on_connect);
        }
    }
    if (status != 0) {
        fail(stream, status);
    }
}

static const struct sockaddr *pick_address(struct addrinfo *list, unsigned turn) {
    unsigned count = 0;
    for (struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        count++;
    }
    struct addrinfo *one = list;
    for (turn %= count; turn != 0; turn--) {
        one = one->ai_next;
    }
    return one->ai_addr;
}

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *list) {
    struct redis_stream *stream = resolver->data;
    stream->is_resolving = false;
    if (!stream->is_wanted) { /* too late */
        stream->events->on_idle(stream->context, false);
    } else if (status != 0 || list == NULL) {
        fail(stream, status);
    } else {
        connect_to(stream, pick_address(list, stream->turn));
    }
    uv_freeaddrinfo(list);
}

static void resolve(struct redis_stream *stream) {
    char port[8];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    snprintf(port, sizeof port, "%u", stream->url->port);
    stream->events->on_resolving(stream->context);
    stream->resolver.data = stream;
    int status = uv_getaddrinfo(stream->loop, &stream->resolver, on_resolved, stream->url->host,
                                port, &hints);
    if (status != 0) {
        fail(stream, status);
        return;
    }
    stream->is_resolving = true;
}

void stream_open(struct redis_stream *stream, const struct redis_url *url, unsigned turn) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    stream->url = url;
    stream->turn = turn;
    stream->is_wanted = true;
    if (url->is_unix || uv_ip4_addr(url->host, (int)url->port, &address.v4) == 0 ||
        uv_ip6_addr(url->host, (int)url->port, &address.v6) == 0) {
        connect_to(stream, &address.any);
    } else if (host_is_localhost(url->host)) {
        const union localhost_address one =
            localhost_address(turn % LOCALHOST_ADDRESSES, url->port);
        connect_to(stream, &one.any);
    } else {
        resolve(stream);
    }
}
