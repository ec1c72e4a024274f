/* The token in an Authorization header (RFC 6750 2.1). */
#include "mintd/oauth.h"
#include "unit/unit.h"

#define TOKEN "mtd_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2fYdK6"

static enum oauth_refusal read_header(struct slice header, struct slice *token) {
    *token = SLICE_ABSENT;
    return oauth_bearer_token_of(header, token);
}

static void assert_refused(struct slice header, enum oauth_refusal expected) {
    struct slice token;
    assert_int_equal(read_header(header, &token), expected);
}

/* the scheme in any case, one space or more. */
static void token_is_found(void **state) {
    static const char *const headers[] = {
        "Bearer " TOKEN, "bearer " TOKEN, "BEARER " TOKEN, "bEaReR  " TOKEN, "Bearer      " TOKEN,
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct slice token;
        struct slice header = slice_of_string(headers[i]);
        assert_int_equal(read_header(header, &token), OAUTH_REFUSED_NONE);
        assert_slice(token, S(TOKEN));
        assert_true(token.data >= header.data &&
                    token.data + token.size == header.data + header.size);
    }
}

static void b64token_has_its_alphabet_and_no_other(void **state) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char header[] = "Bearer a?b";
        struct slice token;
        header[8] = (char)c;
        bool belongs = c != 0 && strchr(alphabet, (char)c) != NULL;
        assert_int_equal(read_header(slice_of(header, 10), &token),
                         belongs ? OAUTH_REFUSED_NONE : OAUTH_REFUSED_MALFORMED_BEARER);
    }
}

static void equal_signs_stand_at_the_end(void **state) {
    struct slice token;
    (void)state;
    assert_int_equal(read_header(S("Bearer a="), &token), OAUTH_REFUSED_NONE);
    assert_slice(token, S("a="));
    assert_int_equal(read_header(S("Bearer a===="), &token), OAUTH_REFUSED_NONE);
    assert_slice(token, S("a===="));
    assert_refused(S("Bearer ="), OAUTH_REFUSED_MALFORMED_BEARER);
    assert_refused(S("Bearer =="), OAUTH_REFUSED_MALFORMED_BEARER);
    assert_refused(S("Bearer =a"), OAUTH_REFUSED_MALFORMED_BEARER);
    assert_refused(S("Bearer a=b"), OAUTH_REFUSED_MALFORMED_BEARER);
}

/* */
static void malformed_headers_are_said_to_be(void **state) {
    static const struct slice headers[] = {
        SLICE("Bearer"),
        SLICE("bearer"),
        SLICE("Bearer "),
        SLICE("Bearer    "),
        SLICE("Bearer a b"),
        SLICE("Bearer \"x\""),
        SLICE("Bearer \xc3\xa9"),
        SLICE("Bearer a,b"),
        SLICE("Bearer a, Bearer b"),
        SLICE("Bearer a\0"),
        SLICE("Bearer \0"),
        SLICE("Bearer token=a;b"),
        SLICE("Bearer " TOKEN " " TOKEN),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        assert_refused(headers[i], OAUTH_REFUSED_MALFORMED_BEARER);
    }
}

/* another scheme is as good as none. */
static void other_schemes_are_no_token(void **state) {
    static const struct slice headers[] = {
        SLICE("Basic c3ZjLWE6eA=="),
        SLICE("Digest x"),
        SLICE("Bearerx " TOKEN),
        SLICE("Beare r"),
        SLICE(TOKEN),
        SLICE(""),
        SLICE(" "),
        SLICE(" Bearer a"),
        SLICE("Bearer\0 a"),
        SLICE("Bearer:" TOKEN),
        SLICE("DPoP " TOKEN),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        assert_refused(headers[i], OAUTH_REFUSED_NO_TOKEN);
    }
    assert_refused(SLICE_ABSENT, OAUTH_REFUSED_NO_TOKEN);
}

static void length_alone_is_no_reason(void **state) {
    static char header[8192];
    struct slice token;
    (void)state;
    memset(header, 'a', sizeof header);
    memcpy(header, "Bearer ", 7);
    assert_int_equal(read_header(slice_of(header, sizeof header), &token), OAUTH_REFUSED_NONE);
    assert_int_equal(token.size, sizeof header - 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_is_found),
        cmocka_unit_test(b64token_has_its_alphabet_and_no_other),
        cmocka_unit_test(equal_signs_stand_at_the_end),
        cmocka_unit_test(malformed_headers_are_said_to_be),
        cmocka_unit_test(other_schemes_are_no_token),
        cmocka_unit_test(length_alone_is_no_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
