/* What TLS adds to the server: records and handshakes that are cut, stall or fail; the end that is
 * said; what is bounded; a new certificate. That requests and answers are the same as without is
 * shown by test_http_server.c, run over TLS. */
#include "http/connection.h"
#include "mintd/crypto.h"
#include "mintd/flow.h"
#include "mintd/tls.h"
#include "support/certificate.h"
#include "support/client_tls.h"
#include "support/fault.h"
#include "support/http_fixture.h"
#include "unit/unit.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define H "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"
#define RECORDS_MAX 32768u

#define assert_text(slice, text) assert_slice((slice), slice_of_string(text))

static struct certificate first, second;

static struct tls_context *load(const struct certificate *certificate) {
    char message[256];
    struct buffer error = buffer_of(message, sizeof message);
    struct tls_context *tls = http_tls_new(slice_of_string(certificate->file),
                                           slice_of_string(certificate->key_file), &error, NULL);
    assert_non_null(tls);
    return tls;
}

static struct http_fixture *open_with(void **state, const struct http_server_options *options) {
    struct http_fixture *f = malloc(sizeof *f);
    assert_non_null(f);
    http_fixture_open(f, "127.0.0.1:0", options);
    *state = f;
    return f;
}

static int tear_down(void **state) {
    struct http_fixture *f = *state;
    client_tls_limit("TLSv1.3");
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

static void send_raw(const struct client *client, const char *data, size_t size) {
    assert_int_equal(send(client->fd, data, size, MSG_NOSIGNAL), size);
}

static uint64_t failed(const struct http_fixture *f) {
    return counter_read(&f->metrics.handshakes_failed);
}

static const char *const versions[] = {"TLSv1.2", "TLSv1.3"};

/* ---- records ---- */

/* Two requests in a record, and a request over two records: both, cut at every byte. */
static void test_records_cut_at_every_byte(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    for (unsigned v = 0; v < COUNT_OF(versions); v++) {
        struct client client;
        char records[RECORDS_MAX];
        client_tls_limit(versions[v]);
        client_connect(&client, f->address);
        size_t size = client_tls_seal(&client, S(GET("/now") GET("/now") "POST /echo HTTP/1.1\r\n"),
                                      records, sizeof records);
        size += client_tls_seal(&client, S(H "Content-Length: 4\r\n\r\nbody"), records + size,
                                sizeof records - size);
        for (size_t i = 0; i < size; i++) {
            send_raw(&client, records + i, 1);
            test_loop_run_for(&f->loop, 0);
        }
        assert_text(http_fixture_expect(f, &client, 200).body, "now");
        assert_text(http_fixture_expect(f, &client, 200).body, "now");
        assert_text(http_fixture_expect(f, &client, 200).body, "body");

        for (size_t cut = 1; cut < 100; cut++) { /* the same, cut in two */
            size = client_tls_seal(&client, S(GET("/now") GET("/empty")), records, sizeof records);
            if (cut >= size) {
                break;
            }
            send_raw(&client, records, cut);
            test_loop_run_for(&f->loop, 0);
            send_raw(&client, records + cut, size - cut);
            http_fixture_expect(f, &client, 200);
            http_fixture_expect(f, &client, 204);
        }
        client_close(&client);
        http_fixture_expect_open(f, 0);
    }
}

/* One read holds a request that is answered late and many more: nothing of them is left in OpenSSL,
 * where no packet would wake it. */
static void test_no_request_waits_for_another_packet(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client client;
    char text[40 * sizeof GET("/now")];
    struct buffer requests = buffer_of(text, sizeof text);
    for (unsigned i = 0; i < 40; i++) {
        buffer_append(&requests, S(GET("/now")));
    }
    ask(f, &client, GET("/later?x"));
    for (unsigned i = 0; i < 20; i++) {
        client_send(&client, buffer_slice(&requests));
    }
    http_fixture_expect_pending(f, 1);
    test_loop_run_for(&f->loop, 20);
    http_fixture_answer(f, 0);
    assert_text(http_fixture_expect(f, &client, 200).body, "x");
    for (unsigned i = 0; i < 800; i++) {
        assert_text(http_fixture_expect(f, &client, 200).body, "now");
    }
    client_close(&client);
}

static void test_a_record_that_was_tampered_with(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client client;
    char records[RECORDS_MAX];
    ask(f, &client, GET("/later?x"));
    http_fixture_expect_pending(f, 1);
    size_t size = client_tls_seal(&client, S(GET("/now")), records, sizeof records);
    records[size - 1] = (char)(records[size - 1] ^ 1);
    send_raw(&client, records, size);
    http_fixture_expect_end(f, &client);
    http_fixture_answer(f, 0); /* to nobody */
    http_fixture_expect_open(f, 0);
    assert_int_equal(f->requests, 1);
    assert_int_equal(failed(f), 0); /* that counts handshakes */
    client_close(&client);
}

/* ---- the end ---- */

static void test_the_end_is_said(void **state) {
    const struct http_server_options options = {.idle_ms = 60};
    struct http_fixture *f = open_with(state, &options);
    for (unsigned v = 0; v < COUNT_OF(versions); v++) {
        struct client answered, idle;
        client_tls_limit(versions[v]);
        ask(f, &answered, "GET /now HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
        http_fixture_expect(f, &answered, 200);
        http_fixture_expect_end(f, &answered);
        assert_true(client_tls_was_ended(&answered));
        assert_int_equal(answered.error, 0);
        ask(f, &idle, GET("/now"));
        http_fixture_expect(f, &idle, 200);
        http_fixture_expect_end(f, &idle);
        assert_true(client_tls_was_ended(&idle));
        assert_int_equal(idle.error, 0);
        client_close(&answered);
        client_close(&idle);
    }
}

/* A client may end its half by close_notify, by FIN, or both; what it asked before is answered. */
static void test_clients_that_end_their_half(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    for (unsigned how = 0; how < 3; how++) {
        struct client client;
        ask(f, &client, GET("/later?x") GET("/big") "GET /n");
        if (how != 1) {
            client_tls_shut(&client);
        }
        if (how != 0) {
            assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
        }
        http_fixture_expect_pending(f, 1);
        test_loop_run_for(&f->loop, 20);
        http_fixture_answer(f, 0);
        assert_text(http_fixture_expect(f, &client, 200).body, "x");
        assert_int_equal(http_fixture_expect(f, &client, 200).body.size, FIXTURE_BIG);
        http_fixture_expect_end(f, &client);
        assert_true(client_tls_was_ended(&client));
        client_close(&client);
        http_fixture_expect_open(f, 0);
    }
}

/* ---- handshakes ---- */

static void test_a_handshake_that_stalls(void **state) {
    const struct http_server_options options = {.head_ms = 60, .idle_ms = 60000};
    struct http_fixture *f = open_with(state, &options);
    struct client silent, halfway;
    client_connect_plain(&silent, f->address);
    client_connect_plain(&halfway, f->address);
    client_send(&halfway, S("\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03"));
    http_fixture_expect_open(f, 2);
    http_fixture_expect_end(f, &silent);
    http_fixture_expect_end(f, &halfway);
    assert_int_equal(silent.size + halfway.size, 0);
    assert_int_equal(counter_read(&f->metrics.timeouts), 2);
    http_fixture_expect_open(f, 0);
    client_close(&silent);
    client_close(&halfway);
}

static bool has_ended(void *context) {
    struct client *client = context;
    client_receive(client);
    return client->ended;
}

static void test_handshakes_that_fail(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    static const struct {
        struct slice bytes;
        bool is_alerted;
    } cases[] = {
        {SLICE(GET("/now")), false},
        {SLICE("\x16\x03\x01\x00\x04\x01\x00\x00\x00"), true}, /* an empty hello */
        {SLICE("\x17\x03\x03\x00\x01x"), true},                /* data first */
        {SLICE("\x16\x03\x01\xff\xff\x01\x00\x00\x00"), true}, /* a record too long */
        {SLICE("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client client;
        client_connect_plain(&client, f->address);
        client_send(&client, cases[i].bytes);
        client_shut(&client);
        assert_true(test_loop_run_until(&f->loop, has_ended, &client, FIXTURE_WAIT_MS));
        assert_int_equal(client.error, 0);
        assert_true(client.size == 0 || client.data[0] == 0x15);
        assert_true(client.size != 0 || !cases[i].is_alerted);
        assert_int_equal(failed(f), i + 1);
        http_fixture_expect_open(f, 0);
        client_close(&client);
    }
    assert_int_equal(f->heads, 0);
}

/* In the middle of a hello, and of everything that follows it. */
static void test_clients_that_vanish_in_the_handshake(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    static const char hello[] = "\x16\x03\x01\x00\x20\x01\x00\x00\x1c\x03\x03";
    for (size_t size = 0; size < sizeof hello; size++) {
        struct client polite, rude;
        client_connect_plain(&polite, f->address);
        client_connect_plain(&rude, f->address);
        client_send(&polite, slice_of(hello, size));
        client_send(&rude, slice_of(hello, size));
        test_loop_run_for(&f->loop, 0);
        client_close(&polite);
        client_reset(&rude);
        http_fixture_expect_open(f, 0);
    }
    assert_int_equal(failed(f), 0); /* nothing was wrong with them */
}

static void test_drain_meets_handshakes(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client stalled, late;
    client_connect_plain(&stalled, f->address);
    client_connect(&late, f->address);
    assert_int_equal(counter_read(&f->metrics.open), 2);
    http_server_drain(f->server);
    client_send(&late, S(GET("/now")));
    struct client_response response = http_fixture_expect(f, &late, 200);
    assert_text(client_field(&response, S("connection")), "close");
    http_fixture_expect_end(f, &late);
    http_fixture_expect_end(f, &stalled); /* 2 s, not the 10 of the handshake */
    http_fixture_expect_open(f, 0);
    client_close(&stalled);
    client_close(&late);
}

/* ---- bounds ---- */

static void test_a_client_that_never_reads(void **state) {
    const struct http_server_options options = {.write_ms = 100};
    struct http_fixture *f = open_with(state, &options);
    struct client client;
    ask(f, &client, GET("/huge"));
    http_fixture_expect_open(f, 1);
    http_fixture_expect_open(f, 0);
    assert_int_equal(counter_read(&f->metrics.timeouts), 1);
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
    assert_true(connection_unsent(only_connection(f)) <= 64u * 1024u + FIXTURE_BIG + 4096u);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(http_fixture_expect(f, &client, 200).body.size, FIXTURE_BIG);
    }
    client_close(&client);
}

static void test_requests_behind_an_unanswered_one_are_bounded(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client client;
    char *text = calloc(1, 60000);
    assert_non_null(text);
    struct buffer requests = buffer_of(text, 60000);
    while (requests.capacity - requests.size >= sizeof GET("/now")) {
        buffer_append(&requests, S(GET("/now")));
    }
    ask(f, &client, GET("/later?x"));
    int small = 16384; /* for the test to be quick */
    setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    http_fixture_expect_pending(f, 1);
    unsigned batches = 0;
    const struct connection *c = only_connection(f);
    uint64_t start = uv_hrtime();
    while ((c->watched & UV_READABLE) != 0) {
        batches += client_push(&client, buffer_slice(&requests)) != 0;
        test_loop_run_for(&f->loop, 0);
        assert_true(uv_hrtime() - start < FIXTURE_WAIT_MS * 1000000ull);
    }
    assert_true(c->input->size <= HTTP_MAX_HEAD + HTTP_MAX_BODY + READ_SIZE + 16384u);
    assert_int_equal(f->requests, 1);
    http_fixture_answer(f, 0);
    assert_text(http_fixture_expect(f, &client, 200).body, "x");
    for (size_t i = 0; i < batches * (requests.size / (sizeof GET("/now") - 1)); i++) {
        http_fixture_expect(f, &client, 200);
    }
    client_close(&client);
    free(text);
}

/* New keys and renegotiations that are asked for without end, and whose answers nobody reads: the
 * first are given, the second refused; neither makes anything grow. */
static void test_clients_that_rekey_for_ever(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    for (unsigned v = 0; v < COUNT_OF(versions); v++) {
        struct client client;
        client_tls_limit(versions[v]);
        ask(f, &client, GET("/now"));
        http_fixture_expect(f, &client, 200);
        for (unsigned i = 0; i < 1000 && client.error == 0; i++) {
            client_tls_rekey(&client);
            if (i % 20 != 0) {
                continue;
            }
            test_loop_run_for(&f->loop, 0);
            assert_true(list_is_empty(&f->server->connections) || only_connection(f)->tls == NULL ||
                        tls_output_size(only_connection(f)->tls) <= 64u * 1024u);
        }
        client_close(&client);
        http_fixture_expect_open(f, 0);
    }
    struct client client;
    ask(f, &client, GET("/now"));
    client_tls_rekey(&client);
    http_fixture_expect(f, &client, 200);
    client_send(&client, S(GET("/now")));
    http_fixture_expect(f, &client, 200); /* with the new keys */
    client_close(&client);
}

/* A change of keys costs the server as much as some requests: a few ahead of some plaintext are
 * fine. A row of nothing else, or with a byte now and then, ends the connection before all are
 * looked at. */
static void change_keys_for_ever(struct http_fixture *f, bool with_bytes) {
    struct client client;
    char request[4096 + 64];
    int size =
        snprintf(request, sizeof request, "GET /now HTTP/1.1\r\nHost: h\r\nX: %04000d\r\n\r\n", 0);
    client_tls_limit("TLSv1.3");
    ask(f, &client, GET("/now"));
    http_fixture_expect(f, &client, 200);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 15; i++) {
            client_tls_update_key(&client);
        }
        test_loop_run_for(&f->loop, 0);
        client_send(&client, slice_of(request, (size_t)size));
        http_fixture_expect(f, &client, 200);
    }
    for (unsigned i = 0; i < 20; i++) {
        client_tls_update_key(&client);
        if (with_bytes) {
            client_send(&client, S("G"));
        }
    }
    http_fixture_expect_open(f, 0);
    client_close(&client);
}

static void test_clients_that_change_their_key_for_ever(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    change_keys_for_ever(f, false);
    change_keys_for_ever(f, true);
}

/* This program has functions of its own for OpenSSL's memory, which wipe nothing. */
static void test_openssl_wipes_where_we_cannot(void **state) {
    (void)state;
    struct tls_context *tls = load(&first);
    assert_false(crypto_owns_allocations());
    assert_true((SSL_CTX_get_options(tls_context_openssl(tls)) & SSL_OP_CLEANSE_PLAINTEXT) != 0);
    tls_context_free(tls);
}

static void test_an_idle_connection_has_no_buffers(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client client;
    ask(f, &client, GET("/now"));
    http_fixture_expect(f, &client, 200);
    test_loop_run_for(&f->loop, 5);
    const struct connection *c = only_connection(f);
    assert_int_equal(c->state, CONNECTION_IDLE);
    assert_null(c->input);
    assert_null(c->output);
    assert_int_equal(tls_output_size(c->tls), 0);
    assert_false(tls_has_unread(c->tls));
    client_close(&client);
}

/* ---- a new certificate ---- */

static void assert_server_name(struct http_fixture *f, const char *expected) {
    struct client client;
    char name[64];
    ask(f, &client, GET("/now"));
    http_fixture_expect(f, &client, 200);
    client_tls_server_name(&client, name, sizeof name);
    assert_string_equal(name, expected);
    client_close(&client);
}

static void test_a_new_certificate(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    struct client old;
    ask(f, &old, GET("/now"));
    http_fixture_expect(f, &old, 200);
    assert_server_name(f, "first");
    client_tls_stop();
    client_tls_start(second.file);
    assert_true(http_server_use_tls(f->server, load(&second)));
    assert_server_name(f, "second");
    client_send(&old, S(GET("/now"))); /* goes on */
    http_fixture_expect(f, &old, 200);
    client_close(&old);
    client_tls_stop();
    client_tls_start(first.file);
}

static void assert_refused(const char *certificate, const char *key, const char *expected) {
    char message[512];
    struct buffer error = buffer_of(message, sizeof message - 1);
    assert_null(http_tls_new(slice_of_string(certificate), slice_of_string(key), &error, NULL));
    message[error.size] = '\0';
    if (strstr(message, expected) == NULL || strchr(message, '\n') != NULL) {
        fail_msg("\"%s\" does not say \"%s\"", message, expected);
    }
}

static void test_files_that_cannot_be_used(void **state) {
    (void)state;
    char locked[128], command[512];
    snprintf(locked, sizeof locked, "%s/locked.pem", first.folder);
    snprintf(command, sizeof command, "openssl pkey -in %s -aes256 -passout pass:x -out %s",
             first.key_file, locked);
    assert_int_equal(system(command), 0);
    assert_refused("/nowhere/cert.pem", first.key_file, "/nowhere/cert.pem: No such file");
    assert_refused(first.file, "/nowhere/key.pem", "/nowhere/key.pem: No such file");
    assert_refused(first.key_file, first.key_file, "no certificate in PEM");
    assert_refused(first.file, first.file, "no private key in PEM");
    assert_refused(first.file, second.key_file, "does not belong");
    assert_refused(first.file, locked, "without a passphrase");
    assert_refused("", first.key_file, "no proper name");
    unlink(locked);
}

/* ---- memory that cannot be had ---- */

void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);

/* OpenSSL's allocations fail as ours do; those that it makes for a client never do. */
static void *tls_malloc(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return client_tls_is_at_work ? __real_malloc(size) : malloc(size);
}

static void *tls_realloc(void *old, size_t size, const char *file, int line) {
    (void)file, (void)line;
    return client_tls_is_at_work ? __real_realloc(old, size) : realloc(old, size);
}

static void tls_free(void *block, const char *file, int line) {
    (void)file, (void)line;
    free(block);
}

static bool is_over(void *context) {
    struct client *client = context;
    client_receive(client);
    return client->ended || client->error != 0 || client->size != 0;
}

/* Connects, shakes hands, asks, and ends; whatever fails on the way, it ends. */
static void play_scenario(struct http_fixture *f, unsigned n) {
    struct client client;
    client_connect_plain(&client, f->address);
    client_tls_open(&client);
    client.capacity = 2 * FIXTURE_BIG; /* nor does the client's own */
    client.data = malloc(client.capacity);
    assert_non_null(client.data);
    fault_fail_at(n);
    client_tls_wait(f->address, client_tls_is_ready, &client);
    client_push(&client, S("POST /echo HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\n"));
    test_loop_run_for(&f->loop, 0);
    client_push(&client, S("body" GET("/big")));
    assert_true(test_loop_run_until(&f->loop, is_over, &client, FIXTURE_WAIT_MS));
    client_close(&client);
    http_fixture_expect_open(f, 0);
}

/* Each of TLS 1.3's, a third of 1.2's. */
static void test_each_allocation_may_fail(void **state) {
    struct http_fixture *f = open_with(state, NULL);
    for (unsigned v = 0; v < COUNT_OF(versions); v++) {
        bool done = false;
        unsigned n = 1;
        client_tls_limit(versions[v]);
        for (; !done; n += v == 0 ? 3 : 1) {
            play_scenario(f, n);
            done = fault_count() < n;
            fault_disarm();
            assert_true(n < 5000);
        }
        assert_true(n > 100);
        struct client client; /* it serves as if nothing had been */
        ask(f, &client, GET("/now"));
        assert_text(http_fixture_expect(f, &client, 200).body, "now");
        client_close(&client);
        http_fixture_expect_open(f, 0);
    }
}

static void test_a_context_without_memory(void **state) {
    (void)state;
    struct tls_context *tls = NULL;
    char message[256];
    unsigned n = 1;
    /* There are thousands of them, most of OpenSSL's tables: of the later ones a sample. */
    for (; tls == NULL; n += 1 + n / 30) {
        struct buffer error = buffer_of(message, sizeof message);
        fault_fail_at(n);
        tls = http_tls_new(slice_of_string(first.file), slice_of_string(first.key_file), &error,
                           NULL);
        bool done = fault_count() < n;
        fault_disarm();
        assert_true(tls != NULL || error.size != 0);
        if (tls != NULL && !done) { /* this one could be done without */
            tls_context_free(tls);
            tls = NULL;
        }
        assert_true(n < 50000);
    }
    tls_context_free(tls);
    assert_true(n > 100);
}

/* ---- all ---- */

static int start(void **state) {
    (void)state;
    certificate_make(&first, "first");
    certificate_make(&second, "second");
    http_fixture_use_tls(load(&first));
    client_tls_start(first.file);
    return 0;
}

static int stop(void **state) {
    (void)state;
    http_fixture_use_tls(NULL);
    client_tls_stop();
    certificate_remove(&first);
    certificate_remove(&second);
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    if (CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free) != 1) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        TEST(test_records_cut_at_every_byte),
        TEST(test_no_request_waits_for_another_packet),
        TEST(test_a_record_that_was_tampered_with),
        TEST(test_the_end_is_said),
        TEST(test_clients_that_end_their_half),
        TEST(test_a_handshake_that_stalls),
        TEST(test_handshakes_that_fail),
        TEST(test_clients_that_vanish_in_the_handshake),
        TEST(test_drain_meets_handshakes),
        TEST(test_a_client_that_never_reads),
        TEST(test_answers_that_nobody_reads_are_bounded),
        TEST(test_requests_behind_an_unanswered_one_are_bounded),
        TEST(test_clients_that_rekey_for_ever),
        TEST(test_clients_that_change_their_key_for_ever),
        cmocka_unit_test(test_openssl_wipes_where_we_cannot),
        TEST(test_an_idle_connection_has_no_buffers),
        TEST(test_a_new_certificate),
        cmocka_unit_test(test_files_that_cannot_be_used),
        TEST(test_each_allocation_may_fail),
        cmocka_unit_test(test_a_context_without_memory),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
