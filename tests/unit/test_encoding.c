#include "mintd/encoding.h"
#include "unit/unit.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- hex ---- */

static void hex_goes_both_ways(void **state) {
    (void)state;
    uint8_t bytes[256], back[256];
    char text[512];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    hex_encode(bytes, sizeof(bytes), text);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        char pair[3];
        snprintf(pair, sizeof(pair), "%02zx", i);
        assert_memory_equal(text + 2 * i, pair, 2);
    }
    assert_true(hex_decode(slice_of(text, sizeof(text)), back, sizeof(back)));
    assert_memory_equal(back, bytes, sizeof(bytes));
    assert_true(hex_decode(S("aBCdEF"), back, 3));
    assert_memory_equal(back, "\xab\xcd\xef", 3);
    assert_true(hex_decode(S(""), back, 0));
}

static void hex_wants_every_digit(void **state) {
    (void)state;
    uint8_t out[4];
    assert_false(hex_decode(S("abc"), out, 1));
    assert_false(hex_decode(S("abc"), out, 2));
    assert_false(hex_decode(S("abcd"), out, 1));
    assert_false(hex_decode(S("abcd"), out, 3));
    assert_false(hex_decode(S(" a"), out, 1));
    for (int c = 0; c < 256; c++) {
        char text[] = {(char)c, '0', '0', (char)c};
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        assert_int_equal(hex_decode(slice_of(text, 2), out, 1), digit);
        assert_int_equal(hex_decode(slice_of(text + 2, 2), out, 1), digit);
    }
}

/* ---- base62 ---- */

static void token68_is_letters_digits_and_six_signs(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c, 'b'};
        bool expected = c != 0 && c < 128 && (isalnum(c) || strchr("-._~+/", c) != NULL);
        assert_int_equal(token68_is_valid(slice_of(text, 3)), expected);
        assert_int_equal(token68_is_valid(slice_of(text + 1, 1)), expected);
        assert_int_equal(token68_is_valid(slice_of(text, 2)), expected || c == '=');
    }
    assert_true(token68_is_valid(S("a===")));
    assert_false(token68_is_valid(S("a=b")));
    assert_false(token68_is_valid(S("=")));
    assert_false(token68_is_valid(S("==")));
    assert_false(token68_is_valid(S("")));
}

static void plain_words_are_letters_digits_and_three_signs(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c, 'b'};
        bool expected = c != 0 && c < 128 && (isalnum(c) || strchr("._-", c) != NULL);
        assert_int_equal(word_is_plain(slice_of(text, 3)), expected);
        assert_int_equal(word_is_plain(slice_of(text + 1, 1)), expected);
    }
    assert_false(word_is_plain(S("")));
}

static void base62_counts_as_its_alphabet(void **state) {
    (void)state;
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char out[11];
    for (unsigned value = 0; value < 62; value++) {
        assert_int_equal(base62_digit(value), alphabet[value]);
        base62_encode(value, out, 1);
        assert_int_equal(out[0], alphabet[value]);
    }
    for (int c = 0; c < 256; c++) {
        bool expected = c != 0 && strchr(alphabet, c) != NULL;
        char text[] = {'0', (char)c, 'z'};
        assert_int_equal(base62_is_text(slice_of(text, 3)), expected);
        assert_int_equal(base62_is_text(slice_of(text, 2)), expected);
        assert_int_equal(base62_is_text(slice_of(text + 1, 2)), expected);
    }
    assert_true(base62_is_text(S("")));
    base62_encode(0, out, 6);
    assert_memory_equal(out, "000000", 6);
    base62_encode(UINT32_MAX, out, 6);
    assert_memory_equal(out, "4gfFC3", 6);
    base62_encode(UINT64_MAX, out, 11);
    assert_memory_equal(out, "LygHa16AHYF", 11);
}

/* ---- CRC-32 ---- */

static void crc32_is_zlibs(void **state) {
    (void)state;
    assert_int_equal(crc32_of(S("")), 0);
    assert_int_equal(crc32_of(S("123456789")), 0xcbf43926);
    assert_int_equal(crc32_of(S("The quick brown fox jumps over the lazy dog")), 0x414fa339);
    char every[256];
    for (size_t i = 0; i < sizeof(every); i++) {
        every[i] = (char)i;
    }
    assert_int_equal(crc32_of(slice_of(every, sizeof(every))), 0x29058c73);
}

/* ---- base64 ---- */

struct base64_case {
    struct slice plain, padded, bare;
};

/* RFC 4648 section 10, and the two digits that are not letters. */
static const struct base64_case base64_cases[] = {
    {SLICE(""), SLICE(""), SLICE("")},
    {SLICE("f"), SLICE("Zg=="), SLICE("Zg")},
    {SLICE("fo"), SLICE("Zm8="), SLICE("Zm8")},
    {SLICE("foo"), SLICE("Zm9v"), SLICE("Zm9v")},
    {SLICE("foob"), SLICE("Zm9vYg=="), SLICE("Zm9vYg")},
    {SLICE("fooba"), SLICE("Zm9vYmE="), SLICE("Zm9vYmE")},
    {SLICE("foobar"), SLICE("Zm9vYmFy"), SLICE("Zm9vYmFy")},
    {SLICE("\xfb\xff\xfe"), SLICE("+//+"), SLICE("+//+")},
    {SLICE("\0\0\0\0"), SLICE("AAAAAA=="), SLICE("AAAAAA")},
};

/* Runs a decoder into blocks of every size up to what it needs: see the test of buffer.h. */
static void check_decoder(bool (*decode)(struct slice, struct buffer *), struct slice text,
                          struct slice plain) {
    for (size_t capacity = 0; capacity <= plain.size + 1; capacity++) {
        char *storage = malloc(capacity + 1);
        assert_non_null(storage);
        struct buffer out = buffer_of(storage + 1, capacity);
        bool fits = capacity >= plain.size;
        assert_int_equal(decode(text, &out), fits);
        assert_int_equal(out.overflow, !fits);
        assert_slice(buffer_slice(&out), fits ? plain : S(""));
        free(storage);
    }
}

static void base64_is_of_rfc4648(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(base64_cases); i++) {
        const struct base64_case *c = &base64_cases[i];
        check_decoder(base64_decode, c->padded, c->plain);
        check_decoder(base64_decode_unpadded, c->bare, c->plain);
        for (size_t capacity = 0; capacity <= c->bare.size + 1; capacity++) {
            char *storage = malloc(capacity + 1);
            assert_non_null(storage);
            struct buffer out = buffer_of(storage + 1, capacity);
            base64_encode_unpadded((const uint8_t *)c->plain.data, c->plain.size, &out);
            assert_int_equal(out.overflow, capacity < c->bare.size);
            assert_slice(buffer_slice(&out), capacity < c->bare.size ? S("") : c->bare);
            free(storage);
        }
    }
}

static void base64_is_strict(void **state) {
    (void)state;
    const struct slice bad[] = {
        S("Z"),      S("Zg"),    S("Zg="),   S("Zg==="), S("===="),     S("="),    S("=="),
        S("Z==="),   S("Zm8"),   S("Zm8=="), S("Zh=="),  S("Zm9="),     S("Z=g="), S("Zg==Zg=="),
        S("Zm9v\n"), S(" Zm9v"), S("Zm 9"),  S("-_-_"),  S("Zm9v===="), S("Zg=Z"), S("Zm\0v"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char storage[16] = "kept";
        struct buffer out = {storage, 4, sizeof(storage), false};
        assert_false(base64_decode(bad[i], &out));
        assert_slice(buffer_slice(&out), S("kept"));
        assert_false(out.overflow);
    }
    const struct slice bad_bare[] = {S("Z"),   S("Zm9vY"), S("Zg=="), S("Zh"),
                                     S("Zm9"), S("Zm8="),  S("Z\xc3")};
    for (size_t i = 0; i < COUNT_OF(bad_bare); i++) {
        char storage[16];
        struct buffer out = buffer_of(storage, sizeof(storage));
        assert_false(base64_decode_unpadded(bad_bare[i], &out));
        assert_int_equal(out.size, 0);
    }
}

static void base64_alphabet_is_closed(void **state) {
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int c = 0; c < 256; c++) {
        char text[] = {'A', 'A', 'A', (char)c}, storage[3];
        struct buffer out = buffer_of(storage, sizeof(storage));
        const char *at = c == 0 ? NULL : strchr(alphabet, c);
        assert_int_equal(base64_decode_unpadded(slice_of(text, 4), &out), at != NULL);
        assert_true(at == NULL || storage[2] == at - alphabet);
    }
}

static void base64_finds_each_byte_at_each_place(void **state) {
    (void)state;
    for (size_t size = 1; size <= 20; size++) {
        uint8_t bytes[20], back[24];
        char text[32];
        memset(bytes, 0x5a, size);
        struct buffer encoded = buffer_of(text, sizeof(text));
        base64_encode_unpadded(bytes, size, &encoded);
        for (size_t at = 0; at < encoded.size; at++) {
            for (int c = 0; c < 256; c++) {
                char kept = text[at];
                text[at] = (char)c;
                struct buffer out = buffer_of((char *)back, sizeof(back));
                bool decoded = base64_decode_unpadded(buffer_slice(&encoded), &out);
                struct buffer again = buffer_of((char[32]){0}, 32);
                base64_encode_unpadded(back, out.size, &again);
                /* What is taken is the encoding of what comes out of it. */
                assert_int_equal(
                    decoded, decoded && slice_equal(buffer_slice(&again), buffer_slice(&encoded)));
                bool is_digit = isalnum(c) || c == '+' || c == '/';
                bool is_last = at == encoded.size - 1 && size % 3 != 0;
                assert_true(decoded == is_digit || (is_last && is_digit));
                text[at] = kept;
            }
        }
    }
}

static void failed_decoding_leaves_nothing(void **state) {
    (void)state;
    char storage[16] = {0};
    const char zeros[16] = {0};
    struct buffer out = buffer_of(storage, sizeof(storage));
    assert_false(base64_decode(S("c2VjcmV0!A=="), &out));
    assert_memory_equal(storage, zeros, sizeof(zeros));
    assert_false(form_decode(S("secret%zz"), &out));
    assert_memory_equal(storage, zeros, sizeof(zeros));
}

/* ---- form encoding ---- */

static void form_decodes_plus_and_percent(void **state) {
    (void)state;
    check_decoder(form_decode, S(""), S(""));
    check_decoder(form_decode, SLICE_ABSENT, S(""));
    check_decoder(form_decode, S("read+write"), S("read write"));
    check_decoder(form_decode, S("read%20write"), S("read write"));
    check_decoder(form_decode, S("p%40s%2Bs+w%25rd%3A%C3%a9"), S("p@s+s w%rd:\xc3\xa9"));
    check_decoder(form_decode, S("a%00b"), S("a\0b"));
    check_decoder(form_decode, S("%2525"), S("%25"));
    check_decoder(form_decode, S("\xc3\xa9=&;"), S("\xc3\xa9=&;"));
}

/* By RFC 6749 appendix B, byte by byte. */
static bool decode_slowly(struct slice text, struct buffer *out) {
    for (; text.size != 0; text = slice_skip(text, 1)) {
        uint8_t byte = (uint8_t)text.data[0];
        if (byte == '%') {
            if (text.size < 3 || !hex_decode(slice_of(text.data + 1, 2), &byte, 1)) {
                return false;
            }
            text = slice_skip(text, 2);
        } else if (byte == '+') {
            byte = ' ';
        }
        buffer_append_char(out, (char)byte);
    }
    return true;
}

static void form_decodes_runs_of_any_length(void **state) {
    (void)state;
    static const char bytes[] = "a%+4z1";
    unsigned seed = 7;
    for (unsigned round = 0; round < 20000; round++) {
        char text[200], fast_text[200], slow_text[200];
        size_t size = (size_t)rand_r(&seed) % sizeof(text);
        unsigned plain = (unsigned)rand_r(&seed) % 100;
        for (size_t i = 0; i < size; i++) {
            bool is_plain = (unsigned)rand_r(&seed) % 100 < plain;
            text[i] = is_plain ? 'p' : bytes[(size_t)rand_r(&seed) % (sizeof(bytes) - 1)];
        }
        struct buffer fast = buffer_of(fast_text, sizeof(fast_text));
        struct buffer slow = buffer_of(slow_text, sizeof(slow_text));
        bool is_whole = decode_slowly(slice_of(text, size), &slow);
        assert_int_equal(form_decode(slice_of(text, size), &fast), is_whole);
        if (is_whole) {
            assert_int_equal(fast.size, slow.size);
            assert_memory_equal(fast_text, slow_text, slow.size);
            struct buffer tight = buffer_of(fast_text, slow.size);
            assert_true(form_decode(slice_of(text, size), &tight));
            if (slow.size != 0) {
                tight = buffer_of(fast_text, slow.size - 1);
                assert_false(form_decode(slice_of(text, size), &tight));
                assert_true(tight.overflow);
                assert_int_equal(tight.size, 0);
            }
        }
    }
}

static void form_refuses_malformed_escapes(void **state) {
    (void)state;
    const struct slice bad[] = {S("%"),
                                S("%2"),
                                S("a%"),
                                S("a%2"),
                                S("%zz"),
                                S("%2z"),
                                S("%z2"),
                                S("%%20"),
                                S("%+2"),
                                S("% 2"),
                                S("%2 "),
                                S("%-1"),
                                S("%0x1"),
                                S("ok%2"),
                                S("ok%\0"
                                  "0")};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char storage[16] = "kept";
        struct buffer out = {storage, 4, sizeof(storage), false};
        assert_false(form_decode(bad[i], &out));
        assert_slice(buffer_slice(&out), S("kept"));
        assert_false(out.overflow);
    }
}

/* ---- UTF-8 ---- */

static void utf8_well_formed(void **state) {
    (void)state;
    const struct slice good[] = {
        SLICE_ABSENT,
        S(""),
        S("plain ascii \x01\x7f"),
        S("\xc2\x80"),
        S("\xdf\xbf"),
        S("\xe0\xa0\x80"),
        S("\xed\x9f\xbf"),
        S("\xee\x80\x80"),
        S("\xef\xbf\xbf"),
        S("\xf0\x90\x80\x80"),
        S("\xf4\x8f\xbf\xbf"),
        S("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"),
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(utf8_is_valid(good[i]));
    }
}

static void utf8_malformed(void **state) {
    (void)state;
    const struct slice bad[] = {
        S("\0"),                       /* NUL, which no text of ours has */
        S("a\0b"),                     /* the same inside */
        S("\x80"),                     /* a continuation alone */
        S("\xbf"),                     /* the same */
        S("\xc0\x80"),                 /* overlong NUL */
        S("\xc0\xaf"),                 /* overlong '/' */
        S("\xc1\xbf"),                 /* overlong DEL */
        S("\xe0\x80\xaf"),             /* overlong '/' */
        S("\xe0\x9f\xbf"),             /* overlong U+07FF */
        S("\xf0\x80\x80\xaf"),         /* overlong '/' */
        S("\xf0\x8f\xbf\xbf"),         /* overlong U+FFFF */
        S("\xed\xa0\x80"),             /* first surrogate */
        S("\xed\xbf\xbf"),             /* last surrogate */
        S("\xed\xa0\xbd\xed\xb8\x80"), /* a surrogate pair */
        S("\xf4\x90\x80\x80"),         /* U+110000 */
        S("\xf5\x80\x80\x80"),         /* over any */
        S("\xf8\x88\x80\x80\x80"),     /* five bytes */
        S("\xfe"),                     /* never a first byte */
        S("\xff"),                     /* the same */
        S("\xc2"),                     /* truncated */
        S("\xe2\x82"),                 /* truncated */
        S("\xf0\x9f\x98"),             /* truncated */
        S("\xc2z"),                    /* broken off */
        S("\xe2\x82z"),                /* broken off */
        S("\xf0\x9f\x98z"),            /* broken off */
        S("good \xc3\xa9 then \xc3"),  /* truncated behind good ones */
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(utf8_is_valid(bad[i]));
    }
}

static size_t encode_utf8(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    static const uint8_t marks[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(marks[more] | code);
    return more + 1;
}

static void utf8_has_each_scalar_value_and_no_other(void **state) {
    (void)state;
    for (uint32_t code = 1; code < 0x200000; code++) {
        char text[4];
        size_t size = encode_utf8(code, text);
        bool scalar = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
        if (utf8_is_valid(slice_of(text, size)) != scalar) {
            fail_msg("U+%04X", (unsigned)code);
        }
        for (size_t cut = 1; cut < size; cut++) {
            if (utf8_is_valid(slice_of(text, cut))) {
                fail_msg("U+%04X cut to %zu", (unsigned)code, cut);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(hex_wants_every_digit),
        cmocka_unit_test(base62_counts_as_its_alphabet),
        cmocka_unit_test(plain_words_are_letters_digits_and_three_signs),
        cmocka_unit_test(token68_is_letters_digits_and_six_signs),
        cmocka_unit_test(crc32_is_zlibs),
        cmocka_unit_test(base64_is_of_rfc4648),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_alphabet_is_closed),
        cmocka_unit_test(base64_finds_each_byte_at_each_place),
        cmocka_unit_test(failed_decoding_leaves_nothing),
        cmocka_unit_test(form_decodes_plus_and_percent),
        cmocka_unit_test(form_decodes_runs_of_any_length),
        cmocka_unit_test(form_refuses_malformed_escapes),
        cmocka_unit_test(utf8_well_formed),
        cmocka_unit_test(utf8_malformed),
        cmocka_unit_test(utf8_has_each_scalar_value_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
