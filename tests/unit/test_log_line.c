#include "base/log_line.h"
#include "unit/unit.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#define EPOCH_MS UINT64_C(1795467757272)
#define TIME "2026-11-23T21:02:37.272Z"

struct formatted {
    char storage[LOG_LINE_MAX];
    struct slice text;
};

static void format(struct formatted *out, bool json, enum log_level level, const char *message,
                   const struct log_field *fields) {
    struct buffer b = buffer_of(out->storage, sizeof(out->storage));
    struct log_line line = {EPOCH_MS, level, message, fields, false};
    log_line_format(&line, json, &b);
    assert_false(b.overflow);
    out->text = buffer_slice(&b);
}

#define FIELDS(...) ((const struct log_field[]){__VA_ARGS__, LOG_END})

static void json_line(void **state) {
    (void)state;
    struct formatted f;
    format(
        &f, true, LOG_INFO, "token minted",
        FIELDS(LOG_STRING("client", "svc-a"), LOG_NUMBER("ttl_s", 3600), LOG_TEXT("empty", S(""))));
    assert_slice(f.text, S("{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"token minted\","
                           "\"client\":\"svc-a\",\"ttl_s\":3600,\"empty\":\"\"}\n"));
}

static void journal_line(void **state) {
    (void)state;
    static const char *const prefixes[] = {
        [LOG_DEBUG] = "<7>", [LOG_INFO] = "<6>", [LOG_WARNING] = "<4>", [LOG_ERROR] = "<3>"};
    for (enum log_level level = LOG_DEBUG; level < LOG_SILENT; level++) {
        char storage[LOG_LINE_MAX], expected[100];
        struct buffer text = buffer_of(storage, sizeof storage);
        struct log_line line = {EPOCH_MS, level, "ready", NULL, true};
        struct slice name = log_level_name(level);
        log_line_format(&line, false, &text);
        snprintf(expected, sizeof expected, "%s%.*s  ready\n", prefixes[level], (int)name.size,
                 name.data);
        assert_slice(buffer_slice(&text), slice_of_string(expected));
        text.size = 0;
        log_line_format(&line, true, &text);
        snprintf(expected, sizeof expected, "%s{\"time\":\"" TIME "\",", prefixes[level]);
        assert_true(slice_starts_with(buffer_slice(&text), slice_of_string(expected)));
    }
}

static void level_names(void **state) {
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_true(log_level_parse(S("debug"), &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse(S("Debug"), &level));
    assert_false(log_level_parse(S(""), &level));
    assert_int_equal(level, LOG_DEBUG);
}

static void text_line(void **state) {
    (void)state;
    struct formatted f;
    format(&f, false, LOG_INFO, "token minted",
           FIELDS(LOG_STRING("client", "svc-a"), LOG_NUMBER("ttl_s", -7), LOG_TEXT("empty", S("")),
                  LOG_STRING("path", "/a b"), LOG_STRING("q", "a=\"b\\")));
    assert_slice(f.text, S(TIME " info  token minted  client=svc-a ttl_s=-7 empty=\"\" "
                                "path=\"/a b\" q=\"a=\\\"b\\\\\"\n"));
}

static void thousandths(void **state) {
    (void)state;
    struct formatted f;
    format(
        &f, true, LOG_INFO, "request",
        FIELDS(LOG_THOUSANDTHS("a", 0), LOG_THOUSANDTHS("b", 45), LOG_THOUSANDTHS("c", 1234567)));
    assert_slice(f.text, S("{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"request\","
                           "\"a\":0.000,\"b\":0.045,\"c\":1234.567}\n"));
    format(&f, false, LOG_INFO, "request", FIELDS(LOG_THOUSANDTHS("a", 1001)));
    assert_slice(f.text, S(TIME " info  request  a=1.001\n"));
}

static void lines_without_fields(void **state) {
    (void)state;
    struct formatted f;
    format(&f, false, LOG_WARNING, "ready", FIELDS(LOG_END));
    assert_slice(f.text, S(TIME " warning  ready\n"));
    format(&f, true, LOG_ERROR, "ready", NULL);
    assert_slice(f.text, S("{\"time\":\"" TIME "\",\"level\":\"error\",\"message\":\"ready\"}\n"));
    format(&f, true, LOG_DEBUG, "ready", NULL);
    assert_slice(f.text, S("{\"time\":\"" TIME "\",\"level\":\"debug\",\"message\":\"ready\"}\n"));
}

static void absent_texts_are_left_out(void **state) {
    (void)state;
    struct formatted f;
    const struct log_field *fields =
        FIELDS(LOG_TEXT("a", SLICE_ABSENT), LOG_NUMBER("n", 0), LOG_STRING("s", NULL));
    format(&f, false, LOG_INFO, "m", fields);
    assert_slice(f.text, S(TIME " info  m  n=0\n"));
    format(&f, true, LOG_INFO, "m", fields);
    assert_slice(f.text,
                 S("{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"m\",\"n\":0}\n"));
}

static void numbers_have_their_whole_range(void **state) {
    (void)state;
    struct formatted f;
    format(
        &f, false, LOG_INFO, "n",
        FIELDS(LOG_NUMBER("min", INT64_MIN), LOG_NUMBER("max", INT64_MAX), LOG_NUMBER("zero", 0)));
    assert_slice(f.text,
                 S(TIME " info  n  min=-9223372036854775808 max=9223372036854775807 zero=0\n"));
}

static void what_moves_a_terminal_is_escaped(void **state) {
    (void)state;
    static const struct {
        struct slice raw, shown;
    } cases[] = {
        {SLICE("\x1b[31m"), SLICE("\"\\u001b[31m\"")},
        {SLICE("a\r\nb"), SLICE("\"a\\r\\nb\"")},
        {SLICE("\0"), SLICE("\"\\u0000\"")},
        {SLICE("\x7f"), SLICE("\"\\u007f\"")},
        {SLICE("\xc2\x80\xc2\x9b\xc2\x9f"), SLICE("\"\\u0080\\u009b\\u009f\"")},
        {SLICE("\xe2\x80\xa8\xe2\x80\xa9"), SLICE("\"\\u2028\\u2029\"")},
        {SLICE("\xe2\x80\xaa\xe2\x80\xae"), SLICE("\"\\u202a\\u202e\"")},
        {SLICE("\xe2\x81\xa6\xe2\x81\xa9"), SLICE("\"\\u2066\\u2069\"")},
        {SLICE("\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f"), SLICE("\"\\u061c\\u200e\\u200f\"")},
        {SLICE("\x9b"
               "31m\xff"),
         SLICE("\"\xef\xbf\xbd"
               "31m\xef\xbf\xbd\"")},
        {SLICE("\xc2\xa0\xc3\xa9\xe2\x80\xaf"), SLICE("\"\xc2\xa0\xc3\xa9\xe2\x80\xaf\"")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct formatted f;
        char expected[LOG_LINE_MAX];
        format(&f, false, LOG_INFO, "m", FIELDS(LOG_TEXT("k", cases[i].raw)));
        snprintf(expected, sizeof(expected), TIME " info  m  k=%.*s\n", (int)cases[i].shown.size,
                 cases[i].shown.data);
        assert_slice(f.text, slice_of_string(expected));
        format(&f, true, LOG_INFO, "m", FIELDS(LOG_TEXT("k", cases[i].raw)));
        snprintf(expected, sizeof(expected),
                 "{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"m\",\"k\":%.*s}\n",
                 (int)cases[i].shown.size, cases[i].shown.data);
        assert_slice(f.text, slice_of_string(expected));
    }
}

static void messages_are_escaped_too(void **state) {
    (void)state;
    struct formatted f;
    format(&f, false, LOG_INFO, "a\n\x1b\"", FIELDS(LOG_STRING("k", "v")));
    assert_slice(f.text, S(TIME " info  a\\n\\u001b\\\"  k=v\n"));
    format(&f, true, LOG_INFO, "a\n\"", FIELDS(LOG_STRING("k", "v")));
    assert_slice(f.text, S("{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"a\\n\\\"\","
                           "\"k\":\"v\"}\n"));
}

/* ---- long lines ---- */

static cJSON *parse_line(struct slice line) {
    const char *end = NULL;
    cJSON *object = cJSON_ParseWithLengthOpts(line.data, line.size, &end, 0);
    assert_non_null(object);
    assert_ptr_equal(end, line.data + line.size - 1); /* the newline alone is left */
    assert_true(cJSON_IsObject(object));
    return object;
}

/* Values around the length that just fits: the line is whole, or it has lost that field and those
 * behind it, and says so. */
static void long_lines_lose_their_last_fields(void **state) {
    (void)state;
    static char value[LOG_LINE_MAX + 8];
    memset(value, 'v', sizeof(value));
    unsigned whole = 0, cut = 0;
    for (size_t size = LOG_LINE_MAX - 200; size < LOG_LINE_MAX + 8; size++) {
        struct formatted f;
        format(&f, true, LOG_INFO, "m",
               FIELDS(LOG_STRING("first", "1"), LOG_TEXT("big", slice_of(value, size)),
                      LOG_STRING("last", "3")));
        cJSON *line = parse_line(f.text);
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(line, "first")), "1");
        bool truncated = cJSON_IsTrue(cJSON_GetObjectItem(line, "truncated"));
        bool has_last = cJSON_HasObjectItem(line, "last");
        assert_int_equal(truncated, !has_last);
        const char *big = cJSON_GetStringValue(cJSON_GetObjectItem(line, "big"));
        assert_true(big == NULL ? truncated : strlen(big) == size);
        whole += truncated ? 0 : 1;
        cut += truncated ? 1 : 0;
        cJSON_Delete(line);

        format(&f, false, LOG_INFO, "m", FIELDS(LOG_TEXT("big", slice_of(value, size))));
        assert_int_equal(f.text.data[f.text.size - 1], '\n');
        assert_null(memchr(f.text.data, '\n', f.text.size - 1));
    }
    assert_true(whole != 0 && cut != 0);
}

static void long_messages_are_cut(void **state) {
    (void)state;
    static char message[LOG_LINE_MAX * 2];
    memset(message, '\x01', sizeof(message) - 1);
    struct formatted f;
    format(&f, true, LOG_INFO, message, NULL);
    cJSON *line = parse_line(f.text);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(line, "truncated")));
    assert_int_equal(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(line, "message"))), 256);
    cJSON_Delete(line);
    format(&f, false, LOG_INFO, message, NULL);
    assert_slice(slice_skip(f.text, f.text.size - 17), S("  truncated=true\n"));
}

/* ---- hostile values ---- */

static uint32_t next_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void fill_hostile(char *value, size_t size, uint32_t *seed) {
    static const char *const pieces[] = {
        "\r\n",     "\x1b]0;x\a", "\xe2\x80\xae", "\"}",          "\\",           "\xc2\x9b",
        "\xff\xfe", "{\"a\":1}",  "\xed\xa0\x80", "\xe2\x80\xa8", "\xf0\x9f\x98", "x"};
    size_t used = 0;
    while (used < size) {
        uint32_t choice = next_random(seed) % (COUNT_OF(pieces) + 4);
        if (choice >= COUNT_OF(pieces)) {
            value[used++] = (char)next_random(seed);
            continue;
        }
        size_t piece = strlen(pieces[choice]);
        size_t part = piece < size - used ? piece : size - used;
        memcpy(value + used, pieces[choice], part);
        used += part;
    }
}

static void no_byte_disturbs_a_terminal(struct slice line) {
    for (size_t i = 0; i + 1 < line.size; i++) {
        uint8_t byte = (uint8_t)line.data[i], next = (uint8_t)line.data[i + 1];
        assert_true(byte >= 0x20 && byte != 0x7f);
        assert_false(byte == 0xc2 && next < 0xa0);
    }
    assert_int_equal(line.data[line.size - 1], '\n');
}

static void hostile_values_keep_one_object_a_line(void **state) {
    (void)state;
    uint32_t seed = 2463534242u;
    for (unsigned round = 0; round < 20000; round++) {
        char a[64], b[512];
        size_t a_size = next_random(&seed) % sizeof(a), b_size = next_random(&seed) % sizeof(b);
        fill_hostile(a, a_size, &seed);
        fill_hostile(b, b_size, &seed);
        struct formatted f;
        format(&f, true, LOG_INFO, "m",
               FIELDS(LOG_TEXT("a", slice_of(a, a_size)), LOG_TEXT("b", slice_of(b, b_size))));
        no_byte_disturbs_a_terminal(f.text);
        cJSON *line = parse_line(f.text);
        int size = cJSON_GetArraySize(line);
        assert_true(size == 5 || cJSON_IsTrue(cJSON_GetObjectItem(line, "truncated")));
        cJSON_Delete(line);
        format(&f, false, LOG_INFO, "m",
               FIELDS(LOG_TEXT("a", slice_of(a, a_size)), LOG_TEXT("b", slice_of(b, b_size))));
        no_byte_disturbs_a_terminal(f.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_line),
        cmocka_unit_test(text_line),
        cmocka_unit_test(lines_without_fields),
        cmocka_unit_test(thousandths),
        cmocka_unit_test(absent_texts_are_left_out),
        cmocka_unit_test(numbers_have_their_whole_range),
        cmocka_unit_test(what_moves_a_terminal_is_escaped),
        cmocka_unit_test(messages_are_escaped_too),
        cmocka_unit_test(long_lines_lose_their_last_fields),
        cmocka_unit_test(journal_line),
        cmocka_unit_test(level_names),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(hostile_values_keep_one_object_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
