#include "http/response.h"
#include "mintd/http_server.h"
#include "unit/unit.h"
#include <stdlib.h>

static const struct response_frame frame = {
    .connection = RESPONSE_KEEPS,
    .date = SLICE("Sun, 06 Nov 1994 08:49:37 GMT"),
    .request_id = SLICE("id-1"),
};

/* Encoded into exactly the room that the bound promises to be enough. */
static void check(const struct http_response *response, const struct response_frame *with,
                  const char *expected) {
    size_t bound = response_size_bound(response, with);
    char *storage = malloc(bound);
    assert_non_null(storage);
    struct buffer out = buffer_of(storage, bound);
    response_encode(response, with, &out);
    assert_false(out.overflow);
    assert_slice(buffer_slice(&out), slice_of_string(expected));
    free(storage);
}

static void test_fields_and_body(void **state) {
    (void)state;
    const struct http_header headers[] = {
        {S("Content-Type"), S("application/json")},
        {S("Cache-Control"), S("no-store")},
    };
    const struct http_response response = {200, headers, 2, S("{}")};
    check(&response, &frame,
          "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Request-Id: id-1\r\n"
          "Content-Type: application/json\r\nCache-Control: no-store\r\n"
          "Content-Length: 2\r\n\r\n{}");
}

static void test_head_is_counted_and_not_sent(void **state) {
    (void)state;
    const struct http_response response = {200, NULL, 0, S("hello")};
    struct response_frame for_head = frame;
    for_head.is_for_head = true;
    check(&response, &for_head,
          "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Request-Id: id-1\r\n"
          "Content-Length: 5\r\n\r\n");
}

static void test_no_content_has_no_length(void **state) {
    (void)state;
    const struct http_response response = {.status = 204};
    check(&response, &frame,
          "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
          "X-Request-Id: id-1\r\n\r\n");
}

static void test_empty_body_has_length_zero(void **state) {
    (void)state;
    const struct http_response response = {.status = 401};
    check(&response, &frame,
          "HTTP/1.1 401 Unauthorized\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
          "X-Request-Id: id-1\r\nContent-Length: 0\r\n\r\n");
}

static void test_connection(void **state) {
    (void)state;
    const struct http_response response = {.status = 599};
    struct response_frame other = frame;
    other.connection = RESPONSE_CLOSES;
    check(&response, &other,
          "HTTP/1.1 599 \r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n"
          "X-Request-Id: id-1\r\nContent-Length: 0\r\n\r\n");
    other.connection = RESPONSE_KEEPS_1_0;
    check(&response, &other,
          "HTTP/1.1 599 \r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive\r\n"
          "X-Request-Id: id-1\r\nContent-Length: 0\r\n\r\n");
}

/* The longest of everything fits into the bound. */
static void test_bound(void **state) {
    (void)state;
    static char body[200000];
    memset(body, 'x', sizeof body);
    for (unsigned i = 0; i < HTTP_STATUS_COUNT; i++) {
        const struct http_response response = {
            .status = http_status_of_index((enum http_status_index)i),
            .body = slice_of(body, i == HTTP_STATUS_204 ? 0 : sizeof body),
        };
        struct response_frame closing = frame;
        closing.connection = RESPONSE_KEEPS_1_0;
        size_t bound = response_size_bound(&response, &closing);
        char *storage = malloc(bound);
        assert_non_null(storage);
        struct buffer out = buffer_of(storage, bound);
        response_encode(&response, &closing, &out);
        assert_false(out.overflow);
        free(storage);
    }
}

static void test_every_status_has_its_index(void **state) {
    (void)state;
    for (unsigned i = 0; i < HTTP_STATUS_COUNT; i++) {
        unsigned status = http_status_of_index((enum http_status_index)i);
        assert_int_equal(http_status_index_of(status), i);
    }
    assert_int_equal(http_status_index_of(418), HTTP_STATUS_500);
}

static void test_dates(void **state) {
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777999, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782400000, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {1795467599000, "Mon, 23 Nov 2026 20:59:59 GMT"},
        {4102444800000, "Fri, 01 Jan 2100 00:00:00 GMT"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char date[RESPONSE_DATE_SIZE];
        response_format_date(cases[i].ms, date);
        assert_slice(slice_of(date, sizeof date), slice_of_string(cases[i].text));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_and_body),
        cmocka_unit_test(test_head_is_counted_and_not_sent),
        cmocka_unit_test(test_no_content_has_no_length),
        cmocka_unit_test(test_empty_body_has_length_zero),
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_every_status_has_its_index),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
