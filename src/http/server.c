#include "http/server.h"
#include "http/connection.h"
#include "http/listener.h"
#include "mintd/clock.h"
#include "mintd/flow.h"
#include "mintd/log.h"
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define LINGER_MS 2000u
/* A write is looked at more often than it may stall, so that the stall is noticed in time. */
#define WRITE_LOOKS 32u

/* ---- statuses ---- */

static const unsigned statuses[HTTP_STATUS_COUNT] = {
#define X(status) status,
    HTTP_STATUSES(X)
#undef X
};

enum http_status_index http_status_index_of(unsigned status) {
    for (unsigned i = 0; i < HTTP_STATUS_COUNT; i++) {
        if (statuses[i] == status) {
            return (enum http_status_index)i;
        }
    }
    return HTTP_STATUS_500;
}

unsigned http_status_of_index(enum http_status_index index) {
    return statuses[index];
}

/* ---- its life ---- */

static unsigned milliseconds_or(unsigned value, unsigned otherwise) {
    return value == 0 ? otherwise : value;
}

static void init_waits(struct http_server *server) {
    struct http_server_options *options = &server->options;
    options->head_ms = milliseconds_or(options->head_ms, 10000);
    options->body_ms = milliseconds_or(options->body_ms, 10000);
    options->idle_ms = milliseconds_or(options->idle_ms, 75000);
    options->write_ms = milliseconds_or(options->write_ms, 10000);
    deadline_list_init(&server->waits[WAIT_IDLE], options->idle_ms);
    deadline_list_init(&server->waits[WAIT_HEAD], options->head_ms);
    deadline_list_init(&server->waits[WAIT_BODY], options->body_ms);
    deadline_list_init(&server->waits[WAIT_WRITE], options->write_ms / WRITE_LOOKS + 1);
    deadline_list_init(&server->waits[WAIT_LINGER], LINGER_MS);
}

static void renew_date(struct http_server *server, uint64_t wall_ms) {
    if (wall_ms / 1000 != server->date_second) {
        server->date_second = wall_ms / 1000;
        response_format_date(wall_ms, server->date);
    }
}

struct http_server *http_server_new(struct uv_loop_s *loop,
                                    const struct http_server_options *options) {
    struct http_server *server = calloc(1, sizeof *server);
    char *read_buffer = calloc(1, READ_SIZE);
    if (server == NULL || read_buffer == NULL ||
        getrandom(&server->next_request_id, sizeof server->next_request_id, 0) < 0 ||
        uv_timer_init(loop, &server->end) != 0) {
        free(read_buffer);
        free(server);
        return NULL;
    }
    server->loop = loop;
    server->options = *options;

    server->read_buffer = read_buffer;
    list_init(&server->listeners);
    list_init(&server->connections);
    list_init(&server->dirty);
    init_waits(server);
    renew_date(server, clock_wall_ms());
    server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return server;
}

int http_server_add_listener(struct http_server *server, int fd) {
    return listener_open(server, fd);
}

bool http_server_listen(struct http_server *server) {
    return listeners_listen(server);
}

bool http_server_use_tls(struct http_server *server, struct tls_context *tls) {
    if (server->plain_buffer == NULL) {
        server->plain_buffer = calloc(1, READ_SIZE);
    }
    if (server->plain_buffer == NULL) {
        tls_context_free(tls);
        return false;
    }
    tls_context_free(server->tls);
    server->tls = tls;
    return true;
}

void http_server_free(struct http_server *server) {
    if (server == NULL) {
        return;
    }
    if (server->reserve_fd >= 0) {
        close(server->reserve_fd);
    }
    exchange_free_all(server);
    block_pool_fini(&server->blocks);
    tls_context_free(server->tls);
    free(server->plain_buffer);
    free(server->read_buffer);
    free(server);
}

/* ---- turns of the loop ---- */

void http_server_flush(struct http_server *server) {
    while (!list_is_empty(&server->dirty)) {
        struct connection *c = container_of(server->dirty.next, struct connection, dirty);
        link_remove(&c->dirty);
        connection_flush(c);
    }
    if (server->lag.began_ns != 0) { /* else nothing was there */
        lag_end_turn(&server->lag, durations_end_turn(&server->durations));
    }
}

/* What a busy moment needed goes back bit by bit, and at last to the system: the heap would keep
 * it, since what outlives the moment lies in between. */
static void shrink(struct http_server *server) {
    bool has_shrunk = exchange_shrink(server);
    block_pool_shrink(&server->blocks);
    if (server->is_shrinking && !has_shrunk) {
        malloc_trim(0);
    }
    server->is_shrinking = has_shrunk;
}

/* Where each new connection of a flood would be a line. */
static void tell_over_address(struct http_server *server) {
    char text[IP_TEXT_MAX + 1];
    uint64_t count;
    if (!server->has_over_address ||
        !bounds_should_tell(server->options.bounds, uv_now(server->loop), &count)) {
        return;
    }
    server->has_over_address = false;
    if (count != 0) { /* else another server's line has told of them */
        size_t size = ip_text(&server->over_address, text);
        log_warning("clients are turned away: too many connections from one address, or TLS "
                    "handshakes in a second; if it is a proxy, name it with --trusted-proxies, "
                    "else raise --max-connections-per-address or --max-handshakes-per-address",
                    LOG_TEXT("address", slice_of(text, size)), LOG_NUMBER("connections", count));
    }
}

void http_server_tick(struct http_server *server, uint64_t wall_ms) {
    renew_date(server, wall_ms);
    listeners_resume(server);
    shrink(server);
    tell_over_address(server);
    uint64_t now = uv_now(server->loop);
    for (unsigned wait = 0; wait < WAIT_COUNT; wait++) {
        struct deadline *due;
        while ((due = deadline_list_due(&server->waits[wait], now)) != NULL) {
            if (wait == WAIT_WRITE) {
                connection_on_write_deadline(container_of(due, struct connection, write_deadline));
            } else {
                connection_on_deadline(container_of(due, struct connection, deadline));
            }
        }
    }
}

/* ---- its end ---- */

void http_server_announce_drain(struct http_server *server) {
    server->closes_answered = true;
}

void http_server_stop_listening(struct http_server *server) {
    server->closes_answered = true;
    listeners_end(server);
}

void http_server_drain(struct http_server *server) {
    if (server->draining) {
        return;
    }
    http_server_stop_listening(server);
    server->draining = true;
    struct link *next;
    for (struct link *at = server->connections.next; at != &server->connections; at = next) {
        next = at->next;
        connection_drain(container_of(at, struct connection, all));
    }
}

bool http_server_is_idle(const struct http_server *server) {
    return server->open_count == 0;
}

static void on_end(uv_handle_t *handle) {
    struct http_server *server = container_of((uv_timer_t *)handle, struct http_server, end);
    server->on_closed(server->closed_context);
}

void server_maybe_end(struct http_server *server) {
    if (!server->closing || !list_is_empty(&server->connections) ||
        !list_is_empty(&server->listeners) || uv_is_closing((uv_handle_t *)&server->end)) {
        return;
    }
    uv_close((uv_handle_t *)&server->end, on_end);
}

void http_server_close(struct http_server *server, void (*on_closed)(void *context),
                       void *context) {
    server->closing = true;
    server->on_closed = on_closed;
    server->closed_context = context;
    listeners_close(server);
    struct link *next;
    for (struct link *at = server->connections.next; at != &server->connections; at = next) {
        next = at->next;
        connection_close(container_of(at, struct connection, all), CLOSE_SERVER_CLOSED);
    }
    server_maybe_end(server);
}
