/* The keyed hash of tables. */
#include "mintd/hash.h"
#include "unit/unit.h"
#include <stdlib.h>

static const struct hash_seed seed = {{0x0123456789abcdefu, 0xfedcba9876543210u}};
static const struct hash_seed other_seed = {{0x0123456789abcdeeu, 0xfedcba9876543210u}};

/* In memory that ends where the bytes end: a read beyond is seen by the sanitizer. */
static uint64_t hash_exact(const char *bytes, size_t size, const struct hash_seed *with) {
    char *exact = malloc(size == 0 ? 1 : size);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    uint64_t hash = hash_bytes(slice_of(size == 0 ? exact + 1 : exact, size), with);
    free(exact);
    return hash;
}

static void same_bytes_same_hash(void **state) {
    static const char text[] = "token:0123456789abcdef0123456789abcdef and more of it";
    (void)state;
    for (size_t size = 0; size < sizeof text; size++) {
        assert_int_equal(hash_exact(text, size, &seed), hash_bytes(slice_of(text, size), &seed));
    }
    assert_int_equal(hash_bytes(SLICE_ABSENT, &seed), hash_bytes(S(""), &seed));
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void assert_all_differ(uint64_t *hashes, size_t count) {
    qsort(hashes, count, sizeof *hashes, compare);
    for (size_t i = 1; i < count; i++) {
        assert_true(hashes[i - 1] != hashes[i]);
    }
}

/* Also of zeros: the length counts. */
static void length_counts(void **state) {
    static const char zeros[100];
    uint64_t hashes[sizeof zeros];
    (void)state;
    for (size_t size = 0; size < sizeof zeros; size++) {
        hashes[size] = hash_exact(zeros, size, &seed);
    }
    assert_all_differ(hashes, sizeof zeros);
}

static void every_bit_counts(void **state) {
    enum { SIZE = 67 };
    char text[SIZE];
    uint64_t hashes[SIZE * 8 + 1];
    size_t count = 0;
    (void)state;
    memset(text, 'x', sizeof text);
    hashes[count++] = hash_exact(text, SIZE, &seed);
    for (unsigned bit = 0; bit < SIZE * 8; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << (bit % 8)));
        hashes[count++] = hash_exact(text, SIZE, &seed);
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << (bit % 8)));
    }
    assert_all_differ(hashes, count);
}

static void seed_counts(void **state) {
    static const char text[] = "client:svc-a";
    (void)state;
    for (size_t size = 0; size < sizeof text; size++) {
        assert_true(hash_exact(text, size, &seed) != hash_exact(text, size, &other_seed));
    }
}

/* Low bits, which tables use, spread keys that differ in a digit or two. */
static void low_bits_spread(void **state) {
    enum { KEYS = 16384, BUCKETS = 1024 };
    static unsigned buckets[BUCKETS];
    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16] = "client:0000";
        for (unsigned digit = 0, rest = i; digit < 4; digit++, rest /= 16) {
            key[10 - digit] = "0123456789abcdef"[rest % 16];
        }
        buckets[hash_bytes(slice_of(key, 11), &seed) % BUCKETS]++;
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        assert_true(buckets[i] < 4 * KEYS / BUCKETS); /* 16 on average */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_same_hash), cmocka_unit_test(length_counts),
        cmocka_unit_test(every_bit_counts),     cmocka_unit_test(seed_counts),
        cmocka_unit_test(low_bits_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
