/* Addresses: every spelling of one is one, and is written in one way (F-04, F-12, F-36). */
#include "mintd/ip.h"
#include "unit/unit.h"

static void assert_text(const struct ip *ip, const char *expected) {
    char text[IP_TEXT_MAX + 1];
    assert_slice(slice_of(text, ip_text(ip, text)), slice_of_string(expected));
}

struct spelling {
    const char *text, *written;
};

static void assert_written(bool (*parse)(struct slice, struct ip *), const struct spelling *all,
                           size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct ip ip;
        if (!parse(slice_of_string(all[i].text), &ip)) {
            fail_msg("refused %s", all[i].text);
        }
        assert_text(&ip, all[i].written);
    }
}

static void F_36_every_spelling_is_written_in_one_way(void **state) {
    static const struct spelling spellings[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"::FFFF:c000:207", "192.0.2.7"},
        {"0:0:0:0:0:ffff:192.0.2.7", "192.0.2.7"},
        {"2001:db8::1", "2001:db8::1"},
        {"2001:DB8::1", "2001:db8::1"},
        {"2001:db8:0::1", "2001:db8::1"},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"::", "::"},
        {"::1", "::1"},
        {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    (void)state;
    assert_written(ip_parse, spellings, COUNT_OF(spellings));
    assert_written(ip_parse_node, spellings, COUNT_OF(spellings));
}

static void F_04_ports_brackets_and_quotes_are_no_part_of_it(void **state) {
    static const struct spelling spellings[] = {
        {"203.0.113.7:51234", "203.0.113.7"},     {"203.0.113.7:0", "203.0.113.7"},
        {"203.0.113.7:65535", "203.0.113.7"},     {"203.0.113.7:_p-1.x", "203.0.113.7"},
        {"[2001:DB8::1]", "2001:db8::1"},         {"[2001:db8::1]:443", "2001:db8::1"},
        {"[2001:db8::1]:_hidden", "2001:db8::1"}, {"[::ffff:203.0.113.7]:443", "203.0.113.7"},
        {"\"203.0.113.7\"", "203.0.113.7"},       {"\"203.0.113.7:443\"", "203.0.113.7"},
        {"\"[2001:db8::1]:443\"", "2001:db8::1"}, {"\"2001:db8::1\"", "2001:db8::1"},
        {"\"\\[2001:db8::1\\]\"", "2001:db8::1"},
    };
    (void)state;
    assert_written(ip_parse_node, spellings, COUNT_OF(spellings));
}

static void what_is_no_address_is_none(void **state) {
    static const char *const texts[] = {
        "",
        " ",
        "unix",
        "unknown",
        "_hidden",
        "localhost",
        "10.1",
        "10.0.0.256",
        "010.0.0.1",
        "0x0a.0.0.1",
        "10.0.0.1 ",
        " 10.0.0.1",
        "10.0.0.1/8",
        "10.0.0.1,",
        "10.0.0.1:",
        "10.0.0.1:65536",
        "10.0.0.1:x",
        "10.0.0.1:+1",
        "10.0.0.1:_",
        "10.0.0.1:_!",
        "10.0.0.1:1:1",
        ":80",
        ":",
        "[",
        "[]",
        "[::1",
        "::1]",
        "[10.0.0.1]",
        "[::1]80",
        "[::1]:",
        "[::1]:x",
        "[::1]:70000",
        "[::1]]",
        "[[::1]]",
        "[::1]:1:1",
        "fe80::1%eth0",
        "1::2::3",
        ":::",
        "12345::",
        "::1.2.3",
        "\"",
        "\"\"",
        "\"10.0.0.1",
        "10.0.0.1\"",
        "\"10.0.0.1\"x",
        "\"10.0\"0.1\"",
        "\"10.0.0.1\\\"",
        "'10.0.0.1'",
        "for=10.0.0.1",
        "10.0.0.1;x",
        "2001:db8:0:0:0:0:0:7:443",
    };
    char quoted[300] = {0};
    struct ip ip = {.size = 77};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (ip_parse_node(slice_of_string(texts[i]), &ip) ||
            ip_parse(slice_of_string(texts[i]), &ip)) {
            fail_msg("took %s", texts[i]);
        }
    }
    memset(quoted, '\\', sizeof quoted);
    quoted[0] = quoted[sizeof quoted - 1] = '"';
    assert_false(ip_parse_node(slice_of(quoted, sizeof quoted), &ip));
    memset(quoted, '1', sizeof quoted);
    assert_false(ip_parse_node(slice_of(quoted, sizeof quoted), &ip));
    assert_false(ip_parse_node(S("10.0.0.1\0"), &ip));
    assert_false(ip_parse(S("10.0.0.1\0"), &ip));
    assert_false(ip_parse(SLICE_ABSENT, &ip));
    assert_false(ip_parse_node(SLICE_ABSENT, &ip));
    assert_int_equal(ip.size, 77); /* untouched by all of them */
}

static void assert_network(const char *address, unsigned bits, const char *expected) {
    struct ip ip;
    assert_true(ip_parse(slice_of_string(address), &ip));
    struct ip network = ip_network(&ip, bits);
    assert_text(&network, expected);
}

static void F_12_a_network_of_ipv6_is_one(void **state) {
    (void)state;
    assert_network("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::");
    assert_network("2001:db8:1:2:ffff:ffff:ffff:ffff", 64, "2001:db8:1:2::");
    assert_network("2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::");
    assert_network("2001:db8:1:2ff:3:4:5:6", 56, "2001:db8:1:200::");
    assert_network("2001:db8:1:ffff::", 60, "2001:db8:1:fff0::");
    assert_network("2001:db8:1:ffff::", 51, "2001:db8:1:e000::");
    assert_network("ffff::1", 1, "8000::");
    assert_network("2001:db8::ffff", 127, "2001:db8::fffe");
    assert_network("2001:db8::ffff", 128, "2001:db8::ffff");
    assert_network("192.0.2.7", 64, "192.0.2.7");
    assert_network("::ffff:192.0.2.7", 1, "192.0.2.7");
}

static void unix_socket_has_no_address(void **state) {
    struct ip ip = {.size = 0};
    (void)state;
    assert_text(&ip, "unix");
    struct ip network = ip_network(&ip, 64);
    assert_true(ip_equal(&network, &ip));
}

static void equal_are_two_spellings(void **state) {
    struct ip a, b;
    (void)state;
    assert_true(ip_parse(S("2001:DB8::1"), &a) && ip_parse(S("2001:db8:0::1"), &b));
    assert_true(ip_equal(&a, &b));
    assert_true(ip_parse(S("::ffff:1.2.3.4"), &a) && ip_parse(S("1.2.3.4"), &b));
    assert_true(ip_equal(&a, &b));
    assert_true(ip_parse(S("1.2.3.5"), &b));
    assert_false(ip_equal(&a, &b));
    assert_true(ip_parse(S("102:304::"), &b));
    assert_false(ip_equal(&a, &b));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F_36_every_spelling_is_written_in_one_way),
        cmocka_unit_test(F_04_ports_brackets_and_quotes_are_no_part_of_it),
        cmocka_unit_test(what_is_no_address_is_none),
        cmocka_unit_test(F_12_a_network_of_ipv6_is_one),
        cmocka_unit_test(unix_socket_has_no_address),
        cmocka_unit_test(equal_are_two_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
