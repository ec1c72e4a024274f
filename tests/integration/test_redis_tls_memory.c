/* A link over TLS where memory is short: each allocation of ours and of OpenSSL's may fail, once.
 * The server is another process, so that it has memory. */
#include "mintd/redis_tls.h"
#include "support/authority.h"
#include "support/fake_world.h"
#include "support/fault.h"
#include "support/tls_front.h"
#include "unit/unit.h"
#include <assert.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUR 3600L
#define OURS 40u   /* so many are tried one by one: ours are among the first */
#define STRIDE 23u /* of those behind, each STRIDEth */

static void *tls_malloc(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return malloc(size);
}

static void *tls_realloc(void *old, size_t size, const char *file, int line) {
    (void)file, (void)line;
    return realloc(old, size);
}

static void tls_free(void *block, const char *file, int line) {
    (void)file, (void)line;
    free(block);
}

/* ---- the server ---- */

static const struct fake_line with_values[] = {{"GET", SLICE("$1\r\nv\r\n")}, {NULL, SLICE("")}};

static void serve(const struct issued *issued, int told) {
    struct fake_world *world;
    struct tls_front front = {.loop = NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fake_world_open((void **)&world);
    world->fake.script = with_values;
    front_open(&front, &world->loop.loop, world->fake.path);
    front_show(&front, issued, 0);
    assert_int_equal(write(told, &front.port, sizeof front.port), sizeof front.port);
    uv_run(&world->loop.loop, UV_RUN_DEFAULT);
}

static unsigned start_server(const struct issued *issued, pid_t *pid) {
    int told[2];
    unsigned port;
    assert_int_equal(pipe(told), 0);
    *pid = fork();
    if (*pid == 0) {
        serve(issued, told[1]);
        _exit(1);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &port, sizeof port), sizeof port);
    close(told[0]);
    return port;
}

/* ---- the client ---- */

struct client {
    struct test_loop loop;
    struct store_crew crew;
    struct store_metrics metrics;
    struct redis_store_options options;
    struct tls_context *tls;
};

/* Whatever fails, the next attempt does not. */
static void play(struct client *client, unsigned n) {
    client->options.tls = client->tls;
    fault_fail_at(n);
    struct store *store = redis_store_new(&client->loop.loop, &client->options);
    if (store == NULL) {
        assert_true(fault_count() >= n);
        return;
    }
    store_crew_add(&client->crew, store);
    assert_true(store_wait_for(&client->loop, store, STORE_TROUBLE_NONE, 10000));
    struct store_call *call = store_call_new(&client->loop, store);
    store_call_get(call, S("k"));
    if (store_call_wait(call) != STORE_FOUND) {
        assert_true(store_wait_for(&client->loop, store, STORE_TROUBLE_NONE, 10000));
        store_call_get(call, S("k"));
        assert_int_equal(store_call_wait(call), STORE_FOUND);
    }
    store_call_free(call);
    store_crew_drop(&client->crew, store);
}

static void test_each_allocation_may_fail(void **state) {
    static struct client client;
    struct authority authority;
    struct issued issued;
    char text[256];
    struct buffer error = buffer_of(text, sizeof text);
    pid_t server;
    (void)state;
    authority_open(&authority, "ours");
    authority_issue(&authority, "IP:127.0.0.1", -HOUR, HOUR, &issued);
    client.options = (struct redis_store_options){
        .url = {.host = "127.0.0.1", .is_tls = true, .port = start_server(&issued, &server)},
        .prefix = S("mintd:"),
        .name = S("test"),
        .timeout_ms = 600,
        .metrics = &client.metrics,
    };
    const struct redis_tls_settings settings = {.ca = slice_of_string(authority.file)};
    client.tls = redis_tls_read(&settings, &error, NULL);
    assert_non_null(client.tls);
    test_loop_open(&client.loop);
    store_crew_open(&client.crew, &client.loop);
    unsigned tried = 0;
    bool done = false;
    for (unsigned n = 1; !done; n += n < OURS ? 1 : STRIDE) {
        play(&client, n);
        done = fault_count() < n;
        fault_disarm();
        tried++;
    }
    assert_true(tried > OURS + 10);
    store_crew_close(&client.crew);
    test_loop_close(&client.loop);
    tls_context_free(client.tls);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    authority_close(&authority);
}

/* The files: a complaint about memory, and never about the files. */
static void test_reading_files_without_memory(void **state) {
    struct authority authority;
    struct issued issued;
    bool done = false;
    (void)state;
    authority_open(&authority, "ours");
    authority_issue(&authority, "IP:127.0.0.1", -HOUR, HOUR, &issued);
    const struct redis_tls_settings settings = {.ca = slice_of_string(authority.file),
                                                .certificate = slice_of_string(issued.file),
                                                .key = slice_of_string(issued.key_file)};
    for (unsigned n = 1; !done; n += n < OURS ? 1 : STRIDE) {
        char text[256];
        struct buffer error = buffer_of(text, sizeof text - 1);
        bool no_memory = false;
        fault_fail_at(n);
        struct tls_context *tls = redis_tls_read(&settings, &error, &no_memory);
        done = fault_count() < n;
        fault_disarm();
        assert_true(tls != NULL || error.size != 0);
        assert_true(tls != NULL || !done);
        tls_context_free(tls);
    }
    authority_close(&authority);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_reading_files_without_memory),
    };
    assert(CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free) == 1);
    fake_world_start_log(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fake_world_stop_log(NULL);
    return failed;
}
