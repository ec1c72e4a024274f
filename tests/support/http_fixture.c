#include "support/http_fixture.h"
#include "mintd/clock.h"
#include "support/client_tls.h"
#include "unit/unit.h"

#include <stdlib.h>

#define TICK_MS 5u

struct call {
    struct http_fixture *fixture;
    size_t size;
    char text[64];
};

/* ---- the stub ---- */

static void answer(struct http_exchange *x, unsigned status, struct slice body) {
    const struct http_header headers[] = {{S("Content-Type"), S("text/plain")}};
    const struct http_response response = {
        .status = status, .headers = headers, .header_count = 1, .body = body};
    http_respond(x, &response);
}

static void answer_zeros(struct http_exchange *x, size_t size) {
    char *body = calloc(1, size);
    if (body == NULL) { /* in a test of failing allocations */
        answer(x, 503, S(""));
        return;
    }
    answer(x, 200, slice_of(body, size));
    free(body);
}

static void keep_pending(struct http_fixture *f, struct http_exchange *x) {
    struct slice query = http_request_of(x)->query;
    struct call *call = http_scratch_of(x, sizeof *call, NULL);
    assert_true(query.size <= sizeof call->text);
    assert_true(f->pending_count < FIXTURE_PENDING_MAX);
    call->fixture = f;
    call->size = query.size;
    if (query.size != 0) {
        memcpy(call->text, query.data, query.size);
    }
    f->pending[f->pending_count++] = x;
}

static void wipe_scratch(void *scratch) {
    memset(scratch, 0, 1000);
}

static void fill_scratch(struct http_exchange *x) {
    memset(http_scratch_of(x, 1000, wipe_scratch), 's', 1000);
    answer(x, 200, S("filled"));
}

static enum http_next on_head(void *context, struct http_exchange *x) {
    struct http_fixture *f = context;
    struct slice path = http_request_of(x)->path;
    f->heads++;
    http_set_endpoint(x, FIXTURE_ENDPOINT);
    if (slice_equal(path, S("/taken"))) {
        answer(x, 404, S("taken"));
        return HTTP_TAKEN;
    }
    if (slice_equal(path, S("/taken-later"))) {
        keep_pending(f, x);
        return HTTP_TAKEN;
    }
    if (slice_equal(path, S("/close"))) {
        http_fixture_start_closing(f);
    }
    return HTTP_READ_BODY;
}

static void on_request(void *context, struct http_exchange *x) {
    struct http_fixture *f = context;
    const struct http_request *request = http_request_of(x);
    f->requests++;
    if (slice_equal(request->path, S("/echo"))) {
        answer(x, 200, request->body);
    } else if (slice_equal(request->path, S("/later"))) {
        keep_pending(f, x);
    } else if (slice_equal(request->path, S("/empty"))) {
        answer(x, 204, S(""));
    } else if (slice_equal(request->path, S("/peer"))) {
        answer(x, 200, http_peer_of(x));
    } else if (slice_equal(request->path, S("/big"))) {
        answer_zeros(x, FIXTURE_BIG);
    } else if (slice_equal(request->path, S("/huge"))) {
        answer_zeros(x, FIXTURE_HUGE);
    } else if (slice_equal(request->path, S("/scratch"))) {
        fill_scratch(x);
    } else {
        answer(x, 200, S("now"));
    }
}

static const struct http_handler handler = {.on_head = on_head, .on_request = on_request};

void http_fixture_answer(struct http_fixture *f, unsigned n) {
    assert_true(n < f->pending_count);
    struct http_exchange *x = f->pending[n];
    f->pending_count--;
    memmove(&f->pending[n], &f->pending[n + 1], (f->pending_count - n) * sizeof f->pending[0]);
    struct call *call = http_scratch_of(x, sizeof *call, NULL);
    assert_ptr_equal(call->fixture, f);
    assert_ptr_equal(http_exchange_of_scratch(call), x);
    char text[sizeof call->text];
    memcpy(text, call->text, call->size);
    answer(x, 200, slice_of(text, call->size));
}

/* ---- the server ---- */

static void on_turn(void *context) {
    struct http_fixture *f = context;
    f->turns++;
    if (f->server != NULL) {
        http_server_flush(f->server);
    }
}

static void on_tick(uv_timer_t *timer) {
    struct http_fixture *f = timer->data;
    if (f->server != NULL) {
        http_server_tick(f->server, clock_wall_ms());
    }
}

static struct tls_context *tls;
static struct http_fixture *fixtures;

static struct slice port_of(struct slice address) {
    struct slice port = address;
    while (slice_split(&address, ':', &port)) {
    }
    return port;
}

static void wait_with_loop(struct slice address, bool (*is_so)(void *client),
                           struct client *client) {
    struct http_fixture *f = fixtures;
    while (f != NULL && !slice_equal(port_of(f->address), port_of(address))) {
        f = f->next;
    }
    assert_non_null(f);
    assert_true(test_loop_run_until(&f->loop, is_so, client, FIXTURE_WAIT_MS));
}

void http_fixture_use_tls(struct tls_context *reference) {
    tls_context_free(tls);
    tls = reference;
    client_tls_wait = wait_with_loop;
}

static void forget(const struct http_fixture *f) {
    struct http_fixture **at = &fixtures;
    while (*at != NULL && *at != f) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = f->next;
    }
}

void http_fixture_open(struct http_fixture *f, const char *listen,
                       const struct http_server_options *options) {
    forget(f); /* a test that failed left it open */
    memset(f, 0, sizeof *f);
    f->next = fixtures;
    fixtures = f;
    test_loop_open(&f->loop);
    f->loop.on_turn = on_turn;
    f->loop.on_turn_context = f;
    uv_timer_init(&f->loop.loop, &f->tick);
    f->tick.data = f;
    uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);

    if (options != NULL) {
        f->options = *options;
    }
    if (f->options.handler == NULL) {
        f->options.handler = &handler;
        f->options.context = f;
    }
    f->options.metrics = &f->metrics;
    if (f->options.max_connections == 0) {
        f->options.max_connections = 100;
    }
    f->server = http_server_new(&f->loop.loop, &f->options);
    assert_non_null(f->server);
    assert_true(tls == NULL || http_server_use_tls(f->server, tls_context_share(tls)));

    char message[256];
    struct buffer error = buffer_of(message, sizeof message);
    int fds[HTTP_ADDRESSES_MAX];
    struct http_sockets sockets = {.count = 1, .fds = fds};
    assert_int_equal(http_listen(slice_of_string(listen), &sockets, &error), HTTP_LISTENS);
    assert_int_equal(sockets.addresses, 1);
    struct buffer name = buffer_of(f->name, sizeof f->name);
    http_listener_name(fds[0], &name);
    f->address = buffer_slice(&name);
    assert_int_equal(http_server_add_listener(f->server, fds[0]), 0);
}

static void on_closed(void *context) {
    struct http_fixture *f = context;
    f->closed = true;
    http_server_free(f->server);
    f->server = NULL;
}

void http_fixture_start_closing(struct http_fixture *f) {
    f->closing = true;
    http_server_close(f->server, on_closed, f);
    assert_false(f->closed);
}

void http_fixture_close(struct http_fixture *f) {
    if (!f->closing) {
        http_fixture_start_closing(f);
    }
    while (f->pending_count != 0) {
        http_fixture_answer(f, 0);
    }
    http_fixture_expect_closed(f);
    forget(f);
    assert_int_equal(counter_read(&f->metrics.open), 0);
    uv_close((uv_handle_t *)&f->tick, NULL);
    test_loop_close(&f->loop);
    http_unlisten(f->address);
}

/* ---- waiting ---- */

struct wait {
    struct http_fixture *fixture;
    struct client *client;
    struct client_response response;
    bool for_head;
    unsigned count;
};

static bool has_response(void *context) {
    struct wait *wait = context;
    client_receive(wait->client);
    if (wait->response.status == 0) {
        client_take_response(wait->client, wait->for_head, &wait->response);
    }
    return wait->response.status != 0;
}

static struct client_response expect(struct http_fixture *f, struct client *client, unsigned status,
                                     bool for_head) {
    struct wait wait = {.client = client, .for_head = for_head};
    if (!test_loop_run_until(&f->loop, has_response, &wait, FIXTURE_WAIT_MS)) {
        fail_msg("no response; error %d, %zu bytes", client->error, client->size - client->taken);
    }
    assert_int_equal(wait.response.status, status);
    return wait.response;
}

struct client_response http_fixture_expect(struct http_fixture *f, struct client *client,
                                           unsigned status) {
    return expect(f, client, status, false);
}

struct client_response http_fixture_expect_for_head(struct http_fixture *f, struct client *client,
                                                    unsigned status) {
    return expect(f, client, status, true);
}

static bool has_ended(void *context) {
    struct wait *wait = context;
    client_receive(wait->client);
    return wait->client->ended;
}

void http_fixture_expect_end(struct http_fixture *f, struct client *client) {
    struct wait wait = {.client = client};
    assert_true(test_loop_run_until(&f->loop, has_ended, &wait, FIXTURE_WAIT_MS));
    assert_int_equal(client->size, client->taken);
}

static bool has_pending(void *context) {
    const struct wait *wait = context;
    return wait->fixture->pending_count == wait->count;
}

void http_fixture_expect_pending(struct http_fixture *f, unsigned count) {
    struct wait wait = {.fixture = f, .count = count};
    assert_true(test_loop_run_until(&f->loop, has_pending, &wait, FIXTURE_WAIT_MS));
}

static bool has_open(void *context) {
    const struct wait *wait = context;
    return counter_read(&wait->fixture->metrics.open) == wait->count;
}

void http_fixture_expect_open(struct http_fixture *f, unsigned count) {
    struct wait wait = {.fixture = f, .count = count};
    assert_true(test_loop_run_until(&f->loop, has_open, &wait, FIXTURE_WAIT_MS));
}

static bool is_closed(void *context) {
    const struct http_fixture *f = context;
    return f->closed;
}

void http_fixture_expect_closed(struct http_fixture *f) {
    assert_true(test_loop_run_until(&f->loop, is_closed, f, FIXTURE_WAIT_MS));
}
