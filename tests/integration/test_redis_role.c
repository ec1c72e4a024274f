/* A link before a server that is the master no more, and goes on answering (B-1, F-10): whatever
 * way it lets itself be asked, it is left within 2 s, and taken again once it is the master. */
#include "mintd/clock.h"
#include "support/fake_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HELLO_3(size, role) "%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nrole\r\n$" size "\r\n" role "\r\n"
#define HELLO_2(size, role) "*4\r\n$5\r\nproto\r\n:2\r\n$4\r\nrole\r\n$" size "\r\n" role "\r\n"
#define ROLE(size, role) "*3\r\n$" size "\r\n" role "\r\n:0\r\n*0\r\n"
#define REFUSED "-NOPERM this user has no permissions to run the command\r\n"
#define UNKNOWN "-ERR unknown command\r\n"

static void start(struct fake_world *world) {
    struct redis_store_options options = fake_world_options(world);
    options.cache_size = 65536;
    fake_world_start(world, &options);
    fake_world_wait_until_up(world);
}

/* What the server says before and after, to these commands. */
struct turn {
    const char *name;
    struct fake_line before[4], after[4];
    enum store_trouble trouble;
};

static const struct turn turns[] = {
    {"HELLO", {{0}}, {{"HELLO", SLICE(HELLO_3("7", "replica"))}}, STORE_TROUBLE_READONLY},
    {"HELLO, its old word",
     {{0}},
     {{"HELLO", SLICE(HELLO_3("5", "slave"))}},
     STORE_TROUBLE_READONLY},
    {"stale data is not served",
     {{0}},
     {{"HELLO", SLICE("-MASTERDOWN Link is down\r\n")}},
     STORE_TROUBLE_MASTERDOWN},
    {"it loads", {{0}}, {{"HELLO", SLICE("-LOADING wait\r\n")}}, STORE_TROUBLE_LOADING},
    {"readonly", {{0}}, {{"HELLO", SLICE("-READONLY no\r\n")}}, STORE_TROUBLE_READONLY},
    {"HELLO is refused once it is up",
     {{0}},
     {{"HELLO", SLICE(REFUSED)}, {"ROLE", SLICE(ROLE("5", "slave"))}},
     STORE_TROUBLE_READONLY},
    {"HELLO names no role",
     {{"HELLO", SLICE("%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n")}},
     {{"HELLO", SLICE("%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n")},
      {"ROLE", SLICE(ROLE("5", "slave"))}},
     STORE_TROUBLE_READONLY},
    {"neither HELLO nor ROLE",
     {{0}},
     {{"HELLO", SLICE(REFUSED)}, {"ROLE", SLICE(REFUSED)}, {"PING", SLICE("-MASTERDOWN no\r\n")}},
     STORE_TROUBLE_MASTERDOWN},
    {"RESP2",
     {{"HELLO", SLICE(UNKNOWN)}},
     {{"HELLO", SLICE(UNKNOWN)}, {"ROLE", SLICE(ROLE("5", "slave"))}},
     STORE_TROUBLE_READONLY},
    {"RESP2, a script runs for long at first",
     {{"HELLO", SLICE(UNKNOWN)}, {"ROLE", SLICE("-BUSY Redis is busy running a script\r\n")}},
     {{"HELLO", SLICE(UNKNOWN)}, {"ROLE", SLICE(ROLE("5", "slave"))}},
     STORE_TROUBLE_READONLY},
    {"RESP2, ROLE is refused, HELLO is not",
     {{"HELLO", SLICE("-NOPROTO no\r\n")},
      {"QUESTION", SLICE(HELLO_2("6", "master"))},
      {"ROLE", SLICE(REFUSED)}},
     {{"HELLO", SLICE("-NOPROTO no\r\n")},
      {"QUESTION", SLICE(HELLO_2("7", "replica"))},
      {"ROLE", SLICE(REFUSED)}},
     STORE_TROUBLE_READONLY},
    {"RESP2, only PING",
     {{"HELLO", SLICE(UNKNOWN)}, {"ROLE", SLICE(REFUSED)}},
     {{"HELLO", SLICE(UNKNOWN)}, {"ROLE", SLICE(REFUSED)}, {"PING", SLICE("-MASTERDOWN no\r\n")}},
     STORE_TROUBLE_MASTERDOWN},
};

static const struct fake_line value = {"GET", SLICE("$1\r\nv\r\n")};

static void set_script(struct fake_world *world, struct fake_line script[5],
                       const struct fake_line lines[4]) {
    memcpy(script, lines, 4 * sizeof *script);
    unsigned end = 0;
    while (script[end].command != NULL) {
        end++;
    }
    script[end] = value;
    script[end + 1] = (struct fake_line){NULL, SLICE("")};
    world->fake.script = script;
}

/* Reads all the while, of what is remembered and of what is not, and never without something under
 * way: until the link is lost. The milliseconds that it took. */
static unsigned read_until_lost(struct fake_world *world) {
    uint64_t begun_ms = clock_monotonic_ms();
    while (store_trouble_now(world->store) == STORE_TROUBLE_NONE &&
           clock_monotonic_ms() - begun_ms < 5000) {
        char key[32];
        snprintf(key, sizeof key, "k%llu", (unsigned long long)clock_monotonic_ns());
        store_call_get(world->call, slice_of_string(key));
        store_call_wait(world->call);
    }
    return (unsigned)(clock_monotonic_ms() - begun_ms);
}

static void wait_until_lost(struct fake_world *world) {
    assert_true(test_loop_run_until(&world->loop, store_is_away, world->store, 5000));
}

static void check_turn(struct fake_world *world, const struct turn *turn, bool is_busy) {
    struct fake_line before[5], after[5];
    struct lag lag;
    set_script(world, before, turn->before);
    start(world);
    store_call_get(world->call, S("k"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    lag_start(&lag, &world->loop);
    uint64_t begun_ns = clock_monotonic_ns();
    set_script(world, after, turn->after);
    if (is_busy) {
        read_until_lost(world);
    } else {
        wait_until_lost(world);
    }
    lag_stop(&lag);
    assert_in_range(clock_monotonic_ns() - begun_ns, 0, 2000000000u + lag.longest_ns);
    assert_int_equal(store_trouble_now(world->store), turn->trouble);
    store_call_get(world->call, S("k")); /* what was remembered is not trusted */
    assert_int_equal(world->call->progress, PROGRESS_DONE);
    assert_int_equal(world->call->operation.answer, STORE_UNKNOWN);
    set_script(world, after, turn->before);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 3000));
}

static void test_B_1_is_left_by_an_idle_link(void **state) {
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        print_message("%s\n", turns[i].name);
        check_turn(fake_world_fresh(state), &turns[i], false);
    }
}

static void test_B_1_is_left_by_a_link_that_only_reads(void **state) {
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        print_message("%s\n", turns[i].name);
        check_turn(fake_world_fresh(state), &turns[i], true);
    }
}

/* It stays a replica: not taken again, whatever it lets itself be asked. */
static void test_B_1_a_replica_is_not_greeted(void **state) {
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        struct fake_world *world = fake_world_fresh(state);
        struct fake_line before[5], after[5];
        print_message("%s\n", turns[i].name);
        set_script(world, before, turns[i].before);
        start(world);
        set_script(world, after, turns[i].after);
        wait_until_lost(world);
        uint64_t connects = counter_read(&world->metrics.connects);
        test_loop_run_for(&world->loop, 700);
        assert_in_range(world->fake.accepted, 2, 8);
        /* Who may only PING cannot tell before the first beat. */
        bool can_tell = turns[i].trouble == STORE_TROUBLE_READONLY;
        assert_true(!can_tell || counter_read(&world->metrics.connects) == connects);
    }
}

/* An answer to another command: all that follow would be off by one. */
static void test_answers_that_are_none(void **state) {
    static const struct slice answers[] = {
        SLICE("+OK\r\n"),
        SLICE("$1\r\nv\r\n"),
        SLICE(":1\r\n"),
        SLICE("_\r\n"),
        SLICE("*0\r\n"),
        SLICE("%0\r\n"),
        SLICE("%1\r\n$1\r\nf\r\n$1\r\nv\r\n"),
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct fake_world *world = fake_world_fresh(state);
        struct fake_line script[] = {{"HELLO", answers[i]}, {NULL, SLICE("")}};
        start(world);
        world->fake.script = script;
        wait_until_lost(world);
        assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_PROTOCOL);
    }
}

/* A server that refuses whatever it is asked is alive: the link stays. */
static void test_refusing_all_is_a_sign_of_life(void **state) {
    static const struct fake_line script[] = {{"HELLO", SLICE(REFUSED)},
                                              {"ROLE", SLICE(REFUSED)},
                                              {"PING", SLICE(REFUSED)},
                                              {NULL, SLICE("")}};
    struct fake_world *world = *state;
    start(world);
    world->fake.script = script;
    test_loop_run_for(&world->loop, 3500);
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_NONE);
    assert_int_equal(world->fake.accepted, 1);
    assert_int_equal(world->fake.questions, 1); /* refused once, not asked again */
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_world_open, fake_world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_B_1_is_left_by_an_idle_link),    TEST(test_B_1_is_left_by_a_link_that_only_reads),
        TEST(test_B_1_a_replica_is_not_greeted),   TEST(test_answers_that_are_none),
        TEST(test_refusing_all_is_a_sign_of_life),
    };
    return cmocka_run_group_tests(tests, fake_world_start_log, fake_world_stop_log);
}
