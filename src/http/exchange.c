#include "http/exchange.h"
#include "http/connection.h"
#include "mintd/clock.h"
#include "mintd/encoding.h"
#include "mintd/flow.h"
#include <assert.h>
#include <stdlib.h>

/* ---- lent and taken back ---- */

static struct http_exchange *exchange_new(void) {
    struct http_exchange *x = malloc(sizeof *x);
    struct parser *parser = parser_new();
    if (x == NULL || parser == NULL) {
        free(x);
        parser_free(parser);
        return NULL;
    }
    x->parser = parser;
    return x;
}

static void exchange_free(struct http_exchange *x) {
    parser_free(x->parser);
    free(x);
}

struct http_exchange *exchange_take(struct http_server *server, struct connection *connection) {
    struct http_exchange *x = server->exchanges;
    if (x != NULL) {
        server->exchanges = x->next;
        server->exchange_count--;
    } else {
        x = exchange_new();
    }
    if (x == NULL) {
        return NULL;
    }
    x->next = NULL;
    x->connection = connection;
    x->head_was_shown = x->body_is_unread = false;
    x->is_for_head = x->is_http_1_0 = x->keeps_alive = x->is_in_crowd = false;
    x->endpoint = 0;
    x->client = SLICE_ABSENT;
    x->trace.is_there = false;
    x->wipe = NULL;
    x->id_size = x->peer_size = 0;
    exchange_forget_request(x);
    parser_start(x->parser);
    return x;
}

void exchange_give(struct http_server *server, struct http_exchange *x) {
    if (x->wipe != NULL) {
        x->wipe(x->scratch);
    }
    x->connection = NULL;
    if (server->exchange_count == EXCHANGES_KEPT) {
        exchange_free(x);
        return;
    }
    x->next = server->exchanges;
    server->exchanges = x;
    server->exchange_count++;
}

static void free_kept(struct http_server *server, unsigned count) {
    for (; count != 0; count--) {
        struct http_exchange *x = server->exchanges;
        server->exchanges = x->next;
        server->exchange_count--;
        exchange_free(x);
    }
}

bool exchange_shrink(struct http_server *server) {
    if (server->exchange_count <= EXCHANGES_IDLE) {
        return false;
    }
    free_kept(server, (server->exchange_count - EXCHANGES_IDLE + 7) / 8);
    return true;
}

void exchange_free_all(struct http_server *server) {
    free_kept(server, server->exchange_count);
}

/* ---- the request ---- */

/* A token or a secret that a caller takes for an id (or puts into one) goes neither into the log
 * nor into the answer. */
static bool has_secret(struct slice id) {
    return memmem(id.data, id.size, "mtd_", 4) != NULL ||
           memmem(id.data, id.size, "mts_", 4) != NULL;
}

static bool is_request_id(struct slice id) {
    return word_is_plain(id) && id.size <= HTTP_REQUEST_ID_MAX && !has_secret(id);
}

/* The caller's ids are copied at once: their bytes go when the handler returns. */
static void note_ids(struct http_exchange *x) {
    unsigned id_lines = 0, trace_lines = 0;
    struct slice id = S(""), traceparent = S("");
    for (unsigned i = 0; i < x->request.field_count; i++) {
        const struct http_field *field = &x->request.fields[i];
        if (field->id == HTTP_FIELD_X_REQUEST_ID) {
            id = field->value;
            id_lines++;
        } else if (field->id == HTTP_FIELD_TRACEPARENT) {
            traceparent = field->value;
            trace_lines++;
        }
    }
    if (id_lines == 1 && is_request_id(id)) {
        memcpy(x->id, id.data, id.size);
        x->id_size = id.size;
    }
    if (trace_lines == 1) {
        trace_read(traceparent, &x->trace);
    }
}

void exchange_describe(struct http_exchange *x, const char *data) {
    parser_describe(x->parser, data, &x->request);
    x->is_for_head = x->request.method == HTTP_METHOD_HEAD;
    x->is_http_1_0 = parser_is_http_1_0(x->parser);
    x->keeps_alive = parser_keeps_alive(x->parser);
    note_ids(x);
}

void exchange_forget_request(struct http_exchange *x) {
    x->request.path = x->request.query = x->request.body = SLICE_ABSENT;
    x->request.field_count = 0;
}

unsigned http_field_lines(const struct http_request *request, enum http_field_id id) {
    unsigned lines = 0;
    for (unsigned i = 0; i < request->field_count; i++) {
        lines += request->fields[i].id == id;
    }
    return lines;
}

struct slice http_field_value(const struct http_request *request, enum http_field_id id) {
    for (unsigned i = 0; i < request->field_count; i++) {
        if (request->fields[i].id == id) {
            return request->fields[i].value;
        }
    }
    return SLICE_ABSENT;
}

/* ---- what an endpoint sees ---- */

const struct http_request *http_request_of(const struct http_exchange *x) {
    return &x->request;
}

const struct ip *http_peer_ip_of(const struct http_exchange *x) {
    return &x->connection->peer;
}

struct slice http_peer_of(struct http_exchange *x) {
    if (x->peer_size == 0) {
        x->peer_size = ip_text(&x->connection->peer, x->peer);
    }
    return slice_of(x->peer, x->peer_size);
}

/* Ours count on from a random start, in steps that hide the count; they repeat after 2^64. */
struct slice http_request_id_of(struct http_exchange *x) {
    if (x->id_size == 0) {
        struct http_server *server = x->connection->server;
        uint8_t bytes[sizeof server->next_request_id];
        memcpy(bytes, &server->next_request_id, sizeof bytes);
        server->next_request_id += UINT64_C(0x9E3779B97F4A7C15);
        hex_encode(bytes, sizeof bytes, x->id);
        x->id_size = 2 * sizeof bytes;
    }
    return slice_of(x->id, x->id_size);
}

struct slice http_trace_id_of(const struct http_exchange *x) {
    return x->trace.is_there ? slice_of(x->trace.id, TRACE_ID_SIZE) : SLICE_ABSENT;
}

struct slice http_span_id_of(const struct http_exchange *x) {
    return x->trace.is_there ? slice_of(x->trace.span_id, TRACE_SPAN_ID_SIZE) : SLICE_ABSENT;
}

void *http_scratch_of(struct http_exchange *x, size_t size, void (*wipe)(void *scratch)) {
    assert(size <= sizeof x->scratch);
    x->wipe = wipe;
    return x->scratch;
}

struct http_exchange *http_exchange_of_scratch(void *scratch) {
    return container_of(scratch, struct http_exchange, scratch);
}

void http_set_endpoint(struct http_exchange *x, unsigned endpoint) {
    assert(endpoint < HTTP_MAX_ENDPOINTS);
    x->endpoint = endpoint;
}

void http_set_client(struct http_exchange *x, struct slice client) {
    x->client = client;
}

/* The clock is looked at for one request in LAG_LOOKS; for the first of a turn it just was. */
static struct http_lag *look_at_lag(struct http_exchange *x) {
    struct http_lag *lag = &x->connection->server->lag;
    if (lag->looks_left-- == 0) {
        lag_look(lag, lag->was_asked ? clock_monotonic_ns() : x->started_ns);
        lag->looks_left = LAG_LOOKS - 1;
        lag->was_asked = true;
    }
    return lag;
}

/* While nobody waits for the store there is nothing to leave out: the usual case costs next to
 * nothing. */
bool http_is_overloaded(struct http_exchange *x) {
    return x->connection->server->lag.crowd != 0 && look_at_lag(x)->is_late;
}

bool http_may_refuse(struct http_exchange *x) {
    return lag_refuse(look_at_lag(x));
}

void http_respond(struct http_exchange *x, const struct http_response *response) {
    connection_answer(x->connection, response);
}
