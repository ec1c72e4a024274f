/* Redis' clock, as far as its answers prove it. */
#include "mintd/clock.h"
#include "store/redis/redis_store_internal.h"
#include "support/caught_log.h"
#include "support/fake_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define UNDER_WAY_MS 400u
#define COARSE_MS 20 /* two clocks, each up to 10 ms behind */
#define HOUR_MS INT64_C(3600000)

/* Redis shows so much more than this machine. */
static void say_time(struct fake_world *world, int64_t ahead_ms) {
    char text[128];
    char seconds[24], micros[24];
    uint64_t now_ms = (uint64_t)((int64_t)clock_wall_ms() + ahead_ms);
    int s = snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)(now_ms / 1000));
    int m = snprintf(micros, sizeof micros, "%llu", (unsigned long long)(now_ms % 1000 * 1000));
    int size = snprintf(text, sizeof text, "*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n$1\r\n1\r\n", s,
                        seconds, m, micros);
    fake_redis_say(&world->fake, slice_of(text, (size_t)size));
}

static void start_asking(struct fake_world *world) {
    static const struct fake_line silent[] = {
        {"TIME", SLICE("")}, {"SCHEMA", SLICE("")}, {NULL, SLICE("")}};
    struct redis_store_options options = fake_world_options(world);
    clock_share(0, 0);
    options.shares_clock = true;
    world->fake.script = silent;
    fake_world_start(world, &options);
}

/* For the time, and for the layout behind it. */
static void wait_until_asked(struct fake_world *world) {
    while (strcmp(world->fake.last_command, "GET mintd:schema") != 0) {
        test_loop_run_for(&world->loop, 1);
    }
}

/* The skew that is known behind a greeting whose answers are under way for some time. */
static int64_t skew_after(struct fake_world *world, int64_t ahead_ms) {
    int64_t skew_ms = 0;
    start_asking(world);
    wait_until_asked(world);
    test_loop_run_for(&world->loop, UNDER_WAY_MS);
    say_time(world, ahead_ms);
    fake_world_wait_until_up(world);
    assert_true(clock_skew_ms(&skew_ms));
    return skew_ms;
}

/* It may have read its clock when it was asked, or when it answered: neither makes ours wrong. */
static void a_slow_answer_makes_no_clock_wrong(void **state) {
    static const int64_t ahead_ms[] = {0, -(int64_t)UNDER_WAY_MS, -(int64_t)UNDER_WAY_MS / 2};
    for (unsigned i = 0; i < sizeof ahead_ms / sizeof ahead_ms[0]; i++) {
        int64_t skew_ms = skew_after(fake_world_fresh(state), ahead_ms[i]);
        assert_true(skew_ms >= -COARSE_MS && skew_ms <= COARSE_MS);
    }
}

/* Corrected by as much as is certain. */
static void a_clock_that_is_wrong_is_corrected(void **state) {
    int64_t skew_ms = skew_after(fake_world_fresh(state), HOUR_MS);
    assert_true(skew_ms >= -HOUR_MS - COARSE_MS && skew_ms <= -HOUR_MS + COARSE_MS);
    skew_ms = skew_after(fake_world_fresh(state), -HOUR_MS);
    assert_true(skew_ms >= HOUR_MS - 10000 &&
                skew_ms <= HOUR_MS - (int64_t)UNDER_WAY_MS + COARSE_MS);
}

/* Whether the clock is still known behind a greeting where TIME gets this error. */
static bool knows_after(struct fake_world *world, struct slice error) {
    const struct fake_line script[] = {{"TIME", error}, {NULL, SLICE("")}};
    struct redis_store_options options = fake_world_options(world);
    int64_t skew_ms;
    clock_share(1, clock_wall_ms() - (uint64_t)HOUR_MS);
    options.shares_clock = true;
    world->fake.script = script;
    fake_world_start(world, &options);
    fake_world_wait_until_up(world);
    world->fake.script = NULL;
    return clock_skew_ms(&skew_ms);
}

static void an_error_is_no_word_about_the_clock(void **state) {
    assert_true(
        knows_after(fake_world_fresh(state), S("-BUSY Redis is busy running a script.\r\n")));
    assert_false(knows_after(fake_world_fresh(state), S("-NOPERM no\r\n")));
    assert_false(knows_after(fake_world_fresh(state), S("-ERR unknown command 'TIME'\r\n")));
}

/* ---- what is told of it ---- */

#define APART "are apart"
#define AGREE "agree again"

/* A greeting, in which Redis shows so much more than this machine; how often either was told. */
static void assert_told_in_greeting(struct fake_world *world, int64_t ahead_ms, unsigned apart,
                                    unsigned agree) {
    caught_log_start(LOG_INFO);
    wait_until_asked(world);
    say_time(world, ahead_ms);
    fake_world_wait_until_up(world);
    world->fake.last_command[0] = '\0';
    fake_redis_drop(&world->fake);
    assert_true(test_loop_run_until(&world->loop, store_is_away, world->store, 5000));
    const char *log = caught_log_end();
    assert_int_equal(caught_log_count(log, APART), apart);
    assert_int_equal(caught_log_count(log, AGREE), agree);
}

/* A difference of 1.5 s is silent and one of 3 s is told, to either side: once for each change of
 * more than 2 s, and so is its end. */
static void what_is_far_apart_is_told(void **state) {
    for (int sign = -1; sign <= 1; sign += 2) {
        struct fake_world *world = fake_world_fresh(state);
        start_asking(world);
        assert_told_in_greeting(world, sign * 1500, 0, 0);
        assert_told_in_greeting(world, sign * 3000, 1, 0);
        assert_told_in_greeting(world, sign * 3000, 0, 0);
        assert_told_in_greeting(world, sign * 4500, 0, 0);
        assert_told_in_greeting(world, sign * 6000, 1, 0);
        assert_told_in_greeting(world, sign * 1500, 0, 1);
        assert_told_in_greeting(world, 0, 0, 0);
        assert_told_in_greeting(world, sign * 3000, 1, 0);
    }
}

/* ---- how often it is asked for ---- */

static void answer_time(struct fake_world *world) {
    static const struct fake_line script[] = {{"TIME", SLICE("*2\r\n$1\r\n1\r\n$1\r\n1\r\n")},
                                              {NULL, SLICE("")}};
    world->fake.script = script;
}

static bool was_asked_for_its_role_twice(void *context) {
    const struct fake_world *world = context;
    return world->fake.questions >= 2;
}

/* In the greeting, and once a minute: not whenever it is asked for its role. */
static void it_is_asked_for_once_a_minute(void **state) {
    struct fake_world *world = *state;
    struct redis_store_options options = fake_world_options(world);
    options.shares_clock = true;
    answer_time(world);
    fake_world_start(world, &options);
    fake_world_wait_until_up(world);
    uv_timer_t *timer = &redis_store_of(world->store)->clock.timer;
    unsigned before = world->fake.commands;
    assert_true(test_loop_run_until(&world->loop, was_asked_for_its_role_twice, world, 10000));
    assert_int_equal(world->fake.commands, before);
    assert_int_equal(uv_timer_get_repeat(timer), 60000);
    assert_in_range(uv_timer_get_due_in(timer), 1, 60000);
    uv_timer_set_repeat(timer, 10); /* the minutes are shorter from now on */
    uv_timer_again(timer);
    for (unsigned i = 1; i <= 3; i++) {
        fake_world_wait_for_commands(world, before + i);
        assert_string_equal(world->fake.last_command, "TIME");
    }
    world->fake.script = NULL;
}

/* All stores of a process but one go by what that one hears. */
static void a_store_that_does_not_share_asks_for_none(void **state) {
    struct fake_world *world = *state;
    struct redis_store_options options = fake_world_options(world);
    answer_time(world);
    fake_world_start(world, &options);
    fake_world_wait_until_up(world);
    assert_false(uv_is_active((uv_handle_t *)&redis_store_of(world->store)->clock.timer));
    int64_t skew_ms;
    assert_false(clock_skew_ms(&skew_ms));
    world->fake.script = NULL;
}

static int forget_the_clock(void **state) {
    clock_share(0, 0);
    return fake_world_close(state);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_world_open, forget_the_clock)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_slow_answer_makes_no_clock_wrong),  TEST(a_clock_that_is_wrong_is_corrected),
        TEST(an_error_is_no_word_about_the_clock), TEST(what_is_far_apart_is_told),
        TEST(it_is_asked_for_once_a_minute),       TEST(a_store_that_does_not_share_asks_for_none),
    };
    return cmocka_run_group_tests(tests, fake_world_start_log, fake_world_stop_log);
}
