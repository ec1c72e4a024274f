#include "mintd/slice.h"
#include "unit/unit.h"
#include <limits.h>
#include <stdio.h>

static void absent_and_empty_differ(void **state) {
    (void)state;
    assert_true(slice_is_absent(SLICE_ABSENT));
    assert_true(slice_is_absent(slice_of_string(NULL)));
    assert_false(slice_is_absent(S("")));
    assert_false(slice_is_absent(slice_of_string("")));
    assert_int_equal(slice_of_string("abc").size, 3);
}

static void equality_is_of_bytes(void **state) {
    (void)state;
    assert_true(slice_equal(S("a\0b"), S("a\0b")));
    assert_false(slice_equal(S("a\0b"), S("a\0c")));
    assert_false(slice_equal(S("ab"), S("abc")));
    assert_true(slice_equal(SLICE_ABSENT, S("")));
    assert_true(slice_starts_with(S("Bearer x"), S("Bearer ")));
    assert_true(slice_starts_with(S("x"), S("")));
    assert_true(slice_starts_with(SLICE_ABSENT, S("")));
    assert_false(slice_starts_with(S("Bear"), S("Bearer")));
}

static void case_is_ignored_of_ascii_letters_alone(void **state) {
    (void)state;
    assert_true(slice_equal_nocase(S("Content-TYPE"), S("content-type")));
    assert_true(slice_equal_nocase(S("AZaz"), S("azAZ")));
    assert_false(slice_equal_nocase(S("@[`{"), S("`{@[")));
    assert_false(slice_equal_nocase(S("\xc3\x84"), S("\xc3\xa4")));
    assert_false(slice_equal_nocase(S("a"), S("ab")));
    assert_true(slice_equal_nocase(SLICE_ABSENT, S("")));
}

static void trim_takes_spaces_and_tabs(void **state) {
    (void)state;
    assert_slice(slice_trim(S(" \t a b\t ")), S("a b"));
    assert_slice(slice_trim(S("a\r\n")), S("a\r\n"));
    assert_slice(slice_trim(S(" \t ")), S(""));
    assert_false(slice_is_absent(slice_trim(S("  "))));
    assert_slice(slice_trim(S("")), S(""));
    assert_true(slice_is_absent(slice_trim(SLICE_ABSENT)));
}

static void split_gives_every_part(void **state) {
    (void)state;
    struct slice rest = S("a,,bc,"), part;
    const struct slice parts[] = {S("a"), S(""), S("bc"), S("")};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        assert_true(slice_split(&rest, ',', &part));
        assert_slice(part, parts[i]);
        assert_false(slice_is_absent(part));
        assert_int_equal(slice_is_absent(rest), i == COUNT_OF(parts) - 1);
    }
    part = S("kept");
    assert_false(slice_split(&rest, ',', &part));
    assert_slice(part, S("kept"));

    rest = S("");
    assert_true(slice_split(&rest, ',', &part));
    assert_slice(part, S(""));
    assert_true(slice_is_absent(rest));
}

static void words_leave_out_empty_items(void **state) {
    (void)state;
    struct slice rest = S("  read  write "), word;
    assert_true(slice_next_word(&rest, &word));
    assert_slice(word, S("read"));
    assert_true(slice_next_word(&rest, &word));
    assert_slice(word, S("write"));
    assert_false(slice_next_word(&rest, &word));
    assert_false(slice_next_word(&rest, &word));
    rest = SLICE_ABSENT;
    assert_false(slice_next_word(&rest, &word));
}

static void has_word_wants_the_whole_word(void **state) {
    (void)state;
    assert_true(slice_has_word(S("read write"), S("read")));
    assert_true(slice_has_word(S("read write"), S("write")));
    assert_false(slice_has_word(S("read write"), S("rea")));
    assert_false(slice_has_word(S("read write"), S("READ")));
    assert_false(slice_has_word(S("read write"), S("read write")));
    assert_false(slice_has_word(S("read write"), S("")));
    assert_false(slice_has_word(SLICE_ABSENT, S("read")));
}

static void numbers_are_digits_alone(void **state) {
    (void)state;
    const char *bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "/", ":", "1a", "\xd9\xa1"};
    unsigned long long number = 77;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(slice_to_number(slice_of_string(bad[i]), 1000, &number));
    }
    assert_false(slice_to_number(S("1\0"), 1000, &number));
    assert_false(slice_to_number(SLICE_ABSENT, 1000, &number));
    assert_int_equal(number, 77);
    assert_true(slice_to_number(S("007"), 1000, &number));
    assert_int_equal(number, 7);
}

static void numbers_end_at_their_maximum(void **state) {
    (void)state;
    unsigned long long number;
    for (unsigned long long max = 0; max <= 120; max++) {
        for (unsigned value = 0; value <= 130; value++) {
            char text[8];
            snprintf(text, sizeof(text), "%u", value);
            bool expected = value <= max;
            assert_int_equal(slice_to_number(slice_of_string(text), max, &number), expected);
            assert_true(!expected || number == value);
        }
    }
    assert_true(slice_to_number(S("18446744073709551615"), ULLONG_MAX, &number));
    assert_true(number == ULLONG_MAX);
    assert_false(slice_to_number(S("18446744073709551616"), ULLONG_MAX, &number));
    assert_false(slice_to_number(S("99999999999999999999"), ULLONG_MAX, &number));
    assert_false(slice_to_number(S("184467440737095516150"), ULLONG_MAX, &number));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_and_empty_differ),
        cmocka_unit_test(equality_is_of_bytes),
        cmocka_unit_test(case_is_ignored_of_ascii_letters_alone),
        cmocka_unit_test(trim_takes_spaces_and_tabs),
        cmocka_unit_test(split_gives_every_part),
        cmocka_unit_test(words_leave_out_empty_items),
        cmocka_unit_test(has_word_wants_the_whole_word),
        cmocka_unit_test(numbers_are_digits_alone),
        cmocka_unit_test(numbers_end_at_their_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
