/* Who has asked for how much of late. */
#include "crypto/password_sources.h"
#include "unit/unit.h"
#include <stdio.h>

#define NOW UINT64_C(1000000000000)

static struct password_sources sources;

static struct password_source *find(const char *name, uint64_t now_ns) {
    return password_sources_find(&sources, slice_of_string(name), now_ns);
}

static int set_up(void **state) {
    (void)state;
    sources = (struct password_sources){.seed = {{1, 2}}};
    return 0;
}

static void each_source_counts_for_itself(void **state) {
    (void)state;
    password_source_fail(find("192.0.2.1", NOW), NOW);
    password_source_fail(find("192.0.2.1", NOW), NOW);
    find("192.0.2.1", NOW)->under_way++;
    assert_int_equal(password_source_rank(find("192.0.2.1", NOW), NOW), 3);
    assert_int_equal(password_source_rank(find("192.0.2.2", NOW), NOW), 0);
    assert_int_equal(password_source_rank(find("2001:db8::/64", NOW), NOW), 0);
}

static void fail_often(struct password_source *source, unsigned times, uint64_t now_ns) {
    for (unsigned i = 0; i < times; i++) {
        password_source_fail(source, now_ns);
    }
}

static void failures_are_halved_each_minute(void **state) {
    (void)state;
    const uint64_t minute = SOURCE_HALVING_NS;
    struct password_source *source = find("192.0.2.1", NOW);
    source->under_way++;
    fail_often(source, 9, NOW);
    assert_int_equal(password_source_rank(source, NOW), 10);
    assert_int_equal(password_source_rank(source, NOW + minute - 1), 10);
    assert_int_equal(password_source_rank(source, NOW + minute), 5);
    fail_often(source, 2, NOW + minute + minute / 2); /* does not put the next halving off */
    assert_int_equal(password_source_rank(source, NOW + 2 * minute - 1), 7);
    assert_int_equal(password_source_rank(source, NOW + 2 * minute), 4);
    assert_int_equal(password_source_rank(source, NOW + 4 * minute), 1);
    assert_int_equal(password_source_rank(source, NOW + 1000 * minute), 1);
}

/* However many there were, they are forgotten some day. */
static void failures_are_counted_up_to_a_bound(void **state) {
    (void)state;
    struct password_source *source = find("192.0.2.1", NOW);
    fail_often(source, 100 * SOURCE_FAILURES_MAX, NOW);
    assert_int_equal(password_source_rank(source, NOW), SOURCE_FAILURES_MAX);
    assert_int_equal(password_source_rank(source, NOW + 7 * SOURCE_HALVING_NS), 0);
}

/* However many come: those with the most failures are remembered, and those with a check under
 * way. */
static void others_push_out_those_with_the_fewest_failures(void **state) {
    (void)state;
    enum { MANY = 4 * SOURCE_ROWS * SOURCES_IN_ROW };
    char name[32];
    struct password_source *busy = find("busy", NOW);
    busy->under_way++;
    fail_often(find("stranger", NOW), 50, NOW);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%d", i);
        password_source_fail(find(name, NOW), NOW);
    }
    assert_int_equal(password_source_rank(find("stranger", NOW), NOW), 50);
    assert_ptr_equal(find("busy", NOW), busy);
    assert_int_equal(busy->under_way, 1);
}

static void where_all_are_busy_there_is_no_room(void **state) {
    (void)state;
    enum { MANY = 64 * SOURCE_ROWS };
    char name[32];
    unsigned found = 0;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%d", i);
        struct password_source *source = find(name, NOW);
        if (source != NULL) {
            source->under_way++;
            found++;
        }
    }
    assert_int_equal(found, SOURCE_ROWS * SOURCES_IN_ROW);
    assert_null(find("another", NOW));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_source_counts_for_itself, set_up),
        cmocka_unit_test_setup(failures_are_halved_each_minute, set_up),
        cmocka_unit_test_setup(failures_are_counted_up_to_a_bound, set_up),
        cmocka_unit_test_setup(others_push_out_those_with_the_fewest_failures, set_up),
        cmocka_unit_test_setup(where_all_are_busy_there_is_no_room, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
