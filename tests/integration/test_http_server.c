/* Requests and answers over real sockets: order, bodies, closing, and clients that vanish. With the
 * argument "tls" all of it over TLS: nothing may differ. */
#include "http/connection.h"
#include "http/exchange.h"
#include "support/certificate.h"
#include "support/client_tls.h"
#include "support/http_fixture.h"
#include "unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define H "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"
#define POST(path, length, body)                                                                   \
    "POST " path " HTTP/1.1\r\n" H "Content-Length: " length "\r\n\r\n" body

#define assert_text(slice, text) assert_slice((slice), slice_of_string(text))

static int set_up(void **state) {
    struct http_fixture *f = malloc(sizeof *f);
    assert_non_null(f);
    http_fixture_open(f, "127.0.0.1:0", NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct http_fixture *f = *state;
    http_fixture_close(f);
    free(f);
    return 0;
}

static void ask(struct http_fixture *f, struct client *client, const char *request) {
    client_connect(client, f->address);
    client_send(client, slice_of_string(request));
}

static void assert_closes(struct http_fixture *f, struct client *client,
                          const struct client_response *response) {
    assert_text(client_field(response, S("connection")), "close");
    http_fixture_expect_end(f, client);
    assert_int_equal(client->error, 0);
    client_close(client);
}

/* ---- one request ---- */

static void test_an_answer_on_the_spot(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, GET("/now"));
    struct client_response response = http_fixture_expect(f, &client, 200);
    assert_text(response.body, "now");
    assert_text(client_field(&response, S("content-length")), "3");
    assert_int_equal(client_field(&response, S("date")).size, RESPONSE_DATE_SIZE);
    assert_int_equal(client_field(&response, S("x-request-id")).size, 16);
    assert_true(slice_is_absent(client_field(&response, S("connection"))));
    assert_true(slice_is_absent(client_field(&response, S("server"))));
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->requests, 1);
    assert_int_equal(counter_read(&f->metrics.accepted), 1);
    assert_int_equal(
        counter_read(&f->metrics.responses[FIXTURE_ENDPOINT][http_status_index_of(200)]), 1);
    client_close(&client);
    http_fixture_expect_open(f, 0);
}

static void test_an_answer_later(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, GET("/later?on"));
    http_fixture_expect_pending(f, 1);
    /* The request's bytes are gone. */
    assert_true(slice_is_absent(http_request_of(f->pending[0])->path));
    assert_int_equal(http_request_of(f->pending[0])->field_count, 0);
    http_fixture_answer(f, 0);
    assert_text(http_fixture_expect(f, &client, 200).body, "on");
    client_close(&client);
}

static void test_head_and_no_content(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, "HEAD /now HTTP/1.1\r\n" H "\r\n" GET("/empty") GET("/now"));
    struct client_response response = http_fixture_expect_for_head(f, &client, 200);
    assert_text(client_field(&response, S("content-length")), "3");
    response = http_fixture_expect(f, &client, 204);
    assert_true(slice_is_absent(client_field(&response, S("content-length"))));
    assert_text(http_fixture_expect(f, &client, 200).body, "now");
    client_close(&client);
}

static void test_http_1_0(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /now HTTP/1.0\r\n\r\n");
    struct client_response response = http_fixture_expect(f, &client, 200);
    assert_text(client_field(&response, S("connection")), "keep-alive");
    response = http_fixture_expect(f, &client, 200);
    assert_closes(f, &client, &response);
}

static void test_request_ids(void **state) {
    struct http_fixture *f = *state;
    static const struct {
        const char *field;
        const char *echoed;
    } cases[] = {
        {"X-Request-Id: aZ09._-", "aZ09._-"},
        {"X-Request-Id: a b", NULL},
        {"X-Request-Id: a\xe9", NULL},
        {"X-Request-Id:", NULL},
        {"X-Request-Id: a\r\nX-Request-Id: b", NULL},
        {"X-Request-Id: 1234567890123456789012345678901234567890123456789012345678901234",
         "1234567890123456789012345678901234567890123456789012345678901234"},
        {"X-Request-Id: 12345678901234567890123456789012345678901234567890123456789012345", NULL},
    };
    char ours[COUNT_OF(cases)][17] = {{0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client client;
        char request[256];
        snprintf(request, sizeof request, "GET /now HTTP/1.1\r\n" H "%s\r\n\r\n", cases[i].field);
        ask(f, &client, request);
        struct client_response response = http_fixture_expect(f, &client, 200);
        struct slice id = client_field(&response, S("x-request-id"));
        if (cases[i].echoed != NULL) {
            assert_text(id, cases[i].echoed);
        } else {
            assert_int_equal(id.size, 16);
            memcpy(ours[i], id.data, 16);
        }
        for (size_t j = 0; j < i; j++) {
            assert_true(ours[i][0] == '\0' || strcmp(ours[i], ours[j]) != 0);
        }
        client_close(&client);
    }
}

static void test_peers(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, GET("/peer"));
    assert_text(http_fixture_expect(f, &client, 200).body, "127.0.0.1");
    client_close(&client);

    struct http_fixture everywhere, unix_socket;
    http_fixture_open(&everywhere, ":0", NULL);
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", strrchr(everywhere.name, ':') + 1);
    client_connect(&client, slice_of_string(address));
    client_send(&client, S(GET("/peer")));
    assert_text(http_fixture_expect(&everywhere, &client, 200).body, "127.0.0.1");
    client_close(&client);
    http_fixture_close(&everywhere);

    snprintf(address, sizeof address, "unix:/tmp/mintd_test_http_%d", (int)getpid());
    http_fixture_open(&unix_socket, address, NULL);
    ask(&unix_socket, &client, GET("/peer"));
    assert_text(http_fixture_expect(&unix_socket, &client, 200).body, "unix");
    client_close(&client);
    http_fixture_close(&unix_socket);
}

/* ---- several requests ---- */

static void test_ten_thousand_requests_on_one_connection(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    client_connect(&client, f->address);
    for (unsigned i = 0; i < 10000; i++) {
        client.size = client.taken = 0;
        client_send(&client, S(GET("/now")));
        assert_text(http_fixture_expect(f, &client, 200).body, "now");
    }
    assert_int_equal(f->requests, 10000);
    assert_int_equal(counter_read(&f->metrics.accepted), 1);
    client_close(&client);
}

static void test_pipelined_answers_keep_their_order(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client,
        GET("/later?1") GET("/now") POST("/echo", "1", "3") GET("/taken") GET("/later?5")
            GET("/later?6") GET("/now"));
    http_fixture_expect_pending(f, 1);
    test_loop_run_for(&f->loop, 20);
    client_receive(&client);
    assert_int_equal(client.size, 0); /* nothing overtakes */
    assert_int_equal(f->requests, 1);
    http_fixture_answer(f, 0);
    assert_text(http_fixture_expect(f, &client, 200).body, "1");
    assert_text(http_fixture_expect(f, &client, 200).body, "now");
    assert_text(http_fixture_expect(f, &client, 200).body, "3");
    assert_text(http_fixture_expect(f, &client, 404).body, "taken");
    http_fixture_expect_pending(f, 1);
    http_fixture_answer(f, 0);
    assert_text(http_fixture_expect(f, &client, 200).body, "5");
    http_fixture_expect_pending(f, 1);
    http_fixture_answer(f, 0);
    assert_text(http_fixture_expect(f, &client, 200).body, "6");
    assert_text(http_fixture_expect(f, &client, 200).body, "now");
    client_close(&client);
}

static void test_a_thousand_pipelined_requests(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    client_connect(&client, f->address);
    for (unsigned i = 0; i < 500; i++) {
        client_send(&client, S(GET("/now") POST("/echo", "4", "body")));
    }
    for (unsigned i = 0; i < 500; i++) {
        assert_text(http_fixture_expect(f, &client, 200).body, "now");
        assert_text(http_fixture_expect(f, &client, 200).body, "body");
    }
    client_close(&client);
}

/* One client's late answer holds up nobody else. */
static void test_connections_do_not_wait_for_each_other(void **state) {
    struct http_fixture *f = *state;
    struct client slow, quick;
    ask(f, &slow, GET("/later?slow"));
    http_fixture_expect_pending(f, 1);
    ask(f, &quick, GET("/now"));
    assert_text(http_fixture_expect(f, &quick, 200).body, "now");
    http_fixture_answer(f, 0);
    assert_text(http_fixture_expect(f, &slow, 200).body, "slow");
    client_close(&slow);
    client_close(&quick);
}

/* ---- bodies ---- */

static void test_requests_byte_by_byte(void **state) {
    struct http_fixture *f = *state;
    static const char *const requests[] = {
        "\r\n" POST("/echo", "4", "body"),
        "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
        "1;x\r\nb\r\n3\r\nody\r\n0\r\nTrailer: x\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct client client;
        client_connect(&client, f->address);
        for (const char *at = requests[i]; *at != '\0'; at++) {
            client_send(&client, slice_of(at, 1));
            test_loop_run_for(&f->loop, 0);
        }
        assert_text(http_fixture_expect(f, &client, 200).body, "body");
        client_close(&client);
    }
}

static void test_large_bodies(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    char *body = malloc(HTTP_MAX_BODY);
    assert_non_null(body);
    for (size_t i = 0; i < HTTP_MAX_BODY; i++) {
        body[i] = (char)('a' + i % 26);
    }
    client_connect(&client, f->address);
    /* Twice, the second behind the first: both go through the input block and the read buffer. */
    for (unsigned i = 0; i < 2; i++) {
        client_send(&client, S("POST /echo HTTP/1.1\r\n" H "Content-Length: 16384\r\n\r\n"));
        client_send(&client, slice_of(body, HTTP_MAX_BODY));
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_slice(http_fixture_expect(f, &client, 200).body, slice_of(body, HTTP_MAX_BODY));
    }
    client_close(&client);
    free(body);
}

/* H-34, H-35, H-36 */
static void test_expect_continue(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client,
        "POST /echo HTTP/1.1\r\n" H "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    struct client_response response = http_fixture_expect(f, &client, 100);
    assert_text(response.head, "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&client, S("bo"));
    test_loop_run_for(&f->loop, 20);
    client_send(&client, S("dy"));
    assert_text(http_fixture_expect(f, &client, 200).body, "body");
    client_close(&client);

    ask(f, &client,
        "POST /taken HTTP/1.1\r\n" H "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    response = http_fixture_expect(f, &client, 404);
    assert_closes(f, &client, &response);

    ask(f, &client,
        "POST /echo HTTP/1.1\r\n" H "Content-Length: 16385\r\nExpect: 100-continue\r\n\r\n");
    response = http_fixture_expect(f, &client, 413);
    assert_closes(f, &client, &response);

    ask(f, &client, "POST /echo HTTP/1.0\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody");
    assert_text(http_fixture_expect(f, &client, 200).body, "body");
    client_close(&client);

    ask(f, &client, "GET /now HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n");
    assert_text(http_fixture_expect(f, &client, 200).body, "now");
    client_close(&client);
}

/* ---- closing ---- */

/* H-39 */
static void test_connection_close(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client,
        "GET /later?a HTTP/1.1\r\n" H "Connection: close\r\n\r\n" GET("/now") GET("/now"));
    http_fixture_expect_pending(f, 1);
    http_fixture_answer(f, 0);
    struct client_response response = http_fixture_expect(f, &client, 200);
    assert_closes(f, &client, &response);
    assert_int_equal(f->requests, 1);
    http_fixture_expect_open(f, 0);
}

/* H-40: also where the body is in already, and where it comes while the endpoint thinks. */
static void test_an_unread_body_is_no_request(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    struct client_response response;
    ask(f, &client, POST("/taken", "30", GET("/now")));
    response = http_fixture_expect(f, &client, 404);
    assert_closes(f, &client, &response);

    ask(f, &client, POST("/taken-later?t", "3000", GET("/now")));
    http_fixture_expect_pending(f, 1);
    client_send(&client, S(GET("/now") GET("/now")));
    test_loop_run_for(&f->loop, 20);
    http_fixture_answer(f, 0);
    response = http_fixture_expect(f, &client, 200);
    assert_text(response.body, "t");
    assert_closes(f, &client, &response);
    assert_int_equal(f->requests, 0);
    assert_int_equal(f->heads, 2);
}

static void test_a_refusal(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, GET("/now") "GET /now HTTP/1.1\r\nX-Request-Id: mine\r\n\r\n" GET("/now"));
    http_fixture_expect(f, &client, 200);
    struct client_response response = http_fixture_expect(f, &client, 400);
    assert_text(response.body, "{\"error\":\"invalid_request\",\"error_description\":\"exactly one "
                               "Host field is needed\"}");
    assert_text(client_field(&response, S("content-type")), "application/json");
    assert_text(client_field(&response, S("cache-control")), "no-store");
    assert_text(client_field(&response, S("x-request-id")), "mine");
    assert_closes(f, &client, &response);
    assert_int_equal(f->requests, 1);
    assert_int_equal(counter_read(&f->metrics.responses[0][http_status_index_of(400)]), 1);
}

static void test_a_refusal_of_head_has_no_body(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, "HEAD /now HTTP/1.1\r\n\r\n");
    struct client_response response = http_fixture_expect_for_head(f, &client, 400);
    assert_closes(f, &client, &response);
}

/* A body that turns out to be malformed after the endpoint has seen the head. */
static void test_a_refusal_in_the_body(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n");
    struct client_response response = http_fixture_expect(f, &client, 400);
    assert_closes(f, &client, &response);
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->requests, 0);
}

struct pusher {
    struct client *client;
    struct slice left;
};

static bool has_pushed_all(void *context) {
    struct pusher *pusher = context;
    pusher->left = slice_skip(pusher->left, client_push(pusher->client, pusher->left));
    return pusher->left.size == 0 || pusher->client->error != 0;
}

/* H-49 */
static void test_an_early_refusal_reaches_who_still_writes(void **state) {
    struct http_fixture *f = *state;
    size_t size = 1024u * 1024u;
    char *body = calloc(1, size);
    assert_non_null(body);
    struct client client;
    ask(f, &client, "POST /echo HTTP/1.1\r\n" H "Content-Length: 1048576\r\n\r\n");
    struct pusher pusher = {&client, slice_of(body, size)};
    assert_true(test_loop_run_until(&f->loop, has_pushed_all, &pusher, FIXTURE_WAIT_MS));
    assert_int_equal(client.error, 0);
    struct client_response response = http_fixture_expect(f, &client, 413);
    assert_closes(f, &client, &response);
    free(body);
}

/* H-48 */
static void test_half_closed_clients_are_answered(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, GET("/now") GET("/later?2") GET("/now"));
    client_shut(&client);
    http_fixture_expect_pending(f, 1);
    test_loop_run_for(&f->loop, 20);
    http_fixture_answer(f, 0);
    http_fixture_expect(f, &client, 200);
    assert_text(http_fixture_expect(f, &client, 200).body, "2");
    http_fixture_expect(f, &client, 200);
    http_fixture_expect_end(f, &client);
    assert_int_equal(client.error, 0);
    client_close(&client);
    http_fixture_expect_open(f, 0);

    ask(f, &client, GET("/big") "GET /n");
    client_shut(&client);
    assert_int_equal(http_fixture_expect(f, &client, 200).body.size, FIXTURE_BIG);
    http_fixture_expect_end(f, &client);
    client_close(&client);
}

/* H-41 */
static void test_an_incomplete_request_is_not_acted_upon(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, POST("/echo", "29", "twenty bytes of body"));
    client_shut(&client);
    http_fixture_expect_end(f, &client);
    assert_int_equal(f->requests, 0);
    client_close(&client);
    http_fixture_expect_open(f, 0);
}

/* ---- clients that vanish ---- */

static void vanish(struct client *client, bool with_reset) {
    if (with_reset) {
        client_reset(client);
    } else {
        client_close(client);
    }
}

static void test_clients_that_vanish_at_every_byte(void **state) {
    struct http_fixture *f = *state;
    static const char request[] =
        "POST /later?x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for (unsigned with_reset = 0; with_reset < 2; with_reset++) {
        for (size_t size = 0; size < sizeof request; size++) {
            struct client client;
            client_connect(&client, f->address);
            client_send(&client, slice_of(request, size));
            test_loop_run_for(&f->loop, 0);
            vanish(&client, with_reset != 0);
            while (size == sizeof request - 1 && f->pending_count == 0) {
                http_fixture_expect_pending(f, 1);
            }
            while (f->pending_count != 0) {
                http_fixture_answer(f, 0); /* nobody is there */
            }
            http_fixture_expect_open(f, 0);
        }
    }
}

/* It may have been a revocation: what arrived whole counts, also when the reset has arrived too. */
static void test_a_request_ahead_of_a_reset_is_acted_upon(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    client_connect(&client, f->address);
    http_fixture_expect_open(f, 1);
    client_send(&client, S(GET("/now")));
    client_reset(&client);
    http_fixture_expect_open(f, 0);
    assert_int_equal(f->requests, 1);
}

static void test_an_answer_to_nobody(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, GET("/later?x") GET("/now"));
    http_fixture_expect_pending(f, 1);
    client_reset(&client);
    http_fixture_expect_open(f, 0);
    assert_text(http_peer_of(f->pending[0]), "127.0.0.1");
    assert_int_equal(http_request_id_of(f->pending[0]).size, 16);
    test_loop_run_for(&f->loop, 10);
    http_fixture_answer(f, 0);
    assert_int_equal(f->requests, 1);
}

/* ---- the end of the server ---- */

static void test_the_server_waits_for_open_exchanges(void **state) {
    struct http_fixture *f = *state;
    struct client waiting, idle, halfway;
    ask(f, &waiting, GET("/later?x"));
    ask(f, &halfway, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nab");
    ask(f, &idle, "");
    http_fixture_expect_pending(f, 1);
    http_fixture_expect_open(f, 3);
    http_fixture_start_closing(f);
    assert_true(http_server_is_idle(f->server));
    http_fixture_expect_end(f, &waiting);
    http_fixture_expect_end(f, &halfway);
    http_fixture_expect_end(f, &idle);
    test_loop_run_for(&f->loop, 20);
    assert_false(f->closed);
    http_fixture_answer(f, 0);
    assert_false(f->closed); /* on a later turn, never from within */
    http_fixture_expect_closed(f);
    client_close(&waiting);
    client_close(&halfway);
    client_close(&idle);
}

static void test_the_handler_closes_the_server(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, POST("/close", "3", "abc") GET("/now"));
    http_fixture_expect_closed(f);
    client_close(&client);
}

static void test_the_handler_closes_the_server_without_body(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, GET("/close") GET("/now"));
    http_fixture_expect_closed(f);
    client_close(&client);
}

/* ---- secrets ---- */

static bool is_zero(const char *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (data[i] != 0) {
            return false;
        }
    }
    return true;
}

static void test_what_was_read_is_wiped(void **state) {
    struct http_fixture *f = *state;
    struct client client;
    ask(f, &client, "GET /scratch HTTP/1.1\r\n" H "Authorization: Basic c2VjcmV0\r\n\r\n");
    http_fixture_expect(f, &client, 200);
    assert_true(is_zero(f->server->read_buffer, READ_SIZE));
    assert_true(f->server->plain_buffer == NULL || is_zero(f->server->plain_buffer, READ_SIZE));
    assert_non_null(f->server->exchanges);
    assert_true(is_zero(f->server->exchanges->scratch, 1000));

    /* Through the input block. */
    client_send(&client, S("POST /echo HTTP/1.1\r\n" H "Authorization: Basic c2VjcmV0\r\n"));
    test_loop_run_for(&f->loop, 10);
    client_send(&client, S("Content-Length: 6\r\n\r\nsecret"));
    http_fixture_expect(f, &client, 200);
    assert_true(is_zero(f->server->read_buffer, READ_SIZE));
    unsigned blocks = 0;
    for (const struct block *b = f->server->blocks.kept; b != NULL; b = b->next) {
        assert_null(memmem(b->data, b->capacity, "secret", 6));
        assert_null(memmem(b->data, b->capacity, "c2VjcmV0", 8));
        blocks++;
    }
    assert_true(blocks > 0);
    client_close(&client);
}

/* ---- TLS ---- */

static struct certificate certificate;

static int start_tls(void **state) {
    (void)state;
    char message[256];
    struct buffer error = buffer_of(message, sizeof message);
    certificate_make(&certificate, "test");
    struct tls_context *tls = http_tls_new(slice_of_string(certificate.file),
                                           slice_of_string(certificate.key_file), &error, NULL);
    assert_non_null(tls);
    http_fixture_use_tls(tls);
    client_tls_start(certificate.file);
    return 0;
}

static int stop_tls(void **state) {
    (void)state;
    http_fixture_use_tls(NULL);
    client_tls_stop();
    certificate_remove(&certificate);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv) {
    bool with_tls = argc == 2 && strcmp(argv[1], "tls") == 0;
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(test_an_answer_on_the_spot),
        TEST(test_an_answer_later),
        TEST(test_head_and_no_content),
        TEST(test_http_1_0),
        TEST(test_request_ids),
        TEST(test_peers),
        TEST(test_ten_thousand_requests_on_one_connection),
        TEST(test_pipelined_answers_keep_their_order),
        TEST(test_a_thousand_pipelined_requests),
        TEST(test_connections_do_not_wait_for_each_other),
        TEST(test_requests_byte_by_byte),
        TEST(test_large_bodies),
        TEST(test_expect_continue),
        TEST(test_connection_close),
        TEST(test_an_unread_body_is_no_request),
        TEST(test_a_refusal),
        TEST(test_a_refusal_of_head_has_no_body),
        TEST(test_a_refusal_in_the_body),
        TEST(test_an_early_refusal_reaches_who_still_writes),
        TEST(test_half_closed_clients_are_answered),
        TEST(test_an_incomplete_request_is_not_acted_upon),
        TEST(test_clients_that_vanish_at_every_byte),
        TEST(test_a_request_ahead_of_a_reset_is_acted_upon),
        TEST(test_an_answer_to_nobody),
        TEST(test_the_server_waits_for_open_exchanges),
        TEST(test_the_handler_closes_the_server),
        TEST(test_the_handler_closes_the_server_without_body),
        TEST(test_what_was_read_is_wiped),
    };
    return with_tls ? cmocka_run_group_tests(tests, start_tls, stop_tls)
                    : cmocka_run_group_tests(tests, NULL, NULL);
}
