#include "mintd/clock.h"
#include "mintd/counter.h"
#include "unit/unit.h"
#include <time.h>

static void counters_add_and_set(void **state) {
    (void)state;
    struct counter c = {0};
    counter_add(&c, 2);
    counter_add(&c, 3);
    assert_int_equal(counter_read(&c), 5);
    counter_set(&c, 1);
    assert_int_equal(counter_read(&c), 1);
}

static unsigned bucket_for(uint64_t duration_ns) {
    struct histogram h = {0};
    unsigned found = HISTOGRAM_BUCKETS + 1;
    histogram_record(&h, duration_ns);
    assert_true(counter_read(&h.sum_ns) == duration_ns);
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        if (counter_read(&h.buckets[i]) != 0) {
            assert_int_equal(counter_read(&h.buckets[i]), 1);
            assert_int_equal(found, HISTOGRAM_BUCKETS + 1);
            found = i;
        }
    }
    return found;
}

static void buckets_hold_durations_up_to_their_end(void **state) {
    (void)state;
    assert_int_equal(bucket_for(0), 0);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t end = histogram_bounds_ns[i];
        assert_int_equal(bucket_for(end - 1), i);
        assert_int_equal(bucket_for(end), i);
        assert_int_equal(bucket_for(end + 1), i + 1);
    }
    assert_int_equal(bucket_for(UINT64_MAX), HISTOGRAM_BUCKETS);
}

/* The bounds of service levels: dashboards and alerts name them. */
static void bounds_rise_and_hold_those_of_service_levels(void **state) {
    static const uint64_t levels_ms[] = {1, 5, 10, 25, 50, 100, 250};
    (void)state;
    for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++) {
        assert_true(histogram_bounds_ns[i - 1] < histogram_bounds_ns[i]);
    }
    for (size_t level = 0; level < COUNT_OF(levels_ms); level++) {
        unsigned found = 0;
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
            found += histogram_bounds_ns[i] == levels_ms[level] * 1000000;
        }
        assert_int_equal(found, 1);
    }
}

static void clocks_run(void **state) {
    (void)state;
    uint64_t before = clock_monotonic_ns();
    assert_true(clock_monotonic_ns() >= before);
    assert_true(clock_wall_ms() > UINT64_C(1700000000000)); /* 2023 */
}

static void shared_clock_goes_on_from_what_was_told(void **state) {
    (void)state;
    int64_t skew_ms = 1;
    assert_false(clock_skew_ms(&skew_ms));
    assert_in_range(clock_shared_ms(), clock_wall_ms() - 5000, clock_wall_ms() + 5000);
    clock_share(UINT64_C(1795467600123), UINT64_C(1795467600123));
    assert_in_range(clock_shared_ms(), UINT64_C(1795467600123) - 10, UINT64_C(1795467660123));
    assert_true(clock_skew_ms(&skew_ms));
    clock_share(clock_wall_ms() + 3600000, clock_wall_ms() + 3600000);
    assert_true(clock_skew_ms(&skew_ms));
    assert_true(skew_ms <= -3590000 && skew_ms >= -3610000);
    clock_share(0, 0);
    assert_false(clock_skew_ms(&skew_ms));
    assert_in_range(clock_shared_ms(), clock_wall_ms() - 5000, clock_wall_ms() + 5000);
}

static int64_t skew_after(uint64_t earliest_ms, uint64_t latest_ms) {
    int64_t skew_ms = 0;
    clock_share(0, 0);
    clock_share(earliest_ms, latest_ms);
    assert_true(clock_skew_ms(&skew_ms));
    return skew_ms;
}

#define HOUR UINT64_C(3600000)
#define SLOW 5000 /* a machine that stands still between two lines is not the clock's fault */

/* What this machine's clock shows is kept where it may be right, and else corrected as little as
 * can be. */
static void shared_clock_is_corrected_by_what_is_certain(void **state) {
    (void)state;
    uint64_t now_ms = clock_wall_ms();
    int64_t skew_ms = skew_after(now_ms - HOUR, now_ms + HOUR);
    assert_true(skew_ms >= -10 && skew_ms <= 10);
    skew_ms = skew_after(now_ms - 9 * HOUR, now_ms - HOUR);
    assert_true(skew_ms >= (int64_t)HOUR - 10 && skew_ms <= (int64_t)HOUR + SLOW);
    skew_ms = skew_after(now_ms + HOUR, now_ms + 9 * HOUR);
    assert_true(skew_ms >= -(int64_t)HOUR - 10 && skew_ms <= -(int64_t)HOUR + SLOW);
    /* and what was known goes ahead of this machine's clock */
    clock_share(now_ms - HOUR, now_ms + 2 * HOUR);
    assert_true(clock_skew_ms(&skew_ms));
    assert_true(skew_ms >= -(int64_t)HOUR - 10 && skew_ms <= -(int64_t)HOUR + SLOW);
    clock_share(0, 0);
}

static uint64_t exact_wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Nothing ends before its time. */
static void shared_clock_is_never_ahead(void **state) {
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t begun_ns = clock_monotonic_ns();
        clock_share(0, 0);
        clock_share(1, exact_wall_ms() + HOUR);
        while (clock_monotonic_ns() - begun_ns < 7300000) {
            uint64_t shared_ms = clock_shared_ms();
            assert_true(shared_ms <= exact_wall_ms());
        }
    }
    clock_share(0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_add_and_set),
        cmocka_unit_test(buckets_hold_durations_up_to_their_end),
        cmocka_unit_test(bounds_rise_and_hold_those_of_service_levels),
        cmocka_unit_test(clocks_run),
        cmocka_unit_test(shared_clock_goes_on_from_what_was_told),
        cmocka_unit_test(shared_clock_is_corrected_by_what_is_certain),
        cmocka_unit_test(shared_clock_is_never_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
