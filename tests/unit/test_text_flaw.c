#include "mintd/text_flaw.h"
#include "unit/unit.h"

/* F-34 */
static void what_is_not_seen_is_named(void **state) {
    static const struct {
        struct slice text;
        enum text_flaw flaw;
    } cases[] = {
        {SLICE(""), TEXT_FLAWLESS},
        {SLICE("s"), TEXT_FLAWLESS},
        {SLICE("a secret"), TEXT_FLAWLESS},
        {SLICE("\xc3\xa9t\xc3\xa9"), TEXT_FLAWLESS},
        {SLICE("\xef\xbb\xbfsecret"), TEXT_FLAW_BOM},
        {SLICE("\xef\xbb\xbf"), TEXT_FLAW_BOM},
        {SLICE("\xff\xfes\0e\0"), TEXT_FLAW_UTF16},
        {SLICE("\xfe\xff\0s\0e"), TEXT_FLAW_UTF16},
        {SLICE("s\0e\0c\0"), TEXT_FLAW_UTF16},
        {SLICE("\0s\0e\0c"), TEXT_FLAW_UTF16},
        {SLICE("s\0e\0c\0\n"), TEXT_FLAW_UTF16},
        {SLICE("se\0cret"), TEXT_FLAW_NUL},
        {SLICE("s\0"), TEXT_FLAW_NUL},
        {SLICE(" secret"), TEXT_FLAW_BLANK},
        {SLICE("secret "), TEXT_FLAW_BLANK},
        {SLICE("secret\t"), TEXT_FLAW_BLANK},
        {SLICE(" "), TEXT_FLAW_BLANK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(text_flaw(cases[i].text), cases[i].flaw);
        assert_non_null(text_flaw_words(cases[i].flaw));
    }
    assert_int_equal(text_flaw(SLICE_ABSENT), TEXT_FLAWLESS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_not_seen_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
