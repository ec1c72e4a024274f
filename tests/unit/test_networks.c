#include "mintd/networks.h"
#include "unit/unit.h"

static struct networks networks;

static bool parse(const char *text) {
    char storage[128];
    struct buffer error = buffer_of(storage, sizeof storage);
    bool ok = networks_parse(slice_of_string(text), &networks, &error);
    assert_int_equal(error.size == 0, ok);
    return ok;
}

static bool contains(const char *address) {
    struct ip ip = {.size = 0};
    bool is_unix = strcmp(address, "unix") == 0;
    assert_true(is_unix || ip_parse(slice_of_string(address), &ip));
    return networks_contain(&networks, &ip);
}

static void list_has_spaces_or_commas(void **state) {
    (void)state;
    assert_true(parse(" 10.0.0.0/8,, 192.0.2.7 ,2001:db8::/32 unix "));
    assert_int_equal(networks.count, 4);
    assert_true(contains("10.255.0.1"));
    assert_true(contains("192.0.2.7"));
    assert_true(contains("2001:db8:ffff::1"));
    assert_true(contains("unix"));
    assert_false(contains("11.0.0.1"));
    assert_false(contains("192.0.2.8"));
    assert_false(contains("2001:db9::1"));
}

static void empty_list_contains_nothing(void **state) {
    (void)state;
    assert_true(parse(""));
    assert_true(parse(" , "));
    assert_int_equal(networks.count, 0);
    assert_false(contains("10.0.0.1"));
    assert_false(contains("unix"));
}

static void prefix_counts_bits(void **state) {
    (void)state;
    assert_true(parse("192.168.128.77/17"));
    assert_true(contains("192.168.128.0"));
    assert_true(contains("192.168.255.255"));
    assert_false(contains("192.168.127.255"));
    assert_true(parse("2001:db8::/47"));
    assert_true(contains("2001:db8:1:ffff::"));
    assert_false(contains("2001:db8:2::"));
    assert_true(parse("10.0.0.1/32 ::1/128"));
    assert_true(contains("10.0.0.1"));
    assert_false(contains("10.0.0.0"));
    assert_true(contains("::1"));
    assert_false(contains("::"));
}

static void everybody_of_one_family(void **state) {
    (void)state;
    assert_true(parse("0.0.0.0/0"));
    assert_true(contains("255.255.255.255"));
    assert_false(contains("::"));
    assert_false(contains("unix"));
    assert_true(parse("::/0"));
    assert_true(contains("ffff::"));
    assert_false(contains("1.2.3.4"));
    assert_false(contains("unix"));
}

/* As a listener of both families writes it, and proxies hand it on. */
static void v4_written_as_v6_is_v4(void **state) {
    (void)state;
    assert_true(parse("10.0.0.0/8"));
    assert_true(contains("::ffff:10.1.2.3"));
    assert_true(contains("::FFFF:a01:203"));
    assert_false(contains("::ffff:11.1.2.3"));
    assert_false(contains("::10.1.2.3"));
    assert_true(parse("::/0"));
    assert_false(contains("::ffff:10.1.2.3"));
    assert_true(parse("::ffff:192.0.2.7"));
    assert_true(contains("192.0.2.7"));
    assert_true(parse("::ffff:10.0.0.0/104"));
    assert_true(contains("10.1.2.3"));
    assert_true(contains("::ffff:10.1.2.3"));
    assert_false(contains("11.1.2.3"));
    assert_true(parse("::ffff:0:0/96"));
    assert_true(contains("192.0.2.7"));
    assert_false(contains("::1"));
    assert_false(parse("::ffff:10.0.0.0/95"));
    assert_false(parse("::ffff:10.0.0.0/8"));
    assert_false(parse("::ffff:10.0.0.0/129"));
}

static void v6_may_stand_in_brackets(void **state) {
    (void)state;
    assert_true(parse("[2001:DB8::]/32 [::1]"));
    assert_true(contains("2001:db8:1::1"));
    assert_true(contains("::1"));
    assert_false(contains("::2"));
}

static void what_is_no_network_is_refused(void **state) {
    static const char *const texts[] = {
        "10.0.0.0/33",  "10.0.0.0/",     "10.0.0.0/x", "10.0.0.0/-1",  "10.0.0.0/8/8",
        "::/129",       "10.0.0",        "10.0.0.0.0", "256.0.0.1",    "010.0.0.1",
        "/8",           "unix/1",        "localhost",  "10.0.0.1;::1", "[::1",
        "fe80::1%eth0", "10.0.0.1\t::1", "[10.0.0.1]", "[unix]",       "[::1/128]",
        "[::1]:80",     "10.0.0.1:80",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (parse(texts[i])) {
            fail_msg("took %s", texts[i]);
        }
    }
}

static void number_of_networks_is_bounded(void **state) {
    char text[NETWORKS_MAX * 8 + 16];
    struct buffer list = buffer_of(text, sizeof text);
    (void)state;
    for (unsigned i = 0; i < NETWORKS_MAX; i++) {
        buffer_append(&list, S("1.2.3.4 "));
    }
    buffer_append_char(&list, '\0');
    assert_true(parse(text));
    text[list.size - 1] = '\0';
    list.size--;
    buffer_append(&list, S("::1"));
    buffer_append_char(&list, '\0');
    assert_false(parse(text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_has_spaces_or_commas),
        cmocka_unit_test(empty_list_contains_nothing),
        cmocka_unit_test(prefix_counts_bits),
        cmocka_unit_test(everybody_of_one_family),
        cmocka_unit_test(v4_written_as_v6_is_v4),
        cmocka_unit_test(v6_may_stand_in_brackets),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(number_of_networks_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
