/* What /status plots and lists: rings that stay within their bounds, rates, quantiles, troubles. */
#include "api/status_history.h"
#include "unit/unit.h"

#define SECOND_NS UINT64_C(1000000000)
#define BEGIN_NS (1000 * SECOND_NS)
#define BEGIN_MS UINT64_C(1700000000000)

struct world {
    struct worker_metrics metrics[2];
    struct api_process process;
    struct history history;
    uint64_t seconds;
};

static void open_world(struct world *world) {
    memset(world, 0, sizeof *world);
    world->process.metrics = world->metrics;
    world->process.metrics_count = 2;
    history_init(&world->history, &world->process, BEGIN_NS);
}

static void tick(struct world *world, enum store_trouble trouble) {
    world->seconds++;
    history_tick(&world->history, trouble, BEGIN_NS + world->seconds * SECOND_NS,
                 BEGIN_MS + 1000 * world->seconds);
}

static void samples_come_every_two_seconds_and_the_oldest_go(void **state) {
    static struct world world;
    (void)state;
    open_world(&world);
    for (unsigned i = 0; i < 2 * (HISTORY_SAMPLES + 7); i++) {
        counter_add(&world.metrics[i % 2].oauth.minted, i < 4 ? 3 : 5);
        tick(&world, STORE_TROUBLE_NONE);
        if (i == 3) {
            assert_int_equal(world.history.sample_count, 2);
            assert_int_equal(counter_read(&history_sample(&world.history, 0)->rates.minted), 30);
        }
    }
    assert_int_equal(world.history.sample_count, HISTORY_SAMPLES);
    assert_int_equal(history_sample(&world.history, 0)->at_ms, BEGIN_MS + 1000 * 2 * 8);
    for (unsigned i = 1; i < HISTORY_SAMPLES; i++) {
        const struct history_sample *sample = history_sample(&world.history, i);
        assert_int_equal(sample->at_ms, history_sample(&world.history, i - 1)->at_ms + 2000);
        assert_int_equal(counter_read(&sample->rates.minted), 50);
    }
}

static void a_quantile_is_within_its_bucket(void **state) {
    struct history_counts before = {{0}}, now = {{0}};
    (void)state;
    assert_int_equal(history_quantile_us(&before, &now, 500), 0);
    now.buckets[3] = 100;
    assert_int_equal(history_quantile_us(&now, &now, 500), 0);
    unsigned low = (unsigned)(histogram_bounds_ns[2] / 1000);
    unsigned high = (unsigned)(histogram_bounds_ns[3] / 1000);
    assert_int_equal(history_quantile_us(&before, &now, 500), (low + high) / 2);
    assert_int_equal(history_quantile_us(&before, &now, 1000), high);
    now.buckets[HISTOGRAM_BUCKETS] = 2;
    assert_true(history_quantile_us(&before, &now, 990) <=
                2 * histogram_bounds_ns[HISTOGRAM_BUCKETS - 1] / 1000);
    assert_true(history_quantile_us(&before, &now, 990) >
                histogram_bounds_ns[HISTOGRAM_BUCKETS - 1] / 1000);
    assert_int_equal(history_quantile_us(&before, &now, 900), high - (high - low) * 8 / 100);
}

static void troubles_that_go_on_are_one(void **state) {
    static struct world world;
    (void)state;
    open_world(&world);
    tick(&world, STORE_TROUBLE_NONE);
    assert_int_equal(world.history.trouble_count, 0);
    for (unsigned i = 0; i < 5; i++) {
        counter_add(&world.metrics[i % 2].store.troubles[STORE_TROUBLE_TIMEOUT], 2);
        tick(&world, STORE_TROUBLE_DISCONNECTED);
    }
    assert_int_equal(world.history.trouble_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct history_trouble *one = &world.history.troubles[i];
        bool is_timeout = one->what == STORE_TROUBLE_TIMEOUT;
        assert_true(is_timeout || one->what == STORE_TROUBLE_DISCONNECTED);
        assert_int_equal(one->operations, is_timeout ? 10 : 0);
        assert_int_equal(one->first_ms, BEGIN_MS + 2000);
        assert_int_equal(one->last_ms, BEGIN_MS + 6000);
    }
    for (unsigned i = 0; i < HISTORY_TROUBLE_JOINS_MS / 1000; i++) {
        tick(&world, STORE_TROUBLE_NONE);
    }
    tick(&world, STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(world.history.trouble_count, 3);
    assert_int_equal(world.history.troubles[2].what, STORE_TROUBLE_DISCONNECTED);
}

static void the_oldest_trouble_goes(void **state) {
    static struct world world;
    (void)state;
    open_world(&world);
    for (unsigned i = 0; i < HISTORY_TROUBLES + 5; i++) {
        tick(&world, STORE_TROUBLE_OOM);
        for (unsigned k = 0; k <= HISTORY_TROUBLE_JOINS_MS / 1000; k++) {
            tick(&world, STORE_TROUBLE_NONE);
        }
    }
    assert_int_equal(world.history.trouble_count, HISTORY_TROUBLES);
    for (unsigned i = 1; i < HISTORY_TROUBLES; i++) {
        assert_true(world.history.troubles[i].first_ms > world.history.troubles[i - 1].first_ms);
    }
    assert_int_equal(world.history.troubles[HISTORY_TROUBLES - 1].first_ms,
                     BEGIN_MS + 1000 * (24 * 12 + 1));
}

static void a_link_that_is_not_up_yet_is_no_trouble(void **state) {
    static struct world world;
    (void)state;
    open_world(&world);
    world.process.started_ns = BEGIN_NS + SECOND_NS / 2;
    tick(&world, STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(world.history.trouble_count, 0);
    tick(&world, STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(world.history.trouble_count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_come_every_two_seconds_and_the_oldest_go),
        cmocka_unit_test(a_quantile_is_within_its_bucket),
        cmocka_unit_test(troubles_that_go_on_are_one),
        cmocka_unit_test(the_oldest_trouble_goes),
        cmocka_unit_test(a_link_that_is_not_up_yet_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
