/* What is bounded: time, memory, connections, descriptors. And the drain. */
#include "http/connection.h"
#include "http/exchange.h"
#include "mintd/flow.h"
#include "support/fault.h"
#include "support/http_fixture.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define H "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

#define assert_text(slice, text) assert_slice((slice), slice_of_string(text))

/* Valgrind accepts a connection first and then asks whether there was a descriptor for it. */
static bool runs_under_valgrind(void) {
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

/* With a sanitizer or valgrind, malloc is not glibc's. */
static bool heap_is_observable(void) {
    size_t before = mallinfo2().uordblks;
    void *volatile block = malloc(10000); /* or the compiler drops it */
    size_t after = mallinfo2().uordblks;
    free(block);
    return after - before >= 10000;
}

/* All descriptors that this process may still have. */
struct hoard {
    struct rlimit limit;
    int fds[256];
    unsigned count;
    bool is_on;
};

static struct hoard hoard;

static void hoard_start(void) {
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &hoard.limit), 0);
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(lowest >= 0);
    close(lowest);
    struct rlimit lowered = {(rlim_t)lowest + 64, hoard.limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    hoard.is_on = true;
    int fd;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
        assert_true(hoard.count < COUNT_OF(hoard.fds));
        hoard.fds[hoard.count++] = fd;
    }
    assert_int_equal(errno, EMFILE);
}

static void hoard_stop(void) {
    if (hoard.is_on) {
        setrlimit(RLIMIT_NOFILE, &hoard.limit);
        hoard.is_on = false;
    }
    while (hoard.count != 0) {
        close(hoard.fds[--hoard.count]);
    }
}

/* Opens the fixture that the test wants. */
static struct http_fixture *open_with(void **state, const struct http_server_options *options) {
    struct http_fixture *f = malloc(sizeof *f);
    assert_non_null(f);
    http_fixture_open(f, "127.0.0.1:0", options);
    *state = f;
    return f;
}

static int tear_down(void **state) {
    struct http_fixture *f = *state;
    hoard_stop();
    http_fixture_close(f);
    free(f);
    return 0;
}

static void ask(struct http_fixture *f, struct client *client, const char *request) {
    client_connect(client, f->address);
    client_send(client, slice_of_string(request));
}

static struct connection *only_connection(struct http_fixture *f) {
    assert_false(list_is_empty(&f->server->connections));
    return container_of(f->server->connections.next, struct connection, all);
}

static uint64_t timeouts(const struct http_fixture *f) {
    return counter_read(&f->metrics.timeouts);
}

/* ---- deadlines ---- */

static const struct http_server_options short_deadlines = {
    .head_ms = 60, .body_ms = 60, .idle_ms = 60, .write_ms = 100};

static void expect_408(struct http_fixture *f, struct client *client) {
    struct client_response response = http_fixture_expect(f, client, 408);
    assert_text(client_field(&response, S("connection")), "close");
    http_fixture_expect_end(f, client);
    assert_int_equal(client->error, 0);
    assert_int_equal(timeouts(f), 1);
    client_close(client);
    http_fixture_expect_open(f, 0);
}

static void test_a_slow_head(void **state) {
    struct http_fixture *f = open_with(state, &short_deadlines);
    struct client client;
    ask(f, &client, "GET /now");
    uint64_t start = uv_hrtime();
    /* One byte now and then does not prolong it. */
    for (unsigned i = 0; i < 4; i++) {
        test_loop_run_for(&f->loop, 10);
        client_send(&client, S("w"));
    }
    expect_408(f, &client);
    assert_in_range((uv_hrtime() - start) / 1000000u, 50, stretched_ms(1000));
}

static void test_a_slow_body(void **state) {
    struct http_fixture *f = open_with(state, &short_deadlines);
    struct client client;
    ask(f, &client, "POST /echo HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nabc");
    expect_408(f, &client);
    assert_int_equal(f->requests, 0);
}

static void test_a_slow_chunk(void **state) {
    struct http_fixture *f = open_with(state, &short_deadlines);
    struct client client;
    ask(f, &client, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5;ext");
    expect_408(f, &client);
}

static void test_idle_connections_close_silently(void **state) {
    struct http_fixture *f = open_with(state, &short_deadlines);
    struct client never_asked, asked, sent_empty_line;
    client_connect(&never_asked, f->address);
    ask(f, &sent_empty_line, "\r\n");
    ask(f, &asked, GET("/now"));
    http_fixture_expect(f, &asked, 200);
    http_fixture_expect_end(f, &never_asked);
    http_fixture_expect_end(f, &asked);
    http_fixture_expect_end(f, &sent_empty_line);
    assert_int_equal(timeouts(f), 3);
    client_close(&never_asked);
    client_close(&asked);
    client_close(&sent_empty_line);
}

/* Whoever waits for its endpoint is neither idle nor slow. */
static void test_a_slow_endpoint_is_waited_for(void **state) {
    struct http_fixture *f = open_with(state, &short_deadlines);
    struct client client;
    ask(f, &client, GET("/later?x"));
    http_fixture_expect_pending(f, 1);
    test_loop_run_for(&f->loop, 200);
    http_fixture_answer(f, 0);
    assert_text(http_fixture_expect(f, &client, 200).body, "x");
    assert_int_equal(timeouts(f), 0);
    client_close(&client);
}

static void test_a_client_that_never_reads(void **state) {
    struct http_fixture *f = open_with(state, &short_deadlines);
    struct client client;
    ask(f, &client, GET("/huge"));
    http_fixture_expect_open(f, 1);
    http_fixture_expect_open(f, 0);
    assert_int_equal(timeouts(f), 1);
    /* Reset: the kernel does not keep what was never delivered. */
    client_receive(&client);
    assert_int_equal(client.error, ECONNRESET);
    client_close(&client);
}

struct sip {
    struct client *client;
    struct client_response response;
    uint64_t last_ns;
};

/* 32 KiB every 10 ms at most. */
static bool has_sipped_all(void *context) {
    struct sip *sip = context;
    if (uv_hrtime() - sip->last_ns >= 10000000u) {
        client_receive_some(sip->client, 32u * 1024u);
        sip->last_ns = uv_hrtime();
    }
    return sip->response.status != 0 || client_take_response(sip->client, false, &sip->response);
}

/* It takes more than twice as long as a write may stall; and no busy machine takes that long
 * between two sips. */
static void test_a_client_that_reads_slowly(void **state) {
    const struct http_server_options options = {.write_ms = 1000};
    struct http_fixture *f = open_with(state, &options);
    struct client client;
    ask(f, &client, GET("/huge"));
    http_fixture_expect_open(f, 1);
    struct sip sip = {.client = &client};
    uint64_t start = uv_hrtime();
    assert_true(test_loop_run_until(&f->loop, has_sipped_all, &sip, 4 * FIXTURE_WAIT_MS));
    assert_int_equal(sip.response.body.size, FIXTURE_HUGE);
    assert_true((uv_hrtime() - start) / 1000000u > 2000);
    assert_int_equal(timeouts(f), 0);
    client_close(&client);
}

/* ---- buffers ---- */

static void test_requests_behind_an_unanswered_one_are_bounded(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client client;
    ask(f, &client, GET("/later?first"));
    int small = 16384; /* for the test to be quick */
    setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    http_fixture_expect_pending(f, 1);
    unsigned sent = 0;
    size_t last = 0;
    char batch[100 * sizeof GET("/now")];
    struct buffer b = buffer_of(batch, sizeof batch);
    for (unsigned i = 0; i < 100; i++) {
        buffer_append(&b, S(GET("/now")));
    }
    while (last == 0 && sent < 100000) { /* until the socket is full */
        last = b.size - client_push(&client, buffer_slice(&b));
        sent += 100;
        test_loop_run_for(&f->loop, 0);
    }
    const struct connection *c = only_connection(f);
    assert_true((c->watched & UV_READABLE) == 0);
    assert_true(c->input->size <= HTTP_MAX_HEAD + HTTP_MAX_BODY + READ_SIZE);
    assert_int_equal(f->requests, 1);

    http_fixture_answer(f, 0);
    assert_text(http_fixture_expect(f, &client, 200).body, "first");
    size_t size = sizeof GET("/now") - 1;
    unsigned whole = sent - (unsigned)((last + size - 1) / size);
    for (unsigned i = 0; i < whole; i++) {
        http_fixture_expect(f, &client, 200);
    }
    client_close(&client);
}

static void test_answers_that_nobody_reads_are_bounded(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client client;
    client_connect(&client, f->address);
    for (unsigned i = 0; i < 200; i++) {
        client_send(&client, S(GET("/big")));
    }
    test_loop_run_for(&f->loop, 200);
    assert_true(f->requests < 200);
    assert_true(connection_unsent(only_connection(f)) <= 64u * 1024u + FIXTURE_BIG + 1024u);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(http_fixture_expect(f, &client, 200).body.size, FIXTURE_BIG);
    }
    assert_int_equal(f->requests, 200);
    client_close(&client);
}

/* A client that pushes for ever behind a refusal is cut off. */
static void test_lingering_is_bounded(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client client;
    ask(f, &client, "GET /now HTTP/1.1\r\n\r\n");
    char *bytes = calloc(1, READ_SIZE);
    assert_non_null(bytes);
    size_t pushed = 0;
    while (client.error == 0) {
        pushed += client_push(&client, slice_of(bytes, READ_SIZE));
        test_loop_run_for(&f->loop, 0);
        assert_true(pushed < 64u * 1024u * 1024u);
    }
    http_fixture_expect_open(f, 0);
    free(bytes);
    client_close(&client);
}

static void test_an_idle_connection_costs_little(void **state) {
    enum { CONNECTIONS = 1000 };
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit raised = {limit.rlim_max, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &raised);
    const struct http_server_options options = {.max_connections = CONNECTIONS + 1};
    struct http_fixture *f = open_with(state, &options);
    static struct client clients[CONNECTIONS + 1];

    ask(f, &clients[CONNECTIONS], GET("/now")); /* warm */
    http_fixture_expect(f, &clients[CONNECTIONS], 200);
    size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        ask(f, &clients[i], GET("/now"));
        http_fixture_expect(f, &clients[i], 200);
        free(clients[i].data);
        clients[i].data = NULL;
        clients[i].size = clients[i].capacity = clients[i].taken = 0;
    }
    http_fixture_expect_open(f, CONNECTIONS + 1);
    size_t each = (mallinfo2().uordblks - before) / CONNECTIONS;
    if (heap_is_observable()) {
        print_message("an idle connection costs %zu bytes of heap\n", each);
        assert_in_range(each, sizeof(struct connection), 1023);
    }
    assert_true(f->server->exchange_count <= EXCHANGES_KEPT);
    assert_true(f->server->blocks.count <= BLOCKS_KEPT);
    for (unsigned i = 0; i <= CONNECTIONS; i++) {
        client_close(&clients[i]);
    }
    http_fixture_expect_open(f, 0);
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Many at work at once: what they borrow comes back, and the pools stay small. */
static void test_what_is_borrowed_comes_back(void **state) {
    enum { CONNECTIONS = 200 };
    const struct http_server_options options = {.max_connections = CONNECTIONS};
    struct http_fixture *f = open_with(state, &options);
    static struct client clients[CONNECTIONS];
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        ask(f, &clients[i], "GET /now HTT");
    }
    http_fixture_expect_open(f, CONNECTIONS);
    test_loop_run_for(&f->loop, 50);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        client_send(&clients[i], S("P/1.1\r\n" H "\r\n"));
    }
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        http_fixture_expect(f, &clients[i], 200);
        client_close(&clients[i]);
    }
    for (unsigned ticks = 0; ticks < 60; ticks++) {
        http_server_tick(f->server, 0);
    }
    assert_in_range(f->server->exchange_count, 1, EXCHANGES_IDLE);
    assert_in_range(f->server->blocks.count, 1, BLOCKS_IDLE);
}

/* ---- connections ---- */

static void test_too_many_connections(void **state) {
    const struct http_server_options options = {.max_connections = 2};
    struct http_fixture *f = open_with(state, &options);
    struct client first, second, third;
    client_connect(&first, f->address);
    client_connect(&second, f->address);
    http_fixture_expect_open(f, 2);
    client_connect(&third, f->address);
    http_fixture_expect_end(f, &third);
    assert_int_equal(counter_read(&f->metrics.turned_away), 1);
    assert_int_equal(counter_read(&f->metrics.accepted), 2);
    client_close(&third);

    client_close(&first);
    http_fixture_expect_open(f, 1);
    ask(f, &third, GET("/now"));
    http_fixture_expect(f, &third, 200);
    client_close(&second);
    client_close(&third);
}

static void test_out_of_descriptors_clients_are_turned_away(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    if (runs_under_valgrind()) {
        print_message("not under valgrind\n");
        skip();
    }
    struct client served, refused[3];
    ask(f, &served, GET("/now"));
    http_fixture_expect(f, &served, 200);
    for (unsigned i = 0; i < 3; i++) {
        client_connect(&refused[i], f->address); /* the kernel has them, the server not yet */
    }
    hoard_start();
    for (unsigned i = 0; i < 3; i++) {
        http_fixture_expect_end(f, &refused[i]);
    }
    assert_int_equal(counter_read(&f->metrics.turned_away), 3);
    assert_true(f->server->reserve_fd >= 0);
    client_send(&served, S(GET("/now")));
    http_fixture_expect(f, &served, 200);
    hoard_stop();
    for (unsigned i = 0; i < 3; i++) {
        client_close(&refused[i]);
    }
    client_close(&served);
}

static bool has_reserve(void *context) {
    const struct http_fixture *f = context;
    return f->server->reserve_fd >= 0;
}

/* Not even the reserve: the listener sleeps from tick to tick and the loop does not spin. */
static void test_out_of_descriptors_without_reserve(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    if (runs_under_valgrind()) {
        print_message("not under valgrind\n");
        skip();
    }
    struct client waiting;
    ask(f, &waiting, GET("/now"));
    hoard_start();
    /* As if another thread had taken it in the moment it was given up. */
    int taken = f->server->reserve_fd;
    f->server->reserve_fd = -1;
    unsigned turns = f->turns;
    test_loop_run_for(&f->loop, 300);
    assert_true(f->turns - turns < 300); /* a turn or two a tick of 5 ms */
    assert_int_equal(counter_read(&f->metrics.accepted), 0);
    close(taken);
    hoard_stop();
    http_fixture_expect(f, &waiting, 200);
    assert_true(test_loop_run_until(&f->loop, has_reserve, f, FIXTURE_WAIT_MS));
    client_close(&waiting);
}

/* ---- drain ---- */

static void test_drain(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client idle, in_flight, halfway, in_backlog, too_late;
    ask(f, &idle, GET("/now"));
    http_fixture_expect(f, &idle, 200);
    ask(f, &in_flight, GET("/later?x") GET("/now"));
    ask(f, &halfway, "GET /now HTTP/1.1\r\n");
    http_fixture_expect_pending(f, 1);
    http_fixture_expect_open(f, 3);
    test_loop_run_for(&f->loop, 10);
    ask(f, &in_backlog, GET("/now"));

    http_server_drain(f->server);
    http_server_drain(f->server);
    assert_false(http_server_is_idle(f->server));
    http_fixture_expect_end(f, &idle);
    client_connect(&too_late, f->address);
    client_receive(&too_late);
    assert_true(too_late.ended);
    assert_int_equal(too_late.error, ECONNREFUSED);

    struct client_response response = http_fixture_expect(f, &in_backlog, 200);
    assert_text(client_field(&response, S("connection")), "close");
    http_fixture_expect_end(f, &in_backlog);
    client_send(&halfway, S(H "\r\n"));
    response = http_fixture_expect(f, &halfway, 200);
    assert_text(client_field(&response, S("connection")), "close");
    http_fixture_expect_end(f, &halfway);
    http_fixture_answer(f, 0);
    response = http_fixture_expect(f, &in_flight, 200);
    assert_text(client_field(&response, S("connection")), "close");
    http_fixture_expect_end(f, &in_flight);

    client_close(&idle);
    client_close(&in_flight);
    client_close(&halfway);
    client_close(&in_backlog);
    client_close(&too_late);
    http_fixture_expect_open(f, 0);
    assert_true(http_server_is_idle(f->server));
}

/* A request that has arrived and was not read yet is answered; a connection that was just made has
 * a moment for its first request. */
static void test_drain_answers_what_has_arrived(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client unread, fresh, silent;
    ask(f, &unread, GET("/now"));
    http_fixture_expect(f, &unread, 200);
    client_connect(&fresh, f->address);
    client_connect(&silent, f->address);
    http_fixture_expect_open(f, 3);
    client_send(&unread, S(GET("/now")));
    http_server_drain(f->server);
    http_fixture_expect(f, &unread, 200);
    http_fixture_expect_end(f, &unread);
    client_send(&fresh, S(GET("/now")));
    http_fixture_expect(f, &fresh, 200);
    http_fixture_expect_end(f, &fresh);
    http_fixture_expect_end(f, &silent);
    assert_int_equal(timeouts(f), 0);
    client_close(&unread);
    client_close(&fresh);
    client_close(&silent);
}

/* ---- memory that cannot be had ---- */

static bool has_quieted(void *context) {
    struct http_fixture *f = context;
    return f->pending_count == 1 || counter_read(&f->metrics.open) == 0;
}

/* All roads at once: a cut request, a body, a refusal, a late answer, a large one. */
static void play_scenario(struct http_fixture *f) {
    struct client cut, refused, large, late;
    ask(f, &cut, "POST /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    ask(f, &refused, GET("/now") "GET /now HTTP/1.1\r\n\r\n");
    ask(f, &large, GET("/big") GET("/big"));
    ask(f, &late, GET("/later?x") GET("/now"));
    test_loop_run_for(&f->loop, 15);
    client_push(&cut, S("body"));
    test_loop_run_until(&f->loop, has_quieted, f, 20);
    while (f->pending_count != 0) {
        http_fixture_answer(f, 0);
    }
    test_loop_run_for(&f->loop, 10);
    client_close(&cut);
    client_close(&refused);
    client_close(&large);
    client_close(&late);
    http_fixture_expect_open(f, 0);
}

static void test_each_allocation_may_fail(void **state) {
    bool done = false;
    for (unsigned n = 1; !done; n++) {
        struct http_fixture *f = open_with(state, NULL);
        fault_fail_at(n);
        play_scenario(f);
        done = fault_count() < n;
        fault_disarm();
        /* It serves as if nothing had been. */
        struct client client;
        ask(f, &client, GET("/now"));
        assert_text(http_fixture_expect(f, &client, 200).body, "now");
        client_close(&client);
        assert_true(n < 200);
        if (!done) {
            tear_down(state);
        }
    }
}

static void test_a_server_without_memory(void **state) {
    (void)state;
    struct test_loop loop;
    test_loop_open(&loop);
    struct http_metrics metrics = {0};
    const struct http_server_options options = {.metrics = &metrics, .max_connections = 1};
    for (unsigned n = 1; n <= 2; n++) {
        fault_fail_at(n);
        assert_null(http_server_new(&loop.loop, &options));
        fault_disarm();
    }
    test_loop_close(&loop);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(test_a_slow_head),
        TEST(test_a_slow_body),
        TEST(test_a_slow_chunk),
        TEST(test_idle_connections_close_silently),
        TEST(test_a_slow_endpoint_is_waited_for),
        TEST(test_a_client_that_never_reads),
        TEST(test_a_client_that_reads_slowly),
        TEST(test_requests_behind_an_unanswered_one_are_bounded),
        TEST(test_answers_that_nobody_reads_are_bounded),
        TEST(test_lingering_is_bounded),
        TEST(test_an_idle_connection_costs_little),
        TEST(test_what_is_borrowed_comes_back),
        TEST(test_too_many_connections),
        TEST(test_out_of_descriptors_clients_are_turned_away),
        TEST(test_out_of_descriptors_without_reserve),
        TEST(test_drain),
        TEST(test_drain_answers_what_has_arrived),
        TEST(test_each_allocation_may_fail),
        cmocka_unit_test(test_a_server_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
