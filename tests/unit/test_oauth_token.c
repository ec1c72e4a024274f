/* The form of a token, its id, and its record. */
#include "oauth/token.h"
#include "support/failing_crypto.h"
#include "unit/unit.h"
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define MANY_TOKENS 100000u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MANY_TOKENS 100000u
#endif
#endif
#ifndef MANY_TOKENS
#define MANY_TOKENS 1000000u
#endif

/* Made by another implementation of CRC-32 and SHA-256 than ours. */
#define KNOWN "mtd_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2fYdK6"
#define KNOWN_ID "e76d340c6cf56f76826f333df7844684"
#define KNOWN_SECRET "mts_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg27pc5i"
#define KNOWN_LEADING_ZERO "mtd_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz0amKe8"

#define TEXT_MAX (OAUTH_CLIENT_ID_MAX + OAUTH_SCOPE_MAX + OAUTH_AUDIENCE_MAX)

static int set_up(void **state) {
    *state = crypto_new();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state) {
    failing_crypto = (struct failing_crypto){0};
    crypto_free(*state);
    return 0;
}

static bool is_token(const char *text, size_t size) {
    return token_text_is_valid(S("mtd_"), slice_of(text, size));
}

/* ---- the form ---- */

static void known_tokens_are_valid(void **state) {
    char jti[OAUTH_JTI_SIZE];
    assert_true(is_token(KNOWN, OAUTH_TOKEN_SIZE));
    assert_true(is_token(KNOWN_LEADING_ZERO, OAUTH_TOKEN_SIZE));
    assert_true(token_text_is_valid(S("mts_"), S(KNOWN_SECRET)));
    assert_false(token_text_is_valid(S("mts_"), S(KNOWN)));
    assert_false(token_text_is_valid(S("mtd_"), S(KNOWN_SECRET)));
    assert_true(token_id_of(*state, S(KNOWN), jti));
    assert_slice(slice_of(jti, sizeof jti), S(KNOWN_ID));
}

/* CRC-32 finds any change within 32 bits in a row, so none of these may pass. */
static void every_change_of_one_character_is_found(void **state) {
    char text[OAUTH_TOKEN_SIZE];
    for (unsigned tokens = 0; tokens < 20; tokens++) {
        assert_true(token_text_make(*state, S("mtd_"), text));
        for (size_t i = 0; i < sizeof text; i++) {
            char kept = text[i];
            for (unsigned change = 1; change < 256; change++) {
                text[i] = (char)(kept ^ (char)change);
                assert_false(is_token(text, sizeof text));
            }
            text[i] = kept;
        }
        assert_true(is_token(text, sizeof text));
    }
}

static void swapped_neighbours_are_found(void **state) {
    char text[OAUTH_TOKEN_SIZE];
    for (unsigned tokens = 0; tokens < 100; tokens++) {
        assert_true(token_text_make(*state, S("mtd_"), text));
        for (size_t i = 0; i + 1 < sizeof text; i++) {
            char first = text[i], second = text[i + 1];
            text[i] = second;
            text[i + 1] = first;
            assert_int_equal(is_token(text, sizeof text), first == second);
            text[i] = first;
            text[i + 1] = second;
        }
    }
}

static void every_other_length_is_refused(void **state) {
    static const char longer[] = KNOWN KNOWN;
    (void)state;
    for (size_t size = 0; size < sizeof longer; size++) {
        char *exact = malloc(size + 1); /* so that a read behind the end is found */
        assert_non_null(exact);
        char *place = exact + 1;
        memcpy(place, longer, size);
        assert_int_equal(is_token(place, size), size == OAUTH_TOKEN_SIZE);
        free(exact);
    }
    assert_false(token_text_is_valid(S("mtd_"), SLICE_ABSENT));
    assert_false(token_text_is_valid(S("mtd_"), S(" " KNOWN)));
    assert_false(token_text_is_valid(S("mtd_"), S(KNOWN "=")));
}

static void prefix_is_exact(void **state) {
    static const char *const texts[] = {
        "MTD_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2fYdK6",
        "mtd-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2fYdK6",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_false(is_token(texts[i], OAUTH_TOKEN_SIZE));
    }
}

static void without_randomness_there_is_no_token(void **state) {
    char text[OAUTH_TOKEN_SIZE], jti[OAUTH_JTI_SIZE];
    failing_crypto.random = true;
    assert_false(token_text_make(*state, S("mtd_"), text));
    failing_crypto.random = false;
    failing_crypto.sha256 = true;
    assert_false(token_id_of(*state, S(KNOWN), jti));
}

static int compare_texts(const void *a, const void *b) {
    return memcmp(a, b, OAUTH_TOKEN_SIZE);
}

/* mtd_[0-9A-Za-z]{49} (T-03). */
static void assert_form(const char *text) {
    assert_memory_equal(text, "mtd_", 4);
    for (size_t i = 4; i < OAUTH_TOKEN_SIZE; i++) {
        char c = text[i];
        assert_true((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
    }
    assert_true(is_token(text, OAUTH_TOKEN_SIZE));
}

static void tokens_never_repeat(void **state) {
    char(*texts)[OAUTH_TOKEN_SIZE] = malloc((size_t)MANY_TOKENS * OAUTH_TOKEN_SIZE);
    assert_non_null(texts);
    for (size_t i = 0; i < MANY_TOKENS; i++) {
        assert_true(token_text_make(*state, S("mtd_"), texts[i]));
        if (i % 100 == 0) {
            assert_form(texts[i]);
        }
    }
    qsort(texts, MANY_TOKENS, OAUTH_TOKEN_SIZE, compare_texts);
    for (size_t i = 1; i < MANY_TOKENS; i++) {
        assert_true(compare_texts(texts[i - 1], texts[i]) != 0);
    }
    free(texts);
}

/* Each of 62 characters, at each of the 43 places: with 620 expected, 200 off is eight standard
 * deviations. A modulo without rejection would favour the first eight by a quarter: 155 more. All
 * places together tell that apart: 26,660 expected, 163 a standard deviation. */
static void characters_are_equally_likely(void **state) {
    enum { PLACES = 43, TOKENS = 62 * 620 };
    static unsigned counts[PLACES][128];
    char text[OAUTH_TOKEN_SIZE];
    for (unsigned i = 0; i < TOKENS; i++) {
        assert_true(token_text_make(*state, S("mtd_"), text));
        for (size_t place = 0; place < PLACES; place++) {
            counts[place][(unsigned char)text[4 + place] & 0x7f]++;
        }
    }
    for (const char *c = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"; *c;
         c++) {
        unsigned everywhere = 0;
        for (size_t place = 0; place < PLACES; place++) {
            unsigned here = counts[place][(unsigned char)*c];
            assert_in_range(here, 620 - 200, 620 + 200);
            everywhere += here;
        }
        assert_in_range(everywhere, 26660 - 1300, 26660 + 1300);
    }
}

/* Bytes that would favour a character are thrown away, however many they are. */
static void highest_bytes_make_no_character(void **state) {
    char text[OAUTH_TOKEN_SIZE];
    failing_crypto.highest = 3;
    assert_true(token_text_make(*state, S("mtd_"), text));
    assert_int_equal(failing_crypto.highest, 0);
    assert_form(text);
    assert_null(memmem(text, sizeof text, "77777777", 8)); /* the digit of 0xff % 62 */
}

/* ---- the record ---- */

static void assert_records_equal(const struct token_record *a, const struct token_record *b) {
    assert_slice(a->client_id, b->client_id);
    assert_slice(a->scope, b->scope);
    assert_slice(a->audience, b->audience);
    assert_int_equal(a->issued_at, b->issued_at);
    assert_int_equal(a->expires_at, b->expires_at);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->global_generation, b->global_generation);
}

static void assert_round_trip(const struct token_record *record) {
    char json_storage[16384], text_storage[TEXT_MAX];
    struct buffer json = buffer_of(json_storage, sizeof json_storage);
    struct buffer text = buffer_of(text_storage, sizeof text_storage);
    struct token_record read;
    token_record_write(record, &json);
    assert_false(json.overflow);
    char *exact = malloc(json.size); /* no NUL behind it */
    assert_non_null(exact);
    memcpy(exact, json.data, json.size);
    memset(&read, 0xa5, sizeof read);
    assert_true(token_record_read(slice_of(exact, json.size), &read, &text));
    free(exact);
    assert_records_equal(&read, record);
}

static void record_is_json_as_documented(void **state) {
    char storage[512];
    struct buffer json = buffer_of(storage, sizeof storage);
    (void)state;
    token_record_write(&(struct token_record){S("svc-a"), S("read write"),
                                              S("https://rs1.example/"), 1795467600, 1795471201, 7,
                                              3},
                       &json);
    assert_slice(
        buffer_slice(&json),
        S("{\"client\":\"svc-a\",\"scope\":\"read write\",\"aud\":\"https://rs1.example/\","
          "\"iat\":1795467600,\"exp\":1795471201,\"gen\":7,\"ggen\":3}"));
}

static void records_survive_the_way_there_and_back(void **state) {
    static const struct slice lists[] = {SLICE(""),
                                         SLICE("a b c"),
                                         SLICE("  "),
                                         SLICE("!#$%&'()*+,-./:;<=>?@[]^_`{|}~"),
                                         SLICE("\"\\/"),
                                         SLICE("\\u0041"),
                                         SLICE("{\"client\":\"x\"}")};
    static const struct slice names[] = {SLICE("svc-a"), SLICE("\b\f\n\r\t"), SLICE("\x01\x1f\x7f"),
                                         SLICE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
                                         SLICE("\xe2\x80\xa8\xe2\x80\xae\xef\xbb\xbf")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (size_t j = 0; j < COUNT_OF(lists); j++) {
            for (size_t k = 0; k < COUNT_OF(names); k++) {
                assert_round_trip(&(struct token_record){names[k], lists[i], lists[j], 1, 2, 3, 4});
            }
        }
    }
    assert_round_trip(&(struct token_record){S("x"), S(""), S(""), 0, 1, 0, 0});
}

static void largest_record_fits(void **state) {
    static char id[OAUTH_CLIENT_ID_MAX], scope[OAUTH_SCOPE_MAX], audience[OAUTH_AUDIENCE_MAX];
    (void)state;
    memset(id, 'i', sizeof id);
    memset(scope, 's', sizeof scope);
    memset(audience, 'a', sizeof audience);
    assert_round_trip(&(struct token_record){
        slice_of(id, sizeof id), slice_of(scope, sizeof scope), slice_of(audience, sizeof audience),
        UINT64_C(9007199254740992), UINT64_C(9007199254740992), UINT64_C(9007199254740992),
        UINT64_C(9007199254740992)});
}

static bool reads(struct slice json, struct token_record *record) {
    static char storage[TEXT_MAX];
    struct buffer text = buffer_of(storage, sizeof storage);
    return token_record_read(json, record, &text);
}

static void assert_unreadable(const char *json) {
    struct token_record record;
    if (reads(slice_of_string(json), &record)) {
        fail_msg("taken for a record: %s", json);
    }
}

static void missing_members_have_their_defaults(void **state) {
    struct token_record record;
    (void)state;
    assert_true(reads(S("{\"client\":\"a\",\"exp\":5}"), &record));
    assert_records_equal(&record, &(struct token_record){S("a"), S(""), S(""), 0, 5, 0, 0});
    assert_true(reads(S(" { \"exp\" : 5 , \"more\" : [1,{}] , \"client\" : \"a\" } \n"), &record));
    assert_slice(record.client_id, S("a"));
    assert_true(reads(S("{\"exp\":5,\"client\":\"a\",\"iat\":0,\"gen\":0,\"ggen\":0}"), &record));
    assert_records_equal(&record, &(struct token_record){S("a"), S(""), S(""), 0, 5, 0, 0});
}

static void what_is_needed_must_be_there(void **state) {
    (void)state;
    assert_unreadable("{}");
    assert_unreadable("{\"client\":\"a\"}");
    assert_unreadable("{\"exp\":5}");
    assert_unreadable("{\"client\":\"\",\"exp\":5}");
    assert_unreadable("{\"client\":\"a\",\"exp\":0}");
    assert_unreadable("{\"Client\":\"a\",\"exp\":5}");
}

static void wrong_types_are_unreadable(void **state) {
    static const char *const values[] = {"null", "true", "[]", "{}", "[\"a\"]", "\"1\"", "7"};
    static const char *const names[] = {"client", "scope", "aud", "iat", "exp", "gen", "ggen"};
    (void)state;
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        for (size_t v = 0; v < COUNT_OF(values); v++) {
            char json[256];
            bool right = n < 3 ? values[v][0] == '"' : values[v][0] == '7';
            snprintf(json, sizeof json, "{\"%s\":%s,\"client\":\"a\",\"exp\":5}", names[n],
                     values[v]);
            if (!right) {
                assert_unreadable(json);
            }
        }
    }
}

static void numbers_out_of_range_are_unreadable(void **state) {
    static const char *const values[] = {
        "-1",
        "-0.5",
        "1e999",
        "-1e999",
        "9007199254740994",
        "1e16",
        "18446744073709551616",
        "99999999999999999999999999999999999999999999999999",
        "- 1",
        "0x10",
        "+1",
        "NaN",
        "Infinity",
        "1e",
        "",
    };
    static const char *const names[] = {"iat", "exp", "gen", "ggen"};
    (void)state;
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        for (size_t v = 0; v < COUNT_OF(values); v++) {
            char json[256];
            snprintf(json, sizeof json, "{\"%s\":%s,\"client\":\"a\",\"exp\":5}", names[n],
                     values[v]);
            assert_unreadable(json);
        }
    }
}

/* The same of records in the form that we write. */
static void numbers_of_our_own_form_have_the_same_range(void **state) {
    static const char *const good[] = {"1", "9007199254740992"};
    static const char *const bad[] = {"9007199254740993",
                                      "9999999999999999999",
                                      "10000000000000000000",
                                      "18446744073709551617",
                                      "",
                                      "1:", /* what stands behind 9 */
                                      "1/",
                                      "-1"};
    (void)state;
    for (unsigned place = 0; place < 4; place++) {
        for (size_t i = 0; i < COUNT_OF(good) + COUNT_OF(bad); i++) {
            const char *numbers[] = {"1", "1", "1", "1"};
            char json[256];
            numbers[place] = i < COUNT_OF(good) ? good[i] : bad[i - COUNT_OF(good)];
            snprintf(json, sizeof json,
                     "{\"client\":\"a\",\"scope\":\"\",\"aud\":\"\",\"iat\":%s,\"exp\":%s,"
                     "\"gen\":%s,\"ggen\":%s}",
                     numbers[0], numbers[1], numbers[2], numbers[3]);
            assert_int_equal(reads(slice_of_string(json), &(struct token_record){0}),
                             i < COUNT_OF(good));
        }
    }
}

static void other_json_is_unreadable(void **state) {
    static const char *const texts[] = {"",
                                        " ",
                                        "null",
                                        "1",
                                        "\"{}\"",
                                        "[]",
                                        "[{\"client\":\"a\"}]",
                                        "{",
                                        "}",
                                        "{\"client\":\"a\",\"exp\":5",
                                        "{\"client\":\"a\" \"exp\":5}",
                                        "{'client':'a','exp':5}",
                                        "{\"client\":\"a\",\"exp\":5,}",
                                        "OK"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_unreadable(texts[i]);
    }
    assert_false(reads(SLICE_ABSENT, &(struct token_record){0}));
}

static void nothing_stands_behind_a_record(void **state) {
    (void)state;
    assert_unreadable("{\"client\":\"a\",\"exp\":5}x");
    assert_unreadable("{\"client\":\"a\",\"exp\":5}{\"client\":\"b\",\"exp\":5}");
    assert_false(reads(S("{\"client\":\"a\",\"exp\":5}\0"), &(struct token_record){0}));
}

/* Our own form is exact: without one of its parts it is another record, or none. */
static void parts_of_our_own_form_are_not_missed(void **state) {
    static const struct {
        const char *part;
        bool may_lack;
    } parts[] = {
        {"{\"client\":\"", false},
        {"a", false},
        {"\",\"scope\":\"", true},
        {"r", true},
        {"\",\"aud\":\"", true},
        {"u", true},
        {"\",\"iat\":", false},
        {"1", false},
        {",\"exp\":", false},
        {"5", false},
        {",\"gen\":", true},
        {"7", false},
        {",\"ggen\":", true},
        {"3", false},
        {"}", false},
    };
    (void)state;
    for (size_t missing = 0; missing < COUNT_OF(parts); missing++) {
        char json[256] = "";
        struct token_record record;
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
            strcat(json, i == missing ? "" : parts[i].part);
        }
        assert_int_equal(reads(slice_of_string(json), &record), parts[missing].may_lack);
    }
}

/* A client's name must not be cut where C sees an end. */
static void nul_in_a_text_is_unreadable(void **state) {
    (void)state;
    assert_unreadable("{\"client\":\"a\\u0000b\",\"exp\":5}");
    assert_unreadable("{\"client\":\"a\",\"scope\":\"read\\u0000 write\",\"exp\":5}");
}

/* Whichever of two wins, it is one of them, and all of it. */
static void double_members_do_not_mix(void **state) {
    struct token_record record;
    (void)state;
    if (reads(S("{\"client\":\"a\",\"client\":\"bb\",\"exp\":5,\"exp\":6}"), &record)) {
        assert_true(slice_equal(record.client_id, S("a")) ||
                    slice_equal(record.client_id, S("bb")));
        assert_true(record.expires_at == 5 || record.expires_at == 6);
    }
}

static void assert_no_truncation_is_readable(const char *json) {
    struct token_record record;
    for (size_t size = 0; size < strlen(json); size++) {
        char *exact = malloc(size + 1);
        assert_non_null(exact);
        memcpy(exact + 1, json, size); /* ends where the memory ends */
        assert_false(reads(slice_of(exact + 1, size), &record));
        free(exact);
    }
    assert_true(reads(slice_of_string(json), &record));
}

static void every_truncation_is_unreadable(void **state) {
    (void)state;
    assert_no_truncation_is_readable(
        "{\"client\":\"svc-a\",\"scope\":\"r\\u0065ad \\\"w\\\"\",\"aud\":\"https://rs1.example/\","
        "\"iat\":1795467600,\"exp\":1795471201,\"gen\":7,\"ggen\":3}");
    assert_no_truncation_is_readable(
        "{\"client\":\"svc-a\",\"scope\":\"read\",\"aud\":\"https://rs1.example/\","
        "\"iat\":1795467600,\"exp\":1795471201,\"gen\":7,\"ggen\":3}");
}

/* In our own form too. */
static void spoilt_bytes_of_a_list_are_found(void **state) {
    static const char spoilt[] = {'\x01', '\x1f', '\x7f', '\x80', '\xff'};
    static const size_t places[] = {27, 39}; /* of the scope, of the audience */
    (void)state;
    for (size_t at = 0; at < COUNT_OF(places); at++) {
        for (size_t i = 0; i < sizeof spoilt; i++) {
            char json[] = "{\"client\":\"svc\",\"scope\":\"read\",\"aud\":\"rs1\","
                          "\"iat\":17,\"exp\":18,\"gen\":7,\"ggen\":3}";
            assert_int_equal(json[places[at]], "as"[at]);
            json[places[at]] = spoilt[i];
            assert_unreadable(json);
        }
    }
}

static void deep_nesting_is_unreadable(void **state) {
    enum { DEPTH = 64 * 1024 };
    static char json[DEPTH];
    struct token_record record;
    (void)state;
    memset(json, '[', sizeof json);
    assert_false(reads(slice_of(json, sizeof json), &record));
    memcpy(json, "{\"client\":\"a\",\"exp\":5,\"x\":", 26);
    assert_false(reads(slice_of(json, sizeof json), &record));
    for (size_t i = 0; i + 5 <= sizeof json; i += 5) {
        memcpy(json + i, "{\"a\":", 5);
    }
    assert_false(reads(slice_of(json, sizeof json), &record));
}

/* Both lists go into header fields. */
static void lists_that_headers_cannot_have_are_unreadable(void **state) {
    static const char *const odd[] = {"\\n",     "\\r\\nX-Evil: 1", "\\t",  "\\u007f",
                                      "\\u00e9", "\xc3\xa9",        "\xff", "\x01"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"client\":\"a\",\"scope\":\"r%s\",\"exp\":5}", odd[i]);
        assert_unreadable(json);
        snprintf(json, sizeof json, "{\"client\":\"a\",\"aud\":\"%sr\",\"exp\":5}", odd[i]);
        assert_unreadable(json);
    }
}

static void what_is_too_long_is_not_looked_at(void **state) {
    const char record[] = "{\"client\":\"c\",\"exp\":2}";
    static char text[TOKEN_RECORD_MAX + 1];
    struct token_record read;
    (void)state;
    memset(text, ' ', sizeof text);
    memcpy(text, record, sizeof record - 1);
    assert_true(reads(slice_of(text, TOKEN_RECORD_MAX), &read));
    assert_false(reads(slice_of(text, TOKEN_RECORD_MAX + 1), &read));
}

static void texts_over_their_room_are_unreadable(void **state) {
    static char json[8192], scope[TEXT_MAX + 1];
    struct token_record record;
    (void)state;
    memset(scope, 's', sizeof scope);
    for (size_t size = TEXT_MAX - 3; size <= TEXT_MAX + 1; size++) {
        int length = snprintf(json, sizeof json, "{\"client\":\"a\",\"scope\":\"%.*s\",\"exp\":5}",
                              (int)size, scope);
        assert_int_equal(reads(slice_of(json, (size_t)length), &record), size + 1 <= TEXT_MAX);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(known_tokens_are_valid),
        TEST(every_change_of_one_character_is_found),
        TEST(swapped_neighbours_are_found),
        TEST(every_other_length_is_refused),
        TEST(prefix_is_exact),
        TEST(without_randomness_there_is_no_token),
        TEST(tokens_never_repeat),
        TEST(characters_are_equally_likely),
        TEST(highest_bytes_make_no_character),
        TEST(record_is_json_as_documented),
        TEST(records_survive_the_way_there_and_back),
        TEST(largest_record_fits),
        TEST(missing_members_have_their_defaults),
        TEST(what_is_needed_must_be_there),
        TEST(wrong_types_are_unreadable),
        TEST(numbers_out_of_range_are_unreadable),
        TEST(numbers_of_our_own_form_have_the_same_range),
        TEST(other_json_is_unreadable),
        TEST(nothing_stands_behind_a_record),
        TEST(parts_of_our_own_form_are_not_missed),
        TEST(nul_in_a_text_is_unreadable),
        TEST(double_members_do_not_mix),
        TEST(every_truncation_is_unreadable),
        TEST(spoilt_bytes_of_a_list_are_found),
        TEST(deep_nesting_is_unreadable),
        TEST(lists_that_headers_cannot_have_are_unreadable),
        TEST(what_is_too_long_is_not_looked_at),
        TEST(texts_over_their_room_are_unreadable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
