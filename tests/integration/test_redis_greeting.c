/* A greeting that goes another way: HELLO is refused, in any words or none at all (F-16), or who
 * answers is no Redis. */
#include "mintd/log.h"
#include "support/caught_log.h"
#include "support/fake_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const char going_on[] = "going on in RESP2";

static void start(struct fake_world *world) {
    struct redis_store_options options = fake_world_options(world);
    snprintf(options.url.user, sizeof options.url.user, "svc");
    snprintf(options.url.password, sizeof options.url.password, "hunter2-secret");
    options.cache_size = 65536;
    fake_world_start(world, &options);
}

static bool has_memory(const struct fake_world *world) {
    return counter_read(&world->metrics.cache.on) == 1;
}

static void lose_the_link(struct fake_world *world) {
    fake_redis_drop(&world->fake);
    assert_true(test_loop_run_until(&world->loop, store_is_away, world->store, 5000));
}

static void test_F_16_any_words_lead_to_resp2(void **state) {
    static const struct slice words[] = {
        SLICE("-unsupported\r\n"),
        SLICE("-ERR unsupported\r\n"),
        SLICE("-ERR unknown command 'HELLO', with args beginning with: '3' 'hunter2-secret'\r\n"),
        SLICE("-NOPROTO unsupported protocol version\r\n"),
        SLICE("-NOPERM this user has no permissions to run the 'hello' command\r\n"),
        SLICE("-ERR invalid request\r\n"),
        SLICE("-Error: hunter2-secret\r\n"),
        SLICE("-\r\n"),
        SLICE("*2\r\n$5\r\nproto\r\n:2\r\n"),
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct fake_line script[] = {
            {"HELLO", words[i]}, {"GET", SLICE("$1\r\nv\r\n")}, {NULL, SLICE("")}};
        struct fake_world *world = fake_world_fresh(state);
        world->fake.script = script;
        caught_log_start(LOG_DEBUG);
        start(world);
        fake_world_wait_until_up(world);
        store_call_get(world->call, S("k"));
        assert_int_equal(store_call_wait(world->call), STORE_FOUND);
        assert_int_equal(world->fake.accepted, 1);
        assert_false(has_memory(world));
        lose_the_link(world);
        fake_world_wait_until_up(world);
        const char *log = caught_log_end();
        assert_int_equal(caught_log_count(log, going_on), 1); /* said once */
        assert_null(strstr(log, "hunter2"));
    }
}

/* These are not about HELLO. */
static void test_what_is_wrong_otherwise_stays_wrong(void **state) {
    static const struct {
        struct slice words;
        enum store_trouble trouble;
    } table[] = {
        {SLICE("-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
         STORE_TROUBLE_NOAUTH},
        {SLICE("-LOADING Redis is loading the dataset in memory\r\n"), STORE_TROUBLE_LOADING},
        {SLICE("-ERR max number of clients reached\r\n"), STORE_TROUBLE_DISCONNECTED},
        {SLICE("-CLUSTERDOWN no\r\n"), STORE_TROUBLE_CLUSTER},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct fake_line script[] = {{"HELLO", table[i].words}, {NULL, SLICE("")}};
        struct fake_world *world = fake_world_fresh(state);
        world->fake.script = script;
        start(world);
        test_loop_run_for(&world->loop, 300);
        assert_int_equal(store_trouble_now(world->store), table[i].trouble);
        assert_true(world->fake.accepted >= 2);
    }
}

/* It answers PING, and hangs up at HELLO, each time: it is done without, also after a loss. */
static void test_F_16_hangs_up_at_hello(void **state) {
    static const char why[] = "maybe a proxy without HELLO";
    struct fake_world *world = *state;
    world->fake.drop_command = "HELLO";
    caught_log_start(LOG_INFO);
    start(world);
    fake_world_wait_until_up(world);
    assert_int_equal(world->fake.accepted, 3);
    assert_false(has_memory(world));
    test_loop_run_for(&world->loop, 2000);
    assert_int_equal(world->fake.questions, 0); /* nor is it asked for the role so */
    assert_int_equal(world->fake.accepted, 3);
    lose_the_link(world);
    fake_world_wait_until_up(world);
    assert_int_equal(world->fake.accepted, 5);
    const char *log = caught_log_end();
    assert_int_equal(caught_log_count(log, going_on), 1);
    assert_int_equal(caught_log_count(log, why), 1);

    world->fake.drop_command = NULL; /* it has learned it */
    lose_the_link(world);
    fake_world_wait_until_up(world);
    test_loop_run_for(&world->loop, 50);
    assert_true(has_memory(world));
}

/* A proxy whose Redis is away accepts and hangs up, whatever it is asked: that says nothing of
 * HELLO, however long it takes, and memory is there with the first connection that works. */
static void test_hangs_up_at_anything(void **state) {
    static const char why[] = "closes the connection before it says anything";
    struct fake_world *world = *state;
    world->fake.drop_at_once = true;
    caught_log_start(LOG_INFO);
    start(world);
    test_loop_run_for(&world->loop, 1500);
    assert_true(world->fake.accepted >= 3);
    assert_string_not_equal(redis_store_reason(world->store), "");
    world->fake.drop_at_once = false;
    fake_world_wait_until_up(world);
    test_loop_run_for(&world->loop, 50);
    assert_true(has_memory(world));
    const char *log = caught_log_end();
    assert_int_equal(caught_log_count(log, going_on), 0);
    assert_int_equal(caught_log_count(log, why), 1);
}

/* Once only, as it was about to be asked: nothing is said, nothing is lost. */
static void test_hangs_up_once(void **state) {
    struct fake_world *world = *state;
    world->fake.drop_command = "HELLO";
    start(world);
    while (world->fake.accepted == 0 || world->fake.connections != NULL) {
        test_loop_run_for(&world->loop, 1);
    }
    world->fake.drop_command = NULL;
    assert_string_equal(redis_store_reason(world->store), "");
    fake_world_wait_until_up(world);
    test_loop_run_for(&world->loop, 50);
    assert_true(has_memory(world));
    assert_int_equal(world->fake.accepted, 2);
}

static void test_who_is_no_redis_is_named(void **state) {
    static const struct {
        struct slice words;
        const char *named;
    } table[] = {
        {SLICE("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), "speaks HTTP"},
        {SLICE("<!DOCTYPE HTML>\n"), "speaks HTTP"},
        {SLICE("SSH-2.0-OpenSSH_9.2p1\r\n"), "speaks SSH"},
        {SLICE("\x15\x03\x01\x00\x02\x02\x46"), "port is for TLS"},
        {SLICE("220 mail.example ESMTP\r\n"), "no Redis"},
        {SLICE("J\x00\x00\x00\x0a"
               "8.0.36"),
         "no Redis"},
        {SLICE("ERROR\r\n"), "no Redis"},
        {SLICE("$-7\r\n"), "out of range"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct fake_line script[] = {{"HELLO", table[i].words}, {NULL, SLICE("")}};
        struct fake_world *world = fake_world_fresh(state);
        world->fake.script = script;
        start(world);
        assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_PROTOCOL, 5000));
        assert_non_null(strstr(redis_store_reason(world->store), table[i].named));
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_world_open, fake_world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_F_16_any_words_lead_to_resp2),
        TEST(test_what_is_wrong_otherwise_stays_wrong),
        TEST(test_F_16_hangs_up_at_hello),
        TEST(test_hangs_up_at_anything),
        TEST(test_hangs_up_once),
        TEST(test_who_is_no_redis_is_named),
    };
    return cmocka_run_group_tests(tests, fake_world_start_log, fake_world_stop_log);
}
