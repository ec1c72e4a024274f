/* Happy path: the socket is readable, accept4() until it is empty.
 *
 * Failure modes: too many connections: accepted and closed. No descriptor left: the reserve is
 * given up for a moment to turn the client away; without a reserve (another thread may have taken
 * the descriptor) the listener sleeps until the next tick. */
#include "http/listener.h"
#include "http/connection.h"
#include "mintd/flow.h"
#include "mintd/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64u

struct listener {
    uv_poll_t poll;
    struct http_server *server;
    struct link link; /* in server->listeners */
    int fd;
    bool listens;
    bool is_asleep;
    bool is_closing;
};

enum accepted { ACCEPTED, NOTHING_WAITS, MUST_SLEEP };

/* Once a second at most: clients in trouble come in crowds. */
static void warn(struct http_server *server, const char *message, int error) {
    if (server->warned_second == server->date_second) {
        return;
    }
    char name[64] = "none";
    server->warned_second = server->date_second;
    if (error != 0) {
        uv_err_name_r(-error, name, sizeof name);
    }
    log_warning(message, LOG_STRING("error", name));
}

static void turn_away(struct http_server *server, int fd) {
    close(fd);
    counter_add(&server->options.metrics->turned_away, 1);
}

static enum accepted on_no_descriptor(struct listener *listener) {
    struct http_server *server = listener->server;
    if (server->reserve_fd < 0) {
        warn(server, "clients wait: raise the limit of open files", EMFILE);
        return MUST_SLEEP;
    }
    close(server->reserve_fd);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    bool is_empty = fd < 0 && errno == EAGAIN;
    if (fd >= 0) {
        turn_away(server, fd);
        warn(server, "a client is turned away: raise the limit of open files", EMFILE);
    }
    server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (is_empty) {
        return NOTHING_WAITS;
    }
    return fd >= 0 ? ACCEPTED : MUST_SLEEP;
}

static enum accepted on_accept_failed(struct listener *listener, int error) {
    switch (error) {
    case EAGAIN:
        return NOTHING_WAITS;
    case EMFILE:
    case ENFILE:
        return on_no_descriptor(listener);
    case EINTR:
    case ECONNABORTED: /* and what accept(2) passes on from the network: */
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
        return ACCEPTED;
    default:
        warn(listener->server, "clients wait: they cannot be accepted", error);
        return MUST_SLEEP;
    }
}

static enum bounds_answer ask_bounds(struct http_server *server, const struct ip *peer,
                                     struct bounds_place *place) {
    struct http_bounds *bounds = server->options.bounds;
    if (server->open_count >= server->options.max_connections) {
        return BOUNDS_FULL;
    }
    enum bounds_answer answer = bounds_enter(bounds, peer, place);
    if (answer == BOUNDS_ADMITTED && server->tls != NULL &&
        bounds_begin_handshake(bounds, peer, uv_now(server->loop)) != BOUNDS_ADMITTED) {
        bounds_leave(bounds, place);
        return BOUNDS_ADDRESS_FULL;
    }
    return answer;
}

static bool admit(struct http_server *server, const struct ip *peer, struct bounds_place *place) {
    enum bounds_answer answer = ask_bounds(server, peer, place);
    if (answer == BOUNDS_FULL) {
        warn(server, "a client is turned away: raise --max-connections", 0);
    } else if (answer == BOUNDS_ADDRESS_FULL) {
        counter_add(&server->options.metrics->over_address, 1);
        server->over_address = *peer;
        server->has_over_address = true;
    }
    return answer == BOUNDS_ADMITTED;
}

static enum accepted accept_one(struct listener *listener) {
    struct http_server *server = listener->server;
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
    } peer = {.any.sa_family = AF_UNIX};
    socklen_t size = sizeof peer;
    int fd = accept4(listener->fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return on_accept_failed(listener, errno);
    }
    const struct ip from = peer_of(&peer.any);
    struct bounds_place place;
    if (!admit(server, &from, &place)) {
        turn_away(server, fd);
        return ACCEPTED;
    }
    if (!connection_open(server, fd, &from, &place)) {
        counter_add(&server->options.metrics->turned_away, 1);
        return ACCEPTED;
    }
    counter_add(&server->options.metrics->accepted, 1);
    return ACCEPTED;
}

static enum accepted accept_some(struct listener *listener, unsigned count) {
    enum accepted result = ACCEPTED;
    while (count-- != 0 && result == ACCEPTED) {
        result = accept_one(listener);
    }
    return result;
}

static void on_acceptable(uv_poll_t *poll, int status, int events) {
    struct listener *listener = container_of(poll, struct listener, poll);
    (void)events;
    if (status == 0 && accept_some(listener, ACCEPTS_A_TURN) != MUST_SLEEP) {
        return;
    }
    uv_poll_stop(poll);
    listener->is_asleep = true;
}

void listeners_resume(struct http_server *server) {
    if (server->reserve_fd < 0) {
        server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    for (struct link *at = server->listeners.next; at != &server->listeners; at = at->next) {
        struct listener *listener = container_of(at, struct listener, link);
        if (!listener->is_asleep || listener->is_closing || !listener->listens) {
            continue;
        }
        listener->is_asleep = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable) != 0;
    }
}

/* ---- its life ---- */

static void on_closed(uv_handle_t *handle) {
    struct listener *listener = container_of((uv_poll_t *)handle, struct listener, poll);
    struct http_server *server = listener->server;
    link_remove(&listener->link);
    free(listener);
    server_maybe_end(server);
}

static void listener_close(struct listener *listener) {
    if (listener->is_closing) {
        return;
    }
    listener->is_closing = true;
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    close(listener->fd); /* uv_close() has stopped polling it */
}

static bool listens_already(int fd) {
    int listens = 0;
    socklen_t size = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

int listener_open(struct http_server *server, int fd) {
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        close(fd);
        return UV_ENOMEM;
    }
    int error = uv_poll_init(server->loop, &listener->poll, fd);
    if (error != 0) {
        free(listener);
        close(fd);
        return error;
    }
    listener->server = server;
    listener->fd = fd;
    list_append(&server->listeners, &listener->link);
    listener->listens = !server->options.listens_later || listens_already(fd);
    listener->is_asleep = !listener->listens;
    if (listener->is_asleep) {
        return 0;
    }
    error = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    if (error != 0) {
        listener_close(listener);
    }
    return error;
}

bool listeners_listen(struct http_server *server) {
    bool ok = true;
    for (struct link *at = server->listeners.next; at != &server->listeners; at = at->next) {
        struct listener *listener = container_of(at, struct listener, link);
        listener->listens = listener->listens || http_start_listening(listener->fd);
        ok = ok && listener->listens;
    }
    listeners_resume(server);
    return ok;
}

/* Each right behind its last look: what comes between the two is reset. */
void listeners_end(struct http_server *server) {
    for (struct link *at = server->listeners.next; at != &server->listeners; at = at->next) {
        struct listener *listener = container_of(at, struct listener, link);
        if (!listener->is_closing && listener->listens) {
            accept_some(listener, LISTENER_BACKLOG);
        }
        listener_close(listener);
    }
}

void listeners_close(struct http_server *server) {
    for (struct link *at = server->listeners.next; at != &server->listeners; at = at->next) {
        listener_close(container_of(at, struct listener, link));
    }
}
