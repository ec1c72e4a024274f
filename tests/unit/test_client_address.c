/* Where a request really comes from: X-Forwarded-For, read from its end. The exchange is a stub. */
#include "api/client_address.h"
#include "unit/unit.h"

struct http_exchange {
    struct http_request request;
    struct slice peer;
};

const struct http_request *http_request_of(const struct http_exchange *x) {
    return &x->request;
}

struct slice http_peer_of(struct http_exchange *x) {
    return x->peer;
}

static struct http_exchange exchange;
static struct networks trusted;

static void come_from(const char *peer, const char *trusted_networks) {
    char storage[128];
    struct buffer error = buffer_of(storage, sizeof storage);
    memset(&exchange, 0, sizeof exchange);
    exchange.peer = slice_of_string(peer);
    assert_true(networks_parse(slice_of_string(trusted_networks), &trusted, &error));
}

static void add_field(enum http_field_id id, const char *value) {
    struct http_request *request = &exchange.request;
    request->fields[request->field_count++] = (struct http_field){id, slice_of_string(value)};
}

static void forward(const char *value) {
    add_field(HTTP_FIELD_X_FORWARDED_FOR, value);
}

static void assert_address(const char *expected) {
    assert_slice(client_address_of(&exchange, &trusted), slice_of_string(expected));
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
    static const char *const odd[] = {"unknown",         "unix",          "",
                                      "198.51.100.1:80", "[2001:db9::1]", "10.0.0.2 10.0.0.3",
                                      "\"10.0.0.2\"",    "for=10.0.0.2",  "198.51.100.256",
                                      "10.0.0.2\x01"};
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
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("198.51.100.1,");
    assert_address("10.0.0.1");
    come_from("10.0.0.1", "10.0.0.0/8");
    forward(",198.51.100.1");
    assert_address("198.51.100.1");
}

static void proxy_of_both_families_is_recognised(void **state) {
    (void)state;
    come_from("10.0.0.1", "10.0.0.0/8");
    forward("198.51.100.1, ::ffff:10.0.0.2");
    assert_address("198.51.100.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peer_that_is_not_trusted_is_the_client),
        cmocka_unit_test(trusted_peer_without_the_field_is_the_client),
        cmocka_unit_test(first_from_the_end_that_is_not_trusted),
        cmocka_unit_test(all_trusted_gives_the_farthest),
        cmocka_unit_test(lines_are_read_from_the_last),
        cmocka_unit_test(what_is_no_address_ends_the_reading),
        cmocka_unit_test(proxy_of_both_families_is_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
