#include "http/bounds.h"
#include "unit/unit.h"

static struct ip peer(const char *text) {
    struct ip ip;
    assert_true(ip_parse(slice_of_string(text), &ip));
    return ip;
}

static struct http_bounds *bounds_with(unsigned max, unsigned per_address) {
    struct http_bounds *bounds = http_bounds_new(&(struct http_bounds_options){
        .max_connections = max,
        .max_per_address = per_address,
        .v6_prefix = 64,
        .seed = {{UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)}},
    });
    assert_non_null(bounds);
    return bounds;
}

static enum bounds_answer enter(struct http_bounds *bounds, const char *text,
                                struct bounds_place *place) {
    const struct ip from = peer(text);
    return bounds_enter(bounds, &from, place);
}

static void test_all_together(void **state) {
    (void)state;
    struct http_bounds *bounds = bounds_with(2, 0);
    struct bounds_place first, second, third;
    assert_int_equal(enter(bounds, "192.0.2.1", &first), BOUNDS_ADMITTED);
    assert_int_equal(enter(bounds, "192.0.2.1", &second), BOUNDS_ADMITTED);
    assert_int_equal(enter(bounds, "192.0.2.2", &third), BOUNDS_FULL);
    bounds_leave(bounds, &third); /* holds nothing */
    assert_int_equal(enter(bounds, "192.0.2.2", &third), BOUNDS_FULL);
    bounds_leave(bounds, &first);
    assert_int_equal(enter(bounds, "192.0.2.2", &third), BOUNDS_ADMITTED);
    http_bounds_free(bounds);
}

static void test_one_address(void **state) {
    (void)state;
    struct http_bounds *bounds = bounds_with(100, 2);
    struct bounds_place places[3], other;
    assert_int_equal(enter(bounds, "192.0.2.1", &places[0]), BOUNDS_ADMITTED);
    assert_int_equal(enter(bounds, "192.0.2.1", &places[1]), BOUNDS_ADMITTED);
    for (unsigned i = 0; i < 10; i++) { /* a refusal takes no place */
        assert_int_equal(enter(bounds, "192.0.2.1", &places[2]), BOUNDS_ADDRESS_FULL);
    }
    assert_int_equal(enter(bounds, "192.0.2.2", &other), BOUNDS_ADMITTED);
    bounds_leave(bounds, &places[0]);
    assert_int_equal(enter(bounds, "192.0.2.1", &places[2]), BOUNDS_ADMITTED);
    assert_int_equal(enter(bounds, "192.0.2.1", &places[0]), BOUNDS_ADDRESS_FULL);
    http_bounds_free(bounds);
}

static void test_ipv6_counts_by_network(void **state) {
    (void)state;
    struct http_bounds *bounds = bounds_with(100, 1);
    struct bounds_place first, same, other;
    assert_int_equal(enter(bounds, "2001:db8:0:1::1", &first), BOUNDS_ADMITTED);
    assert_int_equal(enter(bounds, "2001:db8:0:1:ffff:ffff:ffff:ffff", &same), BOUNDS_ADDRESS_FULL);
    assert_int_equal(enter(bounds, "2001:db8:0:2::1", &other), BOUNDS_ADMITTED);
    http_bounds_free(bounds);
}

/* All that made-up addresses may do is fill places: who comes from elsewhere is let in. */
static void test_many_addresses_that_are_full(void **state) {
    (void)state;
    struct http_bounds *bounds = bounds_with(20000, 10);
    unsigned refused = 0;
    for (unsigned i = 0; i < 10000; i++) {
        struct bounds_place place;
        struct ip from = {.size = 4, .bytes = {10, 0, (uint8_t)(i / 2560), (uint8_t)(i / 10)}};
        refused += bounds_enter(bounds, &from, &place) != BOUNDS_ADMITTED;
    }
    for (unsigned i = 0; i < 4096; i++) {
        struct bounds_place place;
        struct ip from = {.size = 4, .bytes = {192, 0, (uint8_t)(i / 256), (uint8_t)i}};
        refused += bounds_enter(bounds, &from, &place) != BOUNDS_ADMITTED;
        bounds_leave(bounds, &place);
    }
    assert_true(refused <= 20); /* of 14,096: 1,000 of 65,536 places twice are 1 in 4,000 */
    http_bounds_free(bounds);
}

static void test_what_has_no_bound(void **state) {
    (void)state;
    struct networks exempt;
    char storage[64];
    struct buffer error = buffer_of(storage, sizeof storage);
    assert_true(networks_parse(S("198.51.100.0/24"), &exempt, &error));
    struct http_bounds *bounds = http_bounds_new(&(struct http_bounds_options){
        .max_connections = 100, .max_per_address = 1, .v6_prefix = 64, .exempt = &exempt});
    struct bounds_place place;
    const struct ip local = {.size = 0};
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(enter(bounds, "198.51.100.7", &place), BOUNDS_ADMITTED);
        assert_int_equal(bounds_enter(bounds, &local, &place), BOUNDS_ADMITTED);
        assert_int_equal(bounds_enter(NULL, &local, &place), BOUNDS_ADMITTED);
    }
    http_bounds_free(bounds);
}

/* Once a minute, with the sum. */
static void test_handshakes_within_a_second(void **state) {
    (void)state;
    struct http_bounds *bounds = http_bounds_new(&(struct http_bounds_options){
        .max_connections = 10, .max_handshakes = 3, .v6_prefix = 64, .seed = {{1, 2}}});
    assert_non_null(bounds);
    const struct ip one = peer("192.0.2.1"), other = peer("192.0.2.2"), local = {.size = 0};
    for (uint64_t second = 7; second < 10; second++) {
        for (uint64_t i = 0; i < 9; i++) {
            enum bounds_answer answer = bounds_begin_handshake(bounds, &one, 1000 * second + i);
            assert_int_equal(answer, i < 3 ? BOUNDS_ADMITTED : BOUNDS_ADDRESS_FULL);
            assert_int_equal(bounds_begin_handshake(bounds, &local, 1000 * second),
                             BOUNDS_ADMITTED);
        }
        /* A clock that is behind opens no second share. */
        assert_int_equal(bounds_begin_handshake(bounds, &one, 1000 * second - 1),
                         BOUNDS_ADDRESS_FULL);
        assert_int_equal(bounds_begin_handshake(bounds, &other, 1000 * second), BOUNDS_ADMITTED);
    }
    uint64_t count;
    assert_true(bounds_should_tell(bounds, 5000, &count));
    assert_int_equal(count, 3 * 7);
    http_bounds_free(bounds);
}

static void test_what_is_told(void **state) {
    (void)state;
    struct http_bounds *bounds = bounds_with(100, 1);
    struct bounds_place place;
    uint64_t count = 0;
    enter(bounds, "192.0.2.1", &place);
    for (unsigned i = 0; i < 3; i++) {
        enter(bounds, "192.0.2.1", &place);
    }
    assert_true(bounds_should_tell(bounds, 5000, &count));
    assert_int_equal(count, 3);
    enter(bounds, "192.0.2.1", &place);
    assert_false(bounds_should_tell(bounds, 64999, &count));
    enter(bounds, "192.0.2.1", &place);
    assert_true(bounds_should_tell(bounds, 65000, &count));
    assert_int_equal(count, 2);
    http_bounds_free(bounds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_together),
        cmocka_unit_test(test_one_address),
        cmocka_unit_test(test_ipv6_counts_by_network),
        cmocka_unit_test(test_many_addresses_that_are_full),
        cmocka_unit_test(test_what_has_no_bound),
        cmocka_unit_test(test_handshakes_within_a_second),
        cmocka_unit_test(test_what_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
