/* lag.h: what is an overload, and what is none, however bad it looks. */
#include "http/lag.h"
#include "unit/unit.h"

#define MS UINT64_C(1000000)
#define START (1000 * MS)

static uint64_t now;

/* A turn that takes so long, and whose last request is looked at; `slept`: the poll ahead of it. */
static bool turn(struct http_lag *lag, uint64_t slept, uint64_t length) {
    now += slept;
    lag_begin_turn(lag, now);
    now += length;
    lag_look(lag, now);
    bool refuses = lag->is_late;
    lag_end_turn(lag, now);
    return refuses;
}

static struct http_lag fresh(void) {
    now = START;
    return (struct http_lag){0};
}

static void one_long_turn_is_no_overload(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    assert_false(turn(&lag, 0, 5 * MS));
    assert_false(turn(&lag, 0, 3600 * 1000 * MS)); /* suspended */
    assert_false(turn(&lag, 0, 90 * MS));          /* what came meanwhile */
    assert_false(turn(&lag, 0, 5 * MS));
    assert_false(lag.is_overload);
}

static void long_turns_far_apart_are_none(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    for (unsigned i = 0; i < 20; i++) {
        assert_false(turn(&lag, 1000 * MS, 150 * MS));
    }
}

static void a_sleep_is_no_lag(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    turn(&lag, 0, 300 * MS);
    lag_begin_turn(&lag, now + 3 * MS);
    assert_int_equal(lag.before_ns, 0);
}

static void what_goes_on_is_an_overload(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    assert_false(turn(&lag, 0, 60 * MS));
    assert_false(turn(&lag, 0, 60 * MS)); /* late: 120 ms */
    assert_false(turn(&lag, 0, 60 * MS));
    assert_false(turn(&lag, 0, 60 * MS));
    assert_false(turn(&lag, 0, 60 * MS));
    assert_true(turn(&lag, 0, 60 * MS)); /* for 240 ms now */
    assert_true(lag.is_overload);
}

static void overload(struct http_lag *lag) {
    for (unsigned i = 0; i < 10; i++) {
        turn(lag, 0, 60 * MS);
    }
    assert_true(lag->is_overload);
}

/* Half of the bound is enough then, but what is not late is served. */
static void within_one_only_what_is_late_is_refused(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    overload(&lag);
    assert_true(turn(&lag, 0, 20 * MS)); /* 60 + 20 */
    assert_false(turn(&lag, 0, 20 * MS));
    assert_true(lag.is_overload);
    assert_true(turn(&lag, 0, 40 * MS)); /* 20 + 40 */
}

static void it_ends_a_second_after_the_last_late_one(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    overload(&lag);
    assert_false(turn(&lag, 990 * MS, 1 * MS));
    assert_true(lag.is_overload);
    assert_false(turn(&lag, 10 * MS, 1 * MS));
    assert_false(lag.is_overload);
    assert_false(turn(&lag, 0, 90 * MS)); /* over half of the bound */
}

/* libuv looks again and again within a turn where a thousand are ready each time. */
static void a_turn_without_end_is_one_too(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    lag_begin_turn(&lag, now);
    for (unsigned i = 0; i < 30; i++) {
        now += 10 * MS;
        lag_look(&lag, now);
        assert_false(lag.is_late);
    }
    now += 10 * MS;
    lag_look(&lag, now);
    assert_true(lag.is_late);
}

static void enter(struct http_lag *lag, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        lag_enter_crowd(lag);
    }
}

static void leave(struct http_lag *lag, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        lag_leave_crowd(lag);
    }
}

/* In short turns; so many are answered in each. */
static unsigned turns_until_refused(struct http_lag *lag, unsigned answered) {
    for (unsigned i = 1; i < 100; i++) {
        leave(lag, answered);
        bool refuses = turn(lag, 9 * MS, 1 * MS);
        enter(lag, answered);
        if (refuses) {
            return i;
        }
    }
    return 0;
}

static void a_crowd_that_is_not_answered_is_an_overload(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    enter(&lag, LAG_CROWD);
    assert_int_equal(turns_until_refused(&lag, 0), 0);
    enter(&lag, 1);
    assert_int_equal(turns_until_refused(&lag, 0), 21); /* of 10 ms */
}

static void a_crowd_that_is_answered_soon_is_none(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    enter(&lag, 5000);
    for (unsigned i = 0; i < 11; i++) { /* until it is known how fast they are answered */
        leave(&lag, 600);
        turn(&lag, 9 * MS, 1 * MS);
        enter(&lag, 600);
    }
    assert_int_equal(turns_until_refused(&lag, 600), 0); /* 6,000 in 100 ms */
    assert_true(turns_until_refused(&lag, 400) > 20);
}

static void what_was_a_crowd_at_one_moment_is_served(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    enter(&lag, 5000);
    assert_false(turn(&lag, 0, 50 * MS));
    leave(&lag, 4500);
    assert_false(turn(&lag, 0, 50 * MS));
    assert_int_equal(turns_until_refused(&lag, 0), 0);
}

/* The rest of a turn, in which so many ask. */
static unsigned refused_of(struct http_lag *lag, unsigned count) {
    unsigned refused = 0;
    for (unsigned i = 0; i < count; i++) {
        refused += lag_refuse(lag);
    }
    return refused;
}

static void a_busy_loop_refuses_half_of_what_it_answers(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    overload(&lag);
    enter(&lag, 1000);
    leave(&lag, 1000);
    turn(&lag, 0, 100 * MS); /* makes them known */
    lag_begin_turn(&lag, now);
    lag_look(&lag, now);
    assert_true(lag.is_late && lag.is_busy);
    assert_in_range(refused_of(&lag, 5000), lag.crowd_max / 2, lag.crowd_max / 2);
    assert_int_equal(refused_of(&lag, 5000), 0);
}

/* It is the store that is slow: a refusal costs nothing that is short. */
static void a_loop_with_time_refuses_all_that_is_late(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    enter(&lag, 5000);
    assert_true(turns_until_refused(&lag, 0) > 0);
    assert_int_equal(refused_of(&lag, 5000), 5000);
}

static void nobody_is_refused_without_an_overload(void **state) {
    (void)state;
    struct http_lag lag = fresh();
    turn(&lag, 0, 500 * MS);
    assert_int_equal(refused_of(&lag, 100), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_long_turn_is_no_overload),
        cmocka_unit_test(long_turns_far_apart_are_none),
        cmocka_unit_test(a_sleep_is_no_lag),
        cmocka_unit_test(what_goes_on_is_an_overload),
        cmocka_unit_test(within_one_only_what_is_late_is_refused),
        cmocka_unit_test(it_ends_a_second_after_the_last_late_one),
        cmocka_unit_test(a_turn_without_end_is_one_too),
        cmocka_unit_test(a_crowd_that_is_not_answered_is_an_overload),
        cmocka_unit_test(a_crowd_that_is_answered_soon_is_none),
        cmocka_unit_test(what_was_a_crowd_at_one_moment_is_served),
        cmocka_unit_test(a_busy_loop_refuses_half_of_what_it_answers),
        cmocka_unit_test(a_loop_with_time_refuses_all_that_is_late),
        cmocka_unit_test(nobody_is_refused_without_an_overload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
