#include "mintd/crypto.h"
#include "mintd/encoding.h"
#include "support/fault.h"
#include "unit/unit.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

/* Stand before OpenSSL's: see the link options of this test. */
int __real_RAND_bytes(unsigned char *out, int size);
int __wrap_RAND_bytes(unsigned char *out, int size);
EVP_MAC *__real_EVP_MAC_fetch(OSSL_LIB_CTX *library, const char *name, const char *properties);
EVP_MAC *__wrap_EVP_MAC_fetch(OSSL_LIB_CTX *library, const char *name, const char *properties);

static bool generator_fails;
static bool hmac_is_missing;

int __wrap_RAND_bytes(unsigned char *out, int size) {
    return generator_fails ? 0 : __real_RAND_bytes(out, size);
}

EVP_MAC *__wrap_EVP_MAC_fetch(OSSL_LIB_CTX *library, const char *name, const char *properties) {
    return hmac_is_missing ? NULL : __real_EVP_MAC_fetch(library, name, properties);
}

static int set_up(void **state) {
    *state = crypto_new();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state) {
    crypto_free(*state);
    return ERR_peek_error() == 0 ? 0 : -1;
}

static void assert_digest(const uint8_t digest[CRYPTO_DIGEST_SIZE], const char *expected) {
    char text[2 * CRYPTO_DIGEST_SIZE];
    hex_encode(digest, CRYPTO_DIGEST_SIZE, text);
    assert_slice(slice_of(text, sizeof(text)), slice_of_string(expected));
}

/* FIPS 180-4's examples, and nothing at all. */
static void sha256_is_sha256(void **state) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    for (int again = 0; again < 3; again++) {
        assert_true(crypto_sha256(*state, S("abc"), digest));
        assert_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_true(crypto_sha256(*state, SLICE_ABSENT, digest));
        assert_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_true(crypto_sha256(
            *state, S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest));
        assert_digest(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}

static bool digests_equal(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, CRYPTO_DIGEST_SIZE) == 0;
}

static void keyed_digest_tells_pairs_apart(void **state) {
    const struct slice pairs[][2] = {
        {S("ab"), S("c")}, {S("a"), S("bc")},   {S("abc"), S("")}, {S(""), S("abc")},
        {S(""), S("")},    {S("ab"), S("c\0")}, {S("AB"), S("c")},
    };
    uint8_t digests[COUNT_OF(pairs)][CRYPTO_DIGEST_SIZE], again[CRYPTO_DIGEST_SIZE];
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_true(crypto_keyed_digest(*state, pairs[i][0], pairs[i][1], digests[i]));
        for (size_t j = 0; j < i; j++) {
            assert_false(digests_equal(digests[i], digests[j]));
        }
    }
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_true(crypto_keyed_digest(*state, pairs[i][0], pairs[i][1], again));
        assert_true(digests_equal(digests[i], again));
    }
}

static void keys_differ(void **state) {
    uint8_t here[CRYPTO_DIGEST_SIZE], there[CRYPTO_DIGEST_SIZE];
    struct crypto *other = crypto_new();
    assert_non_null(other);
    assert_true(crypto_keyed_digest(*state, S("a"), S("b"), here));
    assert_true(crypto_keyed_digest(other, S("a"), S("b"), there));
    assert_false(digests_equal(here, there));
    crypto_free(other);
}

/* Draws of every size, across the ends of blocks: each bit is met both set and clear, nothing
 * outside is touched, and no draw is like the one before. */
static void random_fills_what_it_is_asked_for(void **state) {
    uint8_t before[32] = {0};
    for (size_t size = 0; size < 700; size++) {
        uint8_t storage[702];
        memset(storage, 0xa5, sizeof(storage));
        assert_true(crypto_random(*state, storage + 1, size));
        assert_int_equal(storage[0], 0xa5);
        assert_int_equal(storage[size + 1], 0xa5);
        if (size >= sizeof(before)) {
            assert_memory_not_equal(storage + 1, before, sizeof(before));
            memcpy(before, storage + 1, sizeof(before));
        }
    }
}

static void random_serves_more_than_a_block(void **state) {
    static uint8_t out[10000];
    static const uint8_t zeros[32];
    assert_true(crypto_random(*state, out, sizeof(out)));
    for (size_t i = 0; i + sizeof(zeros) <= sizeof(out); i += sizeof(zeros)) {
        assert_memory_not_equal(out + i, zeros, sizeof(zeros));
    }
}

/* With 64 Ki draws of a byte, a count that is 500 off would be 31 standard deviations away. */
static void random_bytes_are_spread(void **state) {
    unsigned counts[256] = {0};
    for (unsigned i = 0; i < 256 * 1024; i++) {
        uint8_t byte;
        assert_true(crypto_random(*state, &byte, 1));
        counts[byte]++;
    }
    for (unsigned i = 0; i < 256; i++) {
        assert_in_range(counts[i], 1024 - 500, 1024 + 500);
    }
}

static void without_randomness_there_is_no_token(void **state) {
    (void)state;
    uint8_t out[64];
    static const uint8_t zeros[sizeof(out)];
    struct crypto *crypto = crypto_new();
    assert_non_null(crypto);
    generator_fails = true;
    unsigned drawn = 0;
    do {
        memset(out, 0xa5, sizeof(out));
        assert_true(++drawn < 1000); /* what was drawn before may still be given out */
    } while (crypto_random(crypto, out, sizeof(out)));
    assert_memory_equal(out, zeros, sizeof(out));
    assert_false(crypto_random(crypto, out, sizeof(out)));
    assert_null(crypto_new());
    generator_fails = false;
    assert_true(crypto_random(crypto, out, sizeof(out)));
    assert_memory_not_equal(out, zeros, sizeof(out));
    crypto_free(crypto);
}

static void without_hmac_there_is_no_crypto(void **state) {
    (void)state;
    hmac_is_missing = true;
    struct crypto *crypto = crypto_new();
    hmac_is_missing = false;
    assert_null(crypto);
}

static void equality_wants_equal_sizes(void **state) {
    (void)state;
    assert_true(crypto_equal(S("secret"), S("secret")));
    assert_false(crypto_equal(S("secret"), S("secreT")));
    assert_false(crypto_equal(S("Secret"), S("secret")));
    assert_false(crypto_equal(S("secret"), S("secret\0")));
    assert_false(crypto_equal(S("secret"), S("")));
    assert_true(crypto_equal(S(""), S("")));
    assert_true(crypto_equal(S(""), SLICE_ABSENT));
    char a[70], b[70];
    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    for (size_t size = 1; size <= sizeof(a); size++) {
        assert_true(crypto_equal(slice_of(a, size), slice_of(b, size)));
        for (size_t at = 0; at < size; at++) {
            b[at] ^= (char)(1 << at % 8);
            assert_false(crypto_equal(slice_of(a, size), slice_of(b, size)));
            b[at] = 'x';
        }
    }
}

static void wiping_leaves_zeros(void **state) {
    (void)state;
    char data[] = "xsecretx";
    crypto_wipe(data + 1, 6);
    assert_memory_equal(data, "x\0\0\0\0\0\0x", 8);
    crypto_wipe(data, 0);
    crypto_wipe(NULL, 0);
    assert_int_equal(data[0], 'x');
}

static void new_survives_each_failing_allocation(void **state) {
    (void)state;
    bool all_done = false;
    for (unsigned n = 1; !all_done; n++) {
        fault_fail_at(n);
        struct crypto *crypto = crypto_new();
        all_done = fault_count() < n;
        fault_disarm();
        assert_int_equal(crypto != NULL, all_done);
        crypto_free(crypto);
        assert_true(n < 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sha256_is_sha256, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keyed_digest_tells_pairs_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_fills_what_it_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_serves_more_than_a_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_bytes_are_spread, set_up, tear_down),
        cmocka_unit_test(without_randomness_there_is_no_token),
        cmocka_unit_test(without_hmac_there_is_no_crypto),
        cmocka_unit_test(equality_wants_equal_sizes),
        cmocka_unit_test(wiping_leaves_zeros),
        cmocka_unit_test(new_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
