/* Redis' clock, as far as its answers prove it. */
#include "mintd/clock.h"
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

/* The skew that is known behind a greeting whose answers are under way for some time. */
static int64_t skew_after(struct fake_world *world, int64_t ahead_ms) {
    static const struct fake_line silent[] = {
        {"TIME", SLICE("")}, {"SCHEMA", SLICE("")}, {NULL, SLICE("")}};
    struct redis_store_options options = fake_world_options(world);
    int64_t skew_ms = 0;
    clock_share(0, 0);
    options.shares_clock = true;
    world->fake.script = silent;
    fake_world_start(world, &options);
    while (strcmp(world->fake.last_command, "GET mintd:schema") != 0) {
        test_loop_run_for(&world->loop, 1);
    }
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

static int forget_the_clock(void **state) {
    clock_share(0, 0);
    return fake_world_close(state);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_world_open, forget_the_clock)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_slow_answer_makes_no_clock_wrong),
        TEST(a_clock_that_is_wrong_is_corrected),
        TEST(an_error_is_no_word_about_the_clock),
    };
    return cmocka_run_group_tests(tests, fake_world_start_log, fake_world_stop_log);
}
