#include "mintd/password.h"
#include "unit/unit.h"
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#define SALT "c2FsdHNhbHQ" /* "saltsalt" */
#define HASH "qJM44DKFfcGR3GZDc+wn3A"
#define SMALL "$scrypt$ln=4,r=1,p=1$" SALT "$" HASH
#define DIGEST_UPPER "4713EE04282A55B639BB487BE0F886BCCB2B5A1E4C9FB56581685E1FF55F3DE6"
#define DIGEST "4713ee04282a55b639bb487be0f886bccb2b5a1e4c9fb56581685e1ff55f3de6"

/* Stands before OpenSSL's: see the link options of this test. */
int __real_RAND_bytes(unsigned char *out, int size);
int __wrap_RAND_bytes(unsigned char *out, int size);

static bool generator_fails;

int __wrap_RAND_bytes(unsigned char *out, int size) {
    return generator_fails ? 0 : __real_RAND_bytes(out, size);
}

/* That of a FIPS provider has no scrypt. */
EVP_KDF *__real_EVP_KDF_fetch(OSSL_LIB_CTX *library, const char *algorithm, const char *properties);
EVP_KDF *__wrap_EVP_KDF_fetch(OSSL_LIB_CTX *library, const char *algorithm, const char *properties);

static bool has_no_kdf;

EVP_KDF *__wrap_EVP_KDF_fetch(OSSL_LIB_CTX *library, const char *algorithm,
                              const char *properties) {
    return has_no_kdf ? NULL : __real_EVP_KDF_fetch(library, algorithm, properties);
}

static int set_up(void **state) {
    *state = crypto_new();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state) {
    crypto_free(*state);
    return ERR_peek_error() == 0 ? 0 : -1;
}

struct known_answer {
    struct slice stored, secret;
};

static const struct known_answer known_answers[] = {
    {SLICE("$sha256$" DIGEST), SLICE("mts_secret")},
    {SLICE(SMALL), SLICE("small")},
    {SLICE("$scrypt$ln=4,r=1,p=1$" SALT "$9Qs5LmSpRWONGR2EZKl+Wg"), SLICE("")},
    {SLICE("$scrypt$ln=1,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmM"
           "DEyMzQ1Njc4OWFiY2RlZg$ruUfoRfX/+UtbvksNETsO9hySA88cY5LsU1hb54FepeZkFrdQ83puKiZSbT73eo"
           "IqhMw1fXTMd5Yt59ZzLeNWg"),
     SLICE("small")},
    /* RFC 7914 section 12, the third */
    {SLICE("$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLV"
           "QylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"),
     SLICE("pleaseletmein")},
};

static void known_answers_match(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(known_answers); i++) {
        const struct known_answer *known = &known_answers[i];
        assert_int_not_equal(password_kind_of(known->stored), PASSWORD_MALFORMED);
        assert_int_equal(PASSWORD_RIGHT, password_verify(known->stored, known->secret));
        assert_int_equal(PASSWORD_WRONG, password_verify(known->stored, S("another")));
    }
    assert_int_equal(PASSWORD_RIGHT, password_verify(known_answers[2].stored, SLICE_ABSENT));
}

/* A stored secret with any one of its last characters changed, or a secret a little different. */
static void near_misses_do_not_match(void **state) {
    (void)state;
    assert_int_equal(PASSWORD_WRONG, password_verify(S(SMALL), S("smal")));
    assert_int_equal(PASSWORD_WRONG, password_verify(S(SMALL), S("small ")));
    assert_int_equal(PASSWORD_WRONG, password_verify(S(SMALL), S("small\0")));
    assert_int_equal(PASSWORD_WRONG, password_verify(S(SMALL), S("Small")));
    assert_int_equal(PASSWORD_WRONG, password_verify(S(SMALL), S("")));
    const size_t first = sizeof("$scrypt$ln=4,r=1,p=1$") - 1;
    for (size_t i = first; i < sizeof(SMALL) - 1; i++) {
        char changed[] = SMALL;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_equal(PASSWORD_WRONG,
                         password_verify(slice_of(changed, sizeof(SMALL) - 1), S("small")));
    }
}

static bool verify_fast(struct crypto *crypto, struct slice stored, struct slice secret) {
    struct password_digest digest;
    assert_true(password_digest_of(crypto, secret, &digest));
    return password_digest_matches(&digest, stored);
}

static void fast_ones_are_verified_on_the_spot(void **state) {
    const struct slice stored = S("$sha256$" DIGEST);
    assert_int_equal(password_kind_of(stored), PASSWORD_FAST);
    assert_true(verify_fast(*state, stored, S("mts_secret")));
    assert_true(verify_fast(*state, S("$sha256$" DIGEST_UPPER), S("mts_secret")));
    assert_false(verify_fast(*state, SLICE_ABSENT, S("mts_secret")));
    assert_false(verify_fast(*state, stored, S("mts_secreT")));
    assert_false(verify_fast(*state, stored, S("")));
    assert_false(verify_fast(*state, S(SMALL), S("small")));
    assert_false(verify_fast(*state, S("mts_secret"), S("mts_secret")));
    for (size_t i = 8; i < stored.size; i++) {
        char changed[] = "$sha256$" DIGEST;
        for (unsigned bit = 1; bit < 256; bit *= 2) {
            char before = changed[i];
            bool is_other_case = bit == 0x20 && before >= 'a';
            changed[i] = (char)(before ^ (char)bit);
            assert_int_equal(verify_fast(*state, slice_of(changed, stored.size), S("mts_secret")),
                             is_other_case);
            changed[i] = before;
        }
    }
}

static void malformed_ones_are_told(void **state) {
    (void)state;
    const struct slice bad[] = {
        SLICE_ABSENT,
        S(""),
        S("secret"),
        S("$"),
        S("$sha256$"),
        S("$sha256$" DIGEST "0"),
        S("$sha256$" DIGEST "$"),
        S("$sha256$4713"),
        S("$SHA256$" DIGEST),
        S(" $sha256$" DIGEST),
        S("$sha256$g713ee04282a55b639bb487be0f886bccb2b5a1e4c9fb56581685e1ff55f3de6"),
        S("$2b$12$abcdefghijklmnopqrstuv"),
        S("$scrypt$"),
        S("$scrypt$ln=4,r=1,p=1"),
        S("$scrypt$ln=4,r=1,p=1$"),
        S("$scrypt$ln=4,r=1,p=1$" SALT),
        S("$scrypt$ln=4,r=1,p=1$" SALT "$"),
        S("$scrypt$ln=4,r=1,p=1$$" HASH),
        S("$scrypt$ln=4,r=1,p=1$" SALT "$" HASH "$"),
        S("$scrypt$ln=4,r=1,p=1$" SALT "$" HASH "\n"),
        S("$scrypt$ln=4,r=1,p=1$" SALT "$" HASH "=="),
        S("$scrypt$ln=4,r=1,p=1$" SALT "=$" HASH),
        S("$scrypt$ln=4,r=1,p=1$" SALT "$qJM44DKFfcGR3GZDc+wn3B"), /* unused bits set */
        S("$scrypt$ln=4,r=1,p=1$c2FsdHNhbA$" HASH),                /* 7 bytes of salt */
        S("$scrypt$ln=4,r=1,p=1$" SALT "$qJM44DKFfcGR3GZDc+wn"),   /* 15 bytes of hash */
        S("$scrypt$ln=04,r=1,p=1$" SALT "$" HASH),
        S("$scrypt$ln=+4,r=1,p=1$" SALT "$" HASH),
        S("$scrypt$ln= 4,r=1,p=1$" SALT "$" HASH),
        S("$scrypt$ln=,r=1,p=1$" SALT "$" HASH),
        S("$scrypt$N=4,r=1,p=1$" SALT "$" HASH),
        S("$scrypt$r=1,ln=4,p=1$" SALT "$" HASH),
        S("$scrypt$ln=4,r=1$" SALT "$" HASH),
        S("$scrypt$ln=4,r=1,p=1,$" SALT "$" HASH),
        S("$scrypt$ln=4,r=1,p=1,x=1$" SALT "$" HASH),
        S("$argon2id$m=256,t=2,p=1$" SALT "$" HASH),
        S("$argon2id$v=16$m=256,t=2,p=1$" SALT "$" HASH),
        S("$argon2i$v=19$m=256,t=2,p=1$" SALT "$" HASH),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(password_kind_of(bad[i]), PASSWORD_MALFORMED);
        assert_int_equal(PASSWORD_WRONG, password_verify(bad[i], S("small")));
    }
}

static void long_ones_are_malformed(void **state) {
    (void)state;
    char text[PASSWORD_STORED_MAX + 1];
    memset(text, 'A', sizeof(text));
    memcpy(text, SMALL, sizeof(SMALL) - 1);
    assert_int_equal(password_kind_of(slice_of(text, sizeof(text))), PASSWORD_MALFORMED);
    assert_int_equal(password_kind_of(slice_of(text, PASSWORD_STORED_MAX)), PASSWORD_MALFORMED);
    assert_int_equal(password_kind_of(slice_of(text, sizeof(SMALL) - 1)), PASSWORD_SLOW);
}

static enum password_kind kind_with(const char *head) {
    char storage[PASSWORD_STORED_MAX];
    struct buffer b = buffer_of(storage, sizeof(storage));
    buffer_append_format(&b, "%s$" SALT "$" HASH, head);
    assert_false(b.overflow);
    return password_kind_of(buffer_slice(&b));
}

/* What is stored may not make a thread compute for minutes or fill the memory. */
static void costs_have_limits(void **state) {
    (void)state;
    static const char *const within[] = {
        "$scrypt$ln=1,r=1,p=1",   "$scrypt$ln=15,r=1,p=1", "$scrypt$ln=18,r=8,p=16",
        "$scrypt$ln=17,r=16,p=1", "$scrypt$ln=20,r=2,p=1",
    };
    static const char *const beyond[] = {
        "$scrypt$ln=0,r=8,p=1",
        "$scrypt$ln=21,r=1,p=1",
        "$scrypt$ln=15,r=0,p=1",
        "$scrypt$ln=15,r=17,p=1",
        "$scrypt$ln=15,r=8,p=0",
        "$scrypt$ln=15,r=8,p=17",
        "$scrypt$ln=19,r=8,p=1",
        "$scrypt$ln=18,r=9,p=1",
        "$scrypt$ln=20,r=3,p=1",
        "$scrypt$ln=16,r=1,p=1",
        "$scrypt$ln=18446744073709551617,r=8,p=1",
    };
    for (size_t i = 0; i < COUNT_OF(within); i++) {
        assert_int_equal(kind_with(within[i]), PASSWORD_SLOW);
    }
    for (size_t i = 0; i < COUNT_OF(beyond); i++) {
        assert_int_equal(kind_with(beyond[i]), PASSWORD_MALFORMED);
    }
}

static bool has_argon2(void) {
    return OpenSSL_version_num() >= 0x30200000ul;
}

/* An answer of the reference implementation's own test. */
static void argon2id_is_verified_where_openssl_has_it(void **state) {
    (void)state;
    const struct slice stored =
        S("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");
    assert_int_equal(password_kind_of(stored), has_argon2() ? PASSWORD_SLOW : PASSWORD_MALFORMED);
    assert_int_equal(password_verify(stored, S("password")), has_argon2());
    assert_int_equal(PASSWORD_WRONG, password_verify(stored, S("differentpassword")));
}

static void argon2id_costs_have_limits(void **state) {
    (void)state;
    enum password_kind good = has_argon2() ? PASSWORD_SLOW : PASSWORD_MALFORMED;
    assert_int_equal(kind_with("$argon2id$v=19$m=262144,t=16,p=16"), good);
    assert_int_equal(kind_with("$argon2id$v=19$m=8,t=1,p=1"), good);
    assert_int_equal(kind_with("$argon2id$v=19$m=262145,t=1,p=1"), PASSWORD_MALFORMED);
    assert_int_equal(kind_with("$argon2id$v=19$m=256,t=17,p=1"), PASSWORD_MALFORMED);
    assert_int_equal(kind_with("$argon2id$v=19$m=256,t=1,p=17"), PASSWORD_MALFORMED);
    assert_int_equal(kind_with("$argon2id$v=19$m=15,t=1,p=2"), PASSWORD_MALFORMED);
    assert_int_equal(kind_with("$argon2id$v=19$m=256,t=0,p=1"), PASSWORD_MALFORMED);
}

/* ---- making them ---- */

static void fresh_hashes_match_their_secret_alone(void **state) {
    (void)state;
    char storage[PASSWORD_STORED_MAX], again_storage[PASSWORD_STORED_MAX];
    struct buffer stored = buffer_of(storage, sizeof(storage));
    struct buffer again = buffer_of(again_storage, sizeof(again_storage));
    assert_true(password_hash_slow(S("p@s+s w%rd:\xc3\xa9"), &stored));
    assert_true(password_hash_slow(S("p@s+s w%rd:\xc3\xa9"), &again));
    assert_true(slice_starts_with(buffer_slice(&stored), S("$scrypt$ln=15,r=8,p=1$")));
    assert_int_equal(password_kind_of(buffer_slice(&stored)), PASSWORD_SLOW);
    assert_int_equal(PASSWORD_RIGHT,
                     password_verify(buffer_slice(&stored), S("p@s+s w%rd:\xc3\xa9")));
    assert_int_equal(PASSWORD_WRONG,
                     password_verify(buffer_slice(&stored), S("p@s+s w%rd:\xc3\xa8")));
    assert_false(slice_equal(buffer_slice(&stored), buffer_slice(&again))); /* another salt */
}

static void fast_hashes_are_the_plain_digest(void **state) {
    (void)state;
    char storage[PASSWORD_STORED_MAX];
    struct buffer stored = buffer_of(storage, sizeof(storage));
    assert_true(password_hash_fast(S("mts_secret"), &stored));
    assert_slice(buffer_slice(&stored), S("$sha256$" DIGEST));
}

static void hashes_are_appended_whole_or_not(void **state) {
    (void)state;
    char storage[200] = "kept";
    for (size_t room = 0; room <= 72; room++) {
        struct buffer stored = {storage, 4, 4 + room, false};
        assert_int_equal(password_hash_fast(S("x"), &stored), room == 72);
        assert_int_equal(stored.overflow, room != 72);
        assert_int_equal(stored.size, room == 72 ? 76 : 4);
    }
    struct buffer small = {storage, 4, 20, false};
    assert_false(password_hash_slow(S("x"), &small));
    assert_slice(buffer_slice(&small), S("kept"));
}

static void secrets_have_a_largest_size(void **state) {
    (void)state;
    static char secret[PASSWORD_SECRET_MAX + 1], storage[PASSWORD_STORED_MAX];
    memset(secret, 's', sizeof(secret));
    struct buffer stored = buffer_of(storage, sizeof(storage));
    assert_false(password_hash_slow(slice_of(secret, sizeof(secret)), &stored));
    assert_false(password_hash_fast(slice_of(secret, sizeof(secret)), &stored));
    assert_false(password_hash_slow(S("nul\0"), &stored));
    assert_int_equal(stored.size, 0);
    assert_true(password_hash_fast(slice_of(secret, PASSWORD_SECRET_MAX), &stored));
    assert_int_equal(PASSWORD_RIGHT,
                     password_verify(buffer_slice(&stored), slice_of(secret, PASSWORD_SECRET_MAX)));
}

static void without_randomness_there_is_no_hash(void **state) {
    (void)state;
    char storage[PASSWORD_STORED_MAX];
    struct buffer stored = buffer_of(storage, sizeof(storage));
    generator_fails = true;
    bool hashed = password_hash_slow(S("secret"), &stored);
    generator_fails = false;
    assert_false(hashed);
    assert_int_equal(stored.size, 0);
}

static void decoys_cost_what_the_real_ones_do(void **state) {
    char storage[PASSWORD_STORED_MAX];
    struct buffer fresh = buffer_of(storage, sizeof(storage));
    assert_true(password_hash_slow(S("secret"), &fresh));
    assert_int_equal(password_slow_decoy.size, fresh.size);
    assert_true(slice_starts_with(password_slow_decoy, S("$scrypt$ln=15,r=8,p=1$")));
    assert_int_equal(password_kind_of(password_slow_decoy), PASSWORD_SLOW);
    assert_int_equal(PASSWORD_WRONG, password_verify(password_slow_decoy, S("")));
    assert_false(verify_fast(*state, password_slow_decoy, S("")));
}

static void an_openssl_without_scrypt_is_no_reason_not_to_start(void **state) {
    (void)state;
    has_no_kdf = true;
    assert_true(password_start());
    assert_int_equal(password_verify(S(SMALL), S("password")), PASSWORD_NOT_CHECKED);
    has_no_kdf = false;
    assert_true(password_start());
    assert_int_not_equal(password_verify(S(SMALL), S("password")), PASSWORD_NOT_CHECKED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_openssl_without_scrypt_is_no_reason_not_to_start),
        cmocka_unit_test(known_answers_match),
        cmocka_unit_test(near_misses_do_not_match),
        cmocka_unit_test_setup_teardown(fast_ones_are_verified_on_the_spot, set_up, tear_down),
        cmocka_unit_test(malformed_ones_are_told),
        cmocka_unit_test(long_ones_are_malformed),
        cmocka_unit_test(costs_have_limits),
        cmocka_unit_test(argon2id_is_verified_where_openssl_has_it),
        cmocka_unit_test(argon2id_costs_have_limits),
        cmocka_unit_test(fresh_hashes_match_their_secret_alone),
        cmocka_unit_test(fast_hashes_are_the_plain_digest),
        cmocka_unit_test(hashes_are_appended_whole_or_not),
        cmocka_unit_test(secrets_have_a_largest_size),
        cmocka_unit_test(without_randomness_there_is_no_hash),
        cmocka_unit_test_setup_teardown(decoys_cost_what_the_real_ones_do, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
