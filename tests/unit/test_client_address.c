/* Where a request really comes from: X-Forwarded-For or Forwarded, read from the end. The exchange
 * is a stub. */
#include "api/client_address.h"
#include "unit/unit.h"

struct http_exchange {
    struct http_request request;
    struct ip peer;
};

const struct http_request *http_request_of(const struct http_exchange *x) {
    return &x->request;
}

const struct ip *http_peer_ip_of(const struct http_exchange *x) {
    return &x->peer;
}

static struct http_exchange exchange;
static struct networks trusted;

static void come_from(const char *peer, const char *trusted_networks) {
    char storage[128];
    struct buffer error = buffer_of(storage, sizeof storage);
    memset(&exchange, 0, sizeof exchange);
    assert_true(strcmp(peer, "unix") == 0 || ip_parse(slice_of_string(peer), &exchange.peer));
    assert_true(networks_parse(slice_of_string(trusted_networks), &trusted, &error));
}

static void add_field(enum http_field_id id, const char *value) {
    struct http_request *request = &exchange.request;
    request->fields[request->field_count++] = (struct http_field){id, slice_of_string(value)};
}

static void forward(const char *value) {
    add_field(HTTP_FIELD_X_FORWARDED_FOR, value);
}

static void forward_as_rfc_7239(const char *value) {
    add_field(HTTP_FIELD_FORWARDED, value);
}

static void assert_address(const char *expected) {
    char text[IP_TEXT_MAX + 1];
    struct ip address = client_address_of(&exchange, &trusted);
    assert_slice(slice_of(text, ip_text(&address, text)), slice_of_string(expected));
}

static void peer_that_is_not_trusted_is_the_client(void **state) {
    (void)state;
    come_from("192.0.2.1", "");
    forward("198.51.100.1");
    assert_address("192.0.2.1");
    come_from("192.0.2.1", "10.0.0.0/8 unix");
    forward("198.51.100.1");
    assert_address("192.0.2.1");
    come_from("unix", "10.0.0.0/8");
    forward("198.51.100.1");
    assert_address("unix");
}

static void trusted_peer_without_the_field_is_the_client(void **state) {
    (void)state;
    come_from("10.0.0.1", "10.0.0.0/8");
    assert_address("10.0.0.1");
    add_field(HTTP_FIELD_HOST, "198.51.100.1");
    assert_address("10.0.0.1");
    forward("");
    assert_address("10.0.0.1");
}

static void empty_elements_say_nothing(void **state) {
    static const char *const values[] = {"203.0.113.9,", "203.0.113.9, ,10.0.0.3", ",203.0.113.9,,",
                                         "203.0.113.9 , \t"};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        come_from("10.0.0.1", "10.0.0.0/8");
        forward(values[i]);
        assert_address("203.0.113.9");
    }
    come_from("10.0.0.1", "10.0.0.0/8");
    forward(", ,");
    assert_address("10.0.0.1");
}

static void first_from_the_end_that_is_not_trusted(void **state) {
    (void)state;
    come_from("10.0.0.1", "10.0.0.0/8 2001:db8::/32");
    forward("203.0.113.9, 198.51.100.1,10.0.0.3 ,\t2001:db8::5");
    assert_address("198.51.100.1");
    come_from("unix", "unix");
    forward("203.0.113.9, 198.51.100.1");
    assert_address("198.51.100.1");
}

static void all_trusted_gives_the_farthest(void **state) {
    (void)state;
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("10.0.0.3, 10.0.0.2");
    assert_address("10.0.0.3");
}

/* The last line was written last; other fields in between do not matter. */
static void lines_are_read_from_the_last(void **state) {
    (void)state;
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("203.0.113.9");
    add_field(HTTP_FIELD_HOST, "h");
    forward("198.51.100.1, 10.0.0.4");
    add_field(HTTP_FIELD_X_REQUEST_ID, "1");
    forward("10.0.0.3");
    assert_address("198.51.100.1");
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("203.0.113.9");
    forward("10.0.0.3");
    assert_address("203.0.113.9");
}

/* What a trusted proxy did not write as an address says nothing, nor does what stands before it. */
static void what_is_no_address_ends_the_reading(void **state) {
    static const char *const odd[] = {
        "unknown",    "unix",         "_hidden",      "10.0.0.2 10.0.0.3", "for=10.0.0.2",
        "10.0.0.256", "10.0.0.2\x01", "10.0.0.2:x",   "[10.0.0.2]",        "[2001:db9::1",
        "\"10.0.0.2", "10.0.0.2/8",   "fe80::1%eth0", "10.0.0.2\"",        "\"10.0.0.2\\\"",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        char line[128];
        struct buffer text = buffer_of(line, sizeof line);
        buffer_append_format(&text, "203.0.113.9, %s, 10.0.0.3", odd[i]);
        come_from("10.0.0.1", "10.0.0.0/8 unix");
        add_field(HTTP_FIELD_X_FORWARDED_FOR, "203.0.113.8");
        exchange.request.fields[1] =
            (struct http_field){HTTP_FIELD_X_FORWARDED_FOR, buffer_slice(&text)};
        exchange.request.field_count = 2;
        assert_address("10.0.0.3");
    }
}

static void proxy_of_both_families_is_recognised(void **state) {
    (void)state;
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("198.51.100.1, ::ffff:10.0.0.2");
    assert_address("198.51.100.1");
}

static void F_04_every_spelling_of_a_hop_is_read(void **state) {
    static const char *const hops[] = {
        "10.0.0.2",        "10.0.0.2:51234",      "\"10.0.0.2\"",
        "::ffff:10.0.0.2", "[::ffff:10.0.0.2]:1", "\"[::ffff:a00:2]:80\"",
        "10.0.0.2:_p",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hops); i++) {
        char line[128];
        struct buffer text = buffer_of(line, sizeof line);
        buffer_append_format(&text, "203.0.113.9, 198.51.100.1:443, %s", hops[i]);
        come_from("10.0.0.1", "10.0.0.0/8");
        exchange.request.fields[0] =
            (struct http_field){HTTP_FIELD_X_FORWARDED_FOR, buffer_slice(&text)};
        exchange.request.field_count = 1;
        assert_address("198.51.100.1");
    }
}

static void F_36_what_is_found_is_written_in_one_way(void **state) {
    (void)state;
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("[2001:DB8:0:0::1]:443");
    assert_address("2001:db8::1");
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("::ffff:203.0.113.9");
    assert_address("203.0.113.9");
    come_from("::ffff:10.0.0.1", "10.0.0.0/8");
    forward("203.0.113.9");
    assert_address("203.0.113.9");
    come_from("2001:DB8:0:0::1", "");
    assert_address("2001:db8::1");
}

/* What the client wrote stands before what its proxy wrote, and cannot change how that is read. */
static void open_quote_of_the_client_swallows_nothing(void **state) {
    static const char *const lines[] = {
        "\"x, 198.51.100.1",
        "for=\"x, for=198.51.100.1",
        "for=\"x\\, for=198.51.100.1",
        "\\\", for=198.51.100.1",
        "for=\"1.1.1.1\\\", for=\"198.51.100.1\"",
    };
    (void)state;
    come_from("10.0.0.1", "10.0.0.0/8");
    forward(lines[0]);
    assert_address("198.51.100.1");
    for (size_t i = 1; i < COUNT_OF(lines); i++) {
        come_from("10.0.0.1", "10.0.0.0/8");
        forward_as_rfc_7239(lines[i]);
        assert_address("198.51.100.1");
    }
}

static void forwarded_is_read(void **state) {
    static const char *const lines[] = {
        "for=198.51.100.1",
        "For=198.51.100.1",
        "FOR=\"198.51.100.1:4711\"",
        "for=198.51.100.1:4711",
        "for=198.51.100.1;proto=http;by=203.0.113.43",
        "proto=https; by=\"[2001:db8::7]:80\" ;for=198.51.100.1",
        "host=\"a;b,c\\\";for=1.1.1.1,\";for=198.51.100.1",
        "for=203.0.113.9, for=198.51.100.1",
        "for=203.0.113.9,for=\"198.51.100.1\",for=10.0.0.2;by=_x, , for=\"[::ffff:10.0.0.3]:80\",",
        "for=\"[2001:db8::1]\", for=198.51.100.1;host=\"x, y\", for=10.0.0.2",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        come_from("10.0.0.1", "10.0.0.0/8");
        forward_as_rfc_7239(lines[i]);
        assert_address("198.51.100.1");
        come_from("192.0.2.1", "10.0.0.0/8");
        forward_as_rfc_7239(lines[i]);
        assert_address("192.0.2.1");
    }
    come_from("10.0.0.1", "10.0.0.0/8");
    forward_as_rfc_7239("for=\"[2001:DB8:cafe::17]:4711\"");
    assert_address("2001:db8:cafe::17");
    come_from("10.0.0.1", "10.0.0.0/8");
    forward_as_rfc_7239("for=203.0.113.9, for=198.51.100.1");
    forward_as_rfc_7239("for=10.0.0.2");
    assert_address("198.51.100.1");
}

static void element_without_an_address_ends_the_reading(void **state) {
    static const char *const elements[] = {
        "for=unknown",
        "for=_hidden",
        "for=\"_SEVKISEK\"",
        "for=",
        "for",
        "proto=https",
        "for=x",
        "203.0.113.7",
        ";",
        "for =203.0.113.7",
        "for=203.0.113.7;for=203.0.113.7",
        "for=\"203.0.113.7",
        "xfor=203.0.113.7",
        "for=\"\"",
        "for=203.0.113.7\"",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(elements); i++) {
        char line[128];
        struct buffer text = buffer_of(line, sizeof line);
        buffer_append_format(&text, "for=203.0.113.9, %s, for=10.0.0.3", elements[i]);
        come_from("10.0.0.1", "10.0.0.0/8");
        exchange.request.fields[0] = (struct http_field){HTTP_FIELD_FORWARDED, buffer_slice(&text)};
        exchange.request.field_count = 1;
        assert_address("10.0.0.3");
    }
    come_from("10.0.0.1", "10.0.0.0/8");
    forward_as_rfc_7239("for=203.0.113.9, for=unknown");
    assert_address("10.0.0.1");
}

static void forwarded_counts_where_the_other_is_not_given(void **state) {
    (void)state;
    come_from("10.0.0.1", "10.0.0.0/8");
    forward_as_rfc_7239("for=203.0.113.9");
    forward("198.51.100.1");
    assert_address("198.51.100.1");
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("198.51.100.1");
    forward_as_rfc_7239("for=203.0.113.9");
    assert_address("198.51.100.1");
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("unknown");
    forward_as_rfc_7239("for=203.0.113.9");
    assert_address("10.0.0.1");
}

static void N_09_word_of_who_is_not_trusted_is_noticed(void **state) {
    (void)state;
    come_from("192.0.2.1", "10.0.0.0/8");
    assert_false(client_address_is_claimed(&exchange, &trusted));
    add_field(HTTP_FIELD_HOST, "h");
    assert_false(client_address_is_claimed(&exchange, &trusted));
    forward("198.51.100.1");
    assert_true(client_address_is_claimed(&exchange, &trusted));
    come_from("unix", "");
    forward_as_rfc_7239("for=198.51.100.1");
    assert_true(client_address_is_claimed(&exchange, &trusted));
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("198.51.100.1");
    assert_false(client_address_is_claimed(&exchange, &trusted));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peer_that_is_not_trusted_is_the_client),
        cmocka_unit_test(trusted_peer_without_the_field_is_the_client),
        cmocka_unit_test(empty_elements_say_nothing),
        cmocka_unit_test(first_from_the_end_that_is_not_trusted),
        cmocka_unit_test(all_trusted_gives_the_farthest),
        cmocka_unit_test(lines_are_read_from_the_last),
        cmocka_unit_test(what_is_no_address_ends_the_reading),
        cmocka_unit_test(proxy_of_both_families_is_recognised),
        cmocka_unit_test(F_04_every_spelling_of_a_hop_is_read),
        cmocka_unit_test(F_36_what_is_found_is_written_in_one_way),
        cmocka_unit_test(open_quote_of_the_client_swallows_nothing),
        cmocka_unit_test(forwarded_is_read),
        cmocka_unit_test(element_without_an_address_ends_the_reading),
        cmocka_unit_test(forwarded_counts_where_the_other_is_not_given),
        cmocka_unit_test(N_09_word_of_who_is_not_trusted_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
