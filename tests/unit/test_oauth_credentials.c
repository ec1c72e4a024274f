/* What a request offers as its client's name and secret (RFC 7617, RFC 6749 2.3.1). */
#include "oauth/token.h"
#include "support/oauth_fixture.h"
#include <stdlib.h>

#define HEADER_MAX 16384u

static struct slice secret_of(const struct oauth_credentials *credentials, unsigned index) {
    return slice_of(credentials->secrets[index], credentials->secret_sizes[index]);
}

/* From a copy that ends where the memory ends, into storage that is not zero. */
static void read_header(struct oauth_credentials *credentials, struct slice header) {
    char *exact = malloc(header.size + 1);
    assert_non_null(exact);
    memcpy(exact + 1, header.data, header.size);
    fixture_poison(credentials, sizeof *credentials);
    oauth_credentials_from_basic(credentials, slice_of(exact + 1, header.size));
    free(exact);
}

static void read_pair(struct oauth_credentials *credentials, struct slice id_and_secret) {
    static char header[HEADER_MAX];
    read_header(credentials, fixture_basic(id_and_secret, header, sizeof header));
}

static void assert_one(const struct oauth_credentials *credentials, struct slice id,
                       struct slice secret) {
    assert_int_equal(credentials->refusal, OAUTH_REFUSED_NONE);
    assert_slice(oauth_credentials_id(credentials), id);
    assert_int_equal(credentials->secret_count, 1);
    assert_slice(secret_of(credentials, 0), secret);
}

static bool is_wiped(const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static void assert_both(const struct oauth_credentials *credentials, struct slice id,
                        struct slice decoded, struct slice raw) {
    assert_int_equal(credentials->refusal, OAUTH_REFUSED_NONE);
    assert_slice(oauth_credentials_id(credentials), id);
    assert_int_equal(credentials->secret_count, 2);
    assert_slice(secret_of(credentials, 0), decoded);
    assert_slice(secret_of(credentials, 1), raw);
}

static bool is_malformed(const struct oauth_credentials *credentials) {
    return credentials->refusal == OAUTH_REFUSED_MALFORMED_CREDENTIALS ||
           credentials->refusal == OAUTH_REFUSED_CLIENT_ID_CHARACTER;
}

static void assert_malformed_header(const char *header) {
    struct oauth_credentials credentials;
    read_header(&credentials, slice_of_string(header));
    if (!is_malformed(&credentials)) {
        fail_msg("taken for credentials: %s", header);
    }
}

static void assert_malformed_pair(struct slice id_and_secret) {
    struct oauth_credentials credentials;
    read_pair(&credentials, id_and_secret);
    if (!is_malformed(&credentials)) {
        fail_msg("taken for credentials: %.*s", (int)id_and_secret.size, id_and_secret.data);
    }
}

/* ---- Basic ---- */

static void what_cannot_be_decoded_names_nobody(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_header(&credentials, S("Basic !"));
    assert_true(is_malformed(&credentials));
    assert_int_equal(oauth_credentials_id(&credentials).size, 0);
}

/* T-01, C-01. */
static void plain_pair_is_read_once(void **state) {
    static const char *const headers[] = {
        "Basic c3ZjLWE6czNjcmV0LUFfMS54fg==",
        "bAsIc   c3ZjLWE6czNjcmV0LUFfMS54fg==",
        "BASIC c3ZjLWE6czNjcmV0LUFfMS54fg==",
        "basic c3ZjLWE6czNjcmV0LUFfMS54fg==  ",
    };
    struct oauth_credentials credentials;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        read_header(&credentials, slice_of_string(headers[i]));
        assert_one(&credentials, S("svc-a"), S("s3cret-A_1.x~"));
    }
}

/* SPEC's example: the tutorial's client, base64 of a raw '@'. */
static void tutorial_client_is_read(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_header(&credentials, S("Basic Y29kZWNhZGVteTpjb2RlY0BkZW15"));
    assert_one(&credentials, S("codecademy"), S("codec@demy"));
}

/* C-02, C-03. */
static void encoded_pair_is_decoded(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_header(&credentials, S("Basic c3ZjJTJEYTpzM2NyZXQlMkRBJTVGMSUyRXglN0U="));
    assert_both(&credentials, S("svc-a"), S("s3cret-A_1.x~"), S("s3cret%2DA%5F1%2Ex%7E"));
    read_header(&credentials, S("Basic c3ZjLWI6cCU0MHMlMkJzK3clMjVyZCUzQSVDMyVBOQ=="));
    assert_both(&credentials, S("svc-b"), S("p@s+s w%rd:\xc3\xa9"), S("p%40s%2Bs+w%25rd%3A%C3%A9"));
}

/* C-04: "%rd" is no escape, so there is one reading; with '+' alone there are two. */
static void raw_pair_is_kept_as_it_is(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_header(&credentials, S("Basic c3ZjLWI6cEBzK3MgdyVyZDrDqQ=="));
    assert_one(&credentials, S("svc-b"), S("p@s+s w%rd:\xc3\xa9"));
    read_pair(&credentials, S("svc-b:a+b"));
    assert_both(&credentials, S("svc-b"), S("a b"), S("a+b"));
    read_pair(&credentials, S("svc-b:100%"));
    assert_one(&credentials, S("svc-b"), S("100%"));
    read_pair(&credentials, S("svc-b:%4"));
    assert_one(&credentials, S("svc-b"), S("%4"));
}

/* C-05: bytes that are no UTF-8 are bytes; they match nothing. */
static void latin1_does_no_harm(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_header(&credentials, S("Basic c3ZjLWI6cEBzK3MgdyVyZDrp"));
    assert_one(&credentials, S("svc-b"), S("p@s+s w%rd:\xe9"));
}

/* C-06. */
static void first_colon_parts_them(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_pair(&credentials, S("id:a:b"));
    assert_one(&credentials, S("id"), S("a:b"));
    read_pair(&credentials, S("id::"));
    assert_one(&credentials, S("id"), S(":"));
    read_pair(&credentials, S("id:a%3Ab"));
    assert_both(&credentials, S("id"), S("a:b"), S("a%3Ab"));
    assert_malformed_pair(S("i%3Ad:a"));
}

/* C-07, C-12. */
static void what_is_no_basic_is_malformed(void **state) {
    static const char *const headers[] = {
        "",
        " ",
        "Basic",
        "Basic ",
        "Basic  ",
        "Basic c3ZjLWE=",
        "Basic %%%",
        "Basic c3ZjLWE6czNjcmV0LUFfMS54fg",
        "Basic c3ZjLWE6czNjcmV0LUFfMS54fg=",
        "Basic c3ZjLWE6czNjcmV0LUFfMS54fg===",
        "Basic c3ZjLWE6 czNjcmV0LUFfMS54fg==",
        "Basic c3ZjLWE6czNjcmV0LUFfMS54fh==", /* bits left over */
        "Basic c3ZjLWI6_-8=",
        "Basic c3ZjLWI6-_8=",
        "Basicc3ZjLWE6czNjcmV0LUFfMS54fg==",
        "Digest x",
        "Bearer c3ZjLWE6czNjcmV0LUFfMS54fg==",
        "Negotiate x",
        "Basic =",
        "Basic ====",
        " Basic c3ZjLWE6czNjcmV0LUFfMS54fg==",
        "Basic c3ZjLWE6czNjcmV0LUFfMS54fg==, Basic eDp5",
        "c3ZjLWE6czNjcmV0LUFfMS54fg==",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        assert_malformed_header(headers[i]);
    }
}

static void absent_header_is_malformed(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    fixture_poison(&credentials, sizeof credentials);
    oauth_credentials_from_basic(&credentials, SLICE_ABSENT);
    assert_int_equal(credentials.refusal, OAUTH_REFUSED_MALFORMED_CREDENTIALS);
}

/* C-08. */
static void control_bytes_are_refused(void **state) {
    (void)state;
    assert_malformed_header("Basic c3ZjLWEAOnMzY3JldC1BXzEueH4=");
    assert_malformed_header("Basic c3ZjLWE6czNjcmV0LUFfMS54fgo=");
    for (unsigned c = 0; c < 256; c++) {
        struct oauth_credentials credentials;
        char pair[] = "id:ab?de";
        pair[5] = (char)c;
        read_pair(&credentials, slice_of(pair, 8));
        assert_int_equal(credentials.refusal, c < 0x20 || c == 0x7f
                                                  ? OAUTH_REFUSED_MALFORMED_CREDENTIALS
                                                  : OAUTH_REFUSED_NONE);
    }
}

/* An escape that stands for a control byte is none in the raw reading, and that one remains. */
static void control_bytes_are_no_reading(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_pair(&credentials, S("id:a%0Ab"));
    assert_one(&credentials, S("id"), S("a%0Ab"));
    read_pair(&credentials, S("id:%00"));
    assert_one(&credentials, S("id"), S("%00"));
}

/* C-09. */
static void empty_parts_are_refused(void **state) {
    (void)state;
    assert_malformed_header("Basic OnMzY3JldC1BXzEueH4=");
    assert_malformed_header("Basic c3ZjLWE6");
    assert_malformed_pair(S(":"));
    assert_malformed_pair(S(":a:b"));
}

static void ids_have_their_alphabet(void **state) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~@/-";
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char id[] = {'a', (char)c, 'b'};
        bool belongs = c != 0 && strchr(alphabet, (char)c) != NULL;
        assert_int_equal(oauth_client_id_is_valid(slice_of(id, 3)), belongs);
        assert_int_equal(oauth_client_id_is_valid(slice_of(id + 1, 1)), belongs);
    }
    assert_false(oauth_client_id_is_valid(S("")));
    assert_false(oauth_client_id_is_valid(SLICE_ABSENT));
    assert_malformed_pair(S("a b:x"));
    assert_malformed_pair(S("a+b:x"));
    assert_malformed_pair(S("a%20b:x"));
    assert_malformed_pair(S("a%:x"));
    assert_malformed_pair(S("a%zz:x"));
    assert_malformed_pair(S("caf\xc3\xa9:x"));
}

/* What is no id is not logged as one. */
static void ids_hold_no_token_and_no_secret(void **state) {
    struct crypto *crypto = crypto_new();
    char id[3 + OAUTH_TOKEN_SIZE + 3];
    (void)state;
    assert_non_null(crypto);
    memset(id, 'i', sizeof id);
    for (size_t start = 0; start <= 6; start++) {
        memset(id, 'i', sizeof id);
        assert_true(oauth_client_id_is_valid(slice_of(id, sizeof id)));
        assert_true(token_text_make(crypto, start % 2 ? S("mts_") : S("mtd_"), id + start));
        assert_false(oauth_client_id_is_valid(slice_of(id, sizeof id)));
        id[start + 20] = id[start + 20] == 'x' ? 'y' : 'x';
        assert_true(oauth_client_id_is_valid(slice_of(id, sizeof id)));
    }
    crypto_free(crypto);
}

/* ---- sizes (T-40, C-14) ---- */

/* id_size times 'i', a colon, count times `piece`. */
static struct slice long_pair(size_t id_size, const char *piece, size_t count) {
    static char storage[HEADER_MAX / 2];
    struct buffer pair = buffer_of(storage, sizeof storage);
    for (size_t i = 0; i < id_size; i++) {
        buffer_append_char(&pair, 'i');
    }
    buffer_append_char(&pair, ':');
    for (size_t i = 0; i < count; i++) {
        buffer_append(&pair, slice_of_string(piece));
    }
    assert_false(pair.overflow);
    return buffer_slice(&pair);
}

static void longest_id_and_secret_are_taken(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_pair(&credentials, long_pair(255, "s", 1024));
    assert_int_equal(credentials.refusal, OAUTH_REFUSED_NONE);
    assert_int_equal(credentials.id_size, 255);
    assert_int_equal(credentials.secret_sizes[0], 1024);
    assert_malformed_pair(long_pair(256, "s", 10));
    assert_malformed_pair(long_pair(10, "s", 1025));
    assert_malformed_pair(long_pair(10, "s", 5000));
    assert_malformed_pair(long_pair(5000, "s", 10));
}

/* C-02 with a long secret: what counts is the secret's own length, not that of its encoding. */
static void longest_secret_may_be_encoded(void **state) {
    static const size_t counts[] = {100, 341, 342, 500, 1024};
    struct oauth_credentials credentials;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        read_pair(&credentials, long_pair(5, "%7E", counts[i]));
        assert_int_equal(credentials.refusal, OAUTH_REFUSED_NONE);
        assert_int_equal(credentials.secret_sizes[0], counts[i]);
        assert_int_equal(credentials.secrets[0][counts[i] - 1], '~');
    }
    assert_malformed_pair(long_pair(5, "%7E", 1025));
}

/* ---- the body ---- */

static void read_body(struct oauth_credentials *credentials, struct slice id, struct slice secret) {
    fixture_poison(credentials, sizeof *credentials);
    oauth_credentials_from_body(credentials, id, secret);
}

/* T-02: what is in the body was decoded already: there is one reading. */
static void body_credentials_have_one_reading(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_body(&credentials, S("svc-a"), S("s3cret-A_1.x~"));
    assert_one(&credentials, S("svc-a"), S("s3cret-A_1.x~"));
    read_body(&credentials, S("svc-b"), S("p@s+s w%72d:\xc3\xa9"));
    assert_one(&credentials, S("svc-b"), S("p@s+s w%72d:\xc3\xa9"));
}

/* T-23, T-24. */
static void id_alone_authenticates_nobody(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_body(&credentials, S("svc-a"), S(""));
    assert_int_equal(credentials.refusal, OAUTH_REFUSED_NO_CREDENTIALS);
    read_body(&credentials, SLICE_ABSENT, SLICE_ABSENT);
    assert_int_equal(credentials.refusal, OAUTH_REFUSED_NO_CREDENTIALS);
    assert_int_equal(oauth_credentials_id(&credentials).size, 0);
}

static void assert_malformed_body(struct slice id, struct slice secret) {
    struct oauth_credentials credentials;
    read_body(&credentials, id, secret);
    assert_true(is_malformed(&credentials));
}

static void malformed_body_credentials_are_refused(void **state) {
    static char text[1025];
    (void)state;
    memset(text, 'x', sizeof text);
    assert_malformed_body(S(""), S("secret"));
    assert_malformed_body(SLICE_ABSENT, S("secret"));
    assert_malformed_body(S("a b"), S("secret"));
    assert_malformed_body(S("a\0"), S("secret"));
    assert_malformed_body(S("svc-a"), S("sec\0ret"));
    assert_malformed_body(S("svc-a"), S("secret\n"));
    assert_malformed_body(S("svc-a"), S("\x7f"));
    assert_malformed_body(slice_of(text, 256), S("secret"));
    assert_malformed_body(S("svc-a"), slice_of(text, 1025));
    struct oauth_credentials credentials;
    read_body(&credentials, slice_of(text, 255), slice_of(text, 1024));
    assert_int_equal(credentials.refusal, OAUTH_REFUSED_NONE);
}

/* Secret and id in each other's place: what is taken for an id stands in the log. */
static void secrets_of_ours_are_no_ids(void **state) {
    static const char *const secrets[] = {"mts_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg27pc5i",
                                          "mtd_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2fYdK6"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        char pair[128];
        struct buffer text = buffer_of(pair, sizeof pair);
        struct oauth_credentials credentials;
        buffer_append_format(&text, "%s:svc-a", secrets[i]);
        assert_malformed_pair(buffer_slice(&text));
        oauth_credentials_from_body(&credentials, slice_of_string(secrets[i]), S("svc-a"));
        assert_int_equal(credentials.refusal, OAUTH_REFUSED_MALFORMED_CREDENTIALS);
        assert_int_equal(credentials.id_size, 0);
    }
    struct oauth_credentials credentials;
    oauth_credentials_from_body(&credentials, S("mts_service"), S("x"));
    assert_int_equal(credentials.refusal, OAUTH_REFUSED_NONE);
}

/* F-29: the operator is told; an id that is too long or empty has another fault. */
static void characters_that_no_id_has_are_told(void **state) {
    static const char *const ids[] = {"urn:svc:a", "a b", "a+b", "a|b", "caf\xc3\xa9"};
    struct oauth_credentials credentials;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        read_body(&credentials, slice_of_string(ids[i]), S("secret"));
        assert_int_equal(credentials.refusal, OAUTH_REFUSED_CLIENT_ID_CHARACTER);
        assert_int_equal(oauth_credentials_id(&credentials).size, 0);
    }
    read_pair(&credentials, S("urn%3Asvc%3Aa:secret"));
    assert_int_equal(credentials.refusal, OAUTH_REFUSED_CLIENT_ID_CHARACTER);
    read_pair(&credentials, S(":secret"));
    assert_int_equal(credentials.refusal, OAUTH_REFUSED_MALFORMED_CREDENTIALS);
}

static void each_secret_is_wiped(void **state) {
    struct oauth_credentials credentials;
    (void)state;
    read_pair(&credentials, S("a:one%41"));
    assert_both(&credentials, S("a"), S("oneA"), S("one%41"));
    oauth_credentials_wipe(&credentials);
    assert_int_equal(credentials.secret_count, 0);
    assert_true(is_wiped(credentials.secrets[0], strlen("oneA")));
    assert_true(is_wiped(credentials.secrets[1], strlen("one%41")));
    assert_slice(oauth_credentials_id(&credentials), S("a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_decoded_names_nobody),
        cmocka_unit_test(plain_pair_is_read_once),
        cmocka_unit_test(tutorial_client_is_read),
        cmocka_unit_test(encoded_pair_is_decoded),
        cmocka_unit_test(raw_pair_is_kept_as_it_is),
        cmocka_unit_test(latin1_does_no_harm),
        cmocka_unit_test(first_colon_parts_them),
        cmocka_unit_test(what_is_no_basic_is_malformed),
        cmocka_unit_test(absent_header_is_malformed),
        cmocka_unit_test(control_bytes_are_refused),
        cmocka_unit_test(control_bytes_are_no_reading),
        cmocka_unit_test(empty_parts_are_refused),
        cmocka_unit_test(ids_have_their_alphabet),
        cmocka_unit_test(ids_hold_no_token_and_no_secret),
        cmocka_unit_test(longest_id_and_secret_are_taken),
        cmocka_unit_test(longest_secret_may_be_encoded),
        cmocka_unit_test(body_credentials_have_one_reading),
        cmocka_unit_test(id_alone_authenticates_nobody),
        cmocka_unit_test(malformed_body_credentials_are_refused),
        cmocka_unit_test(each_secret_is_wiped),
        cmocka_unit_test(secrets_of_ours_are_no_ids),
        cmocka_unit_test(characters_that_no_id_has_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
