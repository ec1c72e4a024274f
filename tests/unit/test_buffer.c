#include "mintd/buffer.h"
#include "unit/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Runs append with every capacity from none to more than enough, in a block of exactly that size,
 * so that AddressSanitizer sees a byte too many. What fits not must leave nothing behind. */
static void check_every_capacity(void (*append)(struct buffer *, const void *), const void *value,
                                 struct slice expected, size_t extra) {
    size_t needed = expected.size + extra;
    for (size_t capacity = 0; capacity <= needed + 2; capacity++) {
        char *storage = malloc(capacity + 1);
        assert_non_null(storage);
        char *exact = storage + 1; /* its end is the block's end */
        struct buffer b = buffer_of(exact, capacity);
        append(&b, value);
        assert_int_equal(b.overflow, capacity < needed);
        assert_slice(buffer_slice(&b), capacity < needed ? S("") : expected);
        free(storage);
    }
}

static void append_slice(struct buffer *b, const void *value) {
    buffer_append(b, *(const struct slice *)value);
}

static void append_json(struct buffer *b, const void *value) {
    buffer_append_json(b, *(const struct slice *)value);
}

static void append_number(struct buffer *b, const void *value) {
    buffer_append_number(b, *(const uint64_t *)value);
}

static void append_iso8601(struct buffer *b, const void *value) {
    buffer_append_iso8601(b, *(const uint64_t *)value);
}

static void append_format(struct buffer *b, const void *value) {
    buffer_append_format(b, "%s=%d", (const char *)value, 42);
}

static void slices_fit_or_are_dropped(void **state) {
    (void)state;
    struct slice texts[] = {S(""), S("a"), S("abcdefgh"), SLICE_ABSENT};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        check_every_capacity(append_slice, &texts[i], texts[i], 0);
    }
}

static void overflow_stays(void **state) {
    (void)state;
    char storage[3];
    struct buffer b = buffer_of(storage, sizeof(storage));
    buffer_append(&b, S("abcd"));
    assert_true(b.overflow);
    buffer_append_json(&b, S("x"));
    assert_true(b.overflow);
    assert_slice(buffer_slice(&b), S("\"x\""));
    buffer_append_json(&b, S("y"));
    assert_slice(buffer_slice(&b), S("\"x\""));
}

static void numbers_are_decimal(void **state) {
    (void)state;
    const uint64_t numbers[] = {0, 1, 9, 10, 99, 100, 4294967296u, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)numbers[i]);
        check_every_capacity(append_number, &numbers[i], slice_of_string(expected), 0);
    }
    for (uint64_t power = 1; power < UINT64_MAX / 10; power *= 10) {
        for (uint64_t n = power * 9 - 3; n <= power * 9 + 3; n++) {
            char text[24], expected[24];
            struct buffer b = buffer_of(text, sizeof(text));
            buffer_append_number(&b, n);
            int size = snprintf(expected, sizeof(expected), "%llu", (unsigned long long)n);
            assert_int_equal(b.size, size);
            assert_memory_equal(text, expected, b.size);
        }
    }
}

static void formats_fit_or_are_dropped(void **state) {
    (void)state;
    check_every_capacity(append_format, "name", S("name=42"), 1);
}

static void check_json(struct slice input, struct slice expected) {
    check_every_capacity(append_json, &input, expected, 0);
}

static void json_escapes_what_it_must(void **state) {
    (void)state;
    check_json(S(""), S("\"\""));
    check_json(SLICE_ABSENT, S("\"\""));
    check_json(S("plain"), S("\"plain\""));
    check_json(S("a\"b\\c/d"), S("\"a\\\"b\\\\c/d\""));
    check_json(S("\b\f\n\r\t"), S("\"\\b\\f\\n\\r\\t\""));
    check_json(S("\0\x01\x1f\x7f"), S("\"\\u0000\\u0001\\u001f\\u007f\""));
    check_json(S("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
               S("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""));
    check_json(S("\xe2\x80\xa8\xe2\x80\xae"), S("\"\xe2\x80\xa8\xe2\x80\xae\""));
}

#define REPLACEMENT "\xef\xbf\xbd"

static void json_replaces_what_is_not_utf8(void **state) {
    (void)state;
    check_json(S("\xff"), S("\"" REPLACEMENT "\""));
    check_json(S("a\x80z"), S("\"a" REPLACEMENT "z\""));
    check_json(S("\xc0\xaf"), S("\"" REPLACEMENT REPLACEMENT "\""));
    check_json(S("\xe2\x82"), S("\"" REPLACEMENT REPLACEMENT "\""));
    check_json(S("\xe2\x82\""), S("\"" REPLACEMENT REPLACEMENT "\\\"\""));
    check_json(S("\xed\xa0\x80"), S("\"" REPLACEMENT REPLACEMENT REPLACEMENT "\""));
}

static void expect_byte(struct buffer *b, uint8_t byte) {
    static const char *const named[128] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r",
        ['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\"};
    if (byte >= 0x80) {
        buffer_append(b, S(REPLACEMENT));
    } else if (named[byte] != NULL) {
        buffer_append(b, slice_of_string(named[byte]));
    } else if (byte < 0x20 || byte == 0x7f) {
        buffer_append_format(b, "\\u%04x", byte);
    } else {
        buffer_append_char(b, (char)byte);
    }
}

/* Every byte value at every place of a text of several machine words, between plain bytes. */
static void json_finds_each_byte_at_each_place(void **state) {
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 20; place++) {
            char text[20], wanted[64], got[64];
            memset(text, 'x', sizeof(text));
            text[place] = (char)byte;
            struct buffer expected = buffer_of(wanted, sizeof(wanted));
            struct buffer actual = buffer_of(got, sizeof(got));
            buffer_append_char(&expected, '"');
            for (size_t i = 0; i < sizeof(text); i++) {
                expect_byte(&expected, (uint8_t)text[i]);
            }
            buffer_append_char(&expected, '"');
            buffer_append_json(&actual, slice_of(text, sizeof(text)));
            assert_slice(buffer_slice(&actual), buffer_slice(&expected));
        }
    }
}

static void iso8601_is_what_the_library_says(void **state) {
    (void)state;
    uint64_t example = UINT64_C(1795467757272);
    check_every_capacity(append_iso8601, &example, S("2026-11-23T21:02:37.272Z"), 0);
    /* A step that is no multiple of a day meets every month's end and every leap rule by 2500. */
    for (uint64_t seconds = 0; seconds < UINT64_C(16725225600); seconds += 86399 * 3) {
        time_t moment = (time_t)seconds;
        struct tm parts;
        char expected[32], storage[32];
        assert_non_null(gmtime_r(&moment, &parts));
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.007Z", &parts);
        struct buffer b = buffer_of(storage, sizeof(storage));
        buffer_append_iso8601(&b, seconds * 1000 + 7);
        assert_slice(buffer_slice(&b), slice_of_string(expected));
    }
}

static void iso8601_keeps_its_width(void **state) {
    (void)state;
    const uint64_t moments[] = {0, UINT64_C(253402300799999), UINT64_C(253402300800000),
                                UINT64_MAX};
    const struct slice texts[] = {S("1970-01-01T00:00:00.000Z"), S("9999-12-31T23:59:59.999Z"),
                                  S("9999-12-31T23:59:59.999Z"), S("9999-12-31T23:59:59.999Z")};
    for (size_t i = 0; i < COUNT_OF(moments); i++) {
        check_every_capacity(append_iso8601, &moments[i], texts[i], 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_fit_or_are_dropped),
        cmocka_unit_test(overflow_stays),
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(formats_fit_or_are_dropped),
        cmocka_unit_test(json_escapes_what_it_must),
        cmocka_unit_test(json_replaces_what_is_not_utf8),
        cmocka_unit_test(json_finds_each_byte_at_each_place),
        cmocka_unit_test(iso8601_is_what_the_library_says),
        cmocka_unit_test(iso8601_keeps_its_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
