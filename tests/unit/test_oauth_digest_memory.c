/* A bounded memory of keyed digests. */
#include "oauth/digest_memory.h"
#include "support/failing_crypto.h"
#include "unit/unit.h"
#include <stdio.h>

static struct digest_memory memory;
static struct crypto *crypto;

static int set_up(void **state) {
    (void)state;
    memset(&memory, 0, sizeof memory);
    crypto = crypto_new();
    return crypto == NULL;
}

static int tear_down(void **state) {
    (void)state;
    crypto_free(crypto);
    return 0;
}

static unsigned used_entries(void) {
    unsigned used = 0;
    for (unsigned set = 0; set < DIGEST_MEMORY_SETS; set++) {
        for (unsigned way = 0; way < DIGEST_MEMORY_WAYS; way++) {
            used += memory.entries[set][way].until_ms != 0;
        }
    }
    return used;
}

static uint64_t find(struct slice a, struct slice b, uint64_t now_ms) {
    return digest_memory_find(&memory, crypto, a, b, now_ms);
}

static void put(struct slice a, struct slice b, uint64_t until_ms) {
    digest_memory_put(&memory, crypto, a, b, until_ms);
}

static void pair_is_remembered_for_its_time(void **state) {
    (void)state;
    assert_int_equal(find(S("a"), S("b"), 0), 0);
    put(S("a"), S("b"), 10);
    assert_int_equal(find(S("a"), S("b"), 9), 10);
    assert_int_equal(find(S("a"), S("b"), 10), 0);
    assert_int_equal(find(S("b"), S("a"), 0), 0);
    assert_int_equal(find(S("ab"), S(""), 0), 0);
    put(S(""), S("ab"), DIGEST_MEMORY_FOREVER);
    assert_true(find(S(""), S("ab"), UINT64_MAX - 1) != 0);
}

/* Else one pair would push its neighbours out. */
static void pair_has_one_entry(void **state) {
    (void)state;
    for (uint64_t until_ms = 1; until_ms < 100; until_ms++) {
        put(S("a"), S("b"), until_ms);
        assert_int_equal(find(S("a"), S("b"), 0), until_ms);
    }
    assert_int_equal(used_entries(), 1);
    assert_int_equal(digest_memory_count(&memory, crypto, S("a"), S("b"), 200, 300), 1);
    assert_int_equal(used_entries(), 1);
}

static void count_starts_anew_when_its_time_is_over(void **state) {
    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(digest_memory_count(&memory, crypto, S("a"), S("b"), i, 100 + i), i);
    }
    assert_int_equal(find(S("a"), S("b"), 0), 101);
    assert_int_equal(digest_memory_count(&memory, crypto, S("a"), S("c"), 20, 120), 1);
    assert_int_equal(digest_memory_count(&memory, crypto, S("a"), S("b"), 101, 201), 1);
}

static void nothing_in_it_is_plain(void **state) {
    (void)state;
    put(S("a-client-that-is-long"), S("a-secret-that-is-long"), 10);
    assert_null(memmem(&memory, sizeof memory, "that-is-long", 12));
}

/* Another thread's key makes other digests of the same pair. */
static void memory_means_nothing_under_another_key(void **state) {
    (void)state;
    put(S("a"), S("b"), 10);
    struct crypto *other = crypto_new();
    assert_non_null(other);
    assert_int_equal(digest_memory_find(&memory, other, S("a"), S("b"), 0), 0);
    crypto_free(other);
}

static void new_ones_push_old_ones_out(void **state) {
    enum { MANY = 10 * DIGEST_MEMORY_SETS * DIGEST_MEMORY_WAYS };
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        char text[16];
        struct slice name = slice_of(text, (size_t)snprintf(text, sizeof text, "%u", i));
        put(name, S("b"), DIGEST_MEMORY_FOREVER);
        assert_true(find(name, S("b"), 0) != 0);
    }
    assert_true(used_entries() > DIGEST_MEMORY_SETS * DIGEST_MEMORY_WAYS * 9 / 10);
}

static void without_a_digest_nothing_is_known(void **state) {
    (void)state;
    put(S("a"), S("b"), 10);
    failing_crypto.keyed_digest = true;
    put(S("a"), S("c"), 10);
    assert_int_equal(find(S("a"), S("b"), 0), 0);
    assert_int_equal(digest_memory_count(&memory, crypto, S("a"), S("b"), 0, 10), 0);
    failing_crypto.keyed_digest = false;
    assert_int_equal(find(S("a"), S("b"), 0), 10);
    assert_int_equal(find(S("a"), S("c"), 0), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pair_is_remembered_for_its_time),         TEST(pair_has_one_entry),
        TEST(count_starts_anew_when_its_time_is_over), TEST(nothing_in_it_is_plain),
        TEST(memory_means_nothing_under_another_key),  TEST(new_ones_push_old_ones_out),
        TEST(without_a_digest_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
