/* Which client a token was minted for. */
#include "oauth/token_owners.h"
#include "unit/unit.h"

static struct token_owners owners;

/* The first four digits choose the slot. */
#define JTI(first) first "0123456789abcdef0123456789ab"
_Static_assert(sizeof JTI("0000") - 1 == OAUTH_JTI_SIZE, "as long as a token's id");

static int set_up(void **state) {
    (void)state;
    memset(&owners, 0, sizeof owners);
    return 0;
}

static void nothing_is_known_at_first(void **state) {
    (void)state;
    assert_true(slice_is_absent(token_owners_find(&owners, JTI("0000"))));
    assert_true(slice_is_absent(token_owners_find(&owners, "00000000000000000000000000000000")));
}

static void owner_is_found_again(void **state) {
    char id[] = "svc-a";
    (void)state;
    token_owners_put(&owners, JTI("0a1b"), slice_of(id, sizeof id - 1));
    token_owners_put(&owners, JTI("0a1c"), S("svc-b"));
    memset(id, 'x', sizeof id); /* it was copied */
    assert_slice(token_owners_find(&owners, JTI("0a1b")), S("svc-a"));
    assert_slice(token_owners_find(&owners, JTI("0a1c")), S("svc-b"));
    token_owners_put(&owners, JTI("0a1b"), S("svc-c"));
    assert_slice(token_owners_find(&owners, JTI("0a1b")), S("svc-c"));
}

static void longest_id_is_kept(void **state) {
    char id[OAUTH_CLIENT_ID_MAX];
    (void)state;
    memset(id, 'i', sizeof id);
    token_owners_put(&owners, JTI("ffff"), slice_of(id, sizeof id));
    assert_slice(token_owners_find(&owners, JTI("ffff")), slice_of(id, sizeof id));
}

/* The newer one stays, and is not taken for the older. */
static void slot_is_one_tokens(void **state) {
    const char *older = JTI("0001"), *newer = JTI("f401");
    (void)state;
    token_owners_put(&owners, older, S("svc-a"));
    assert_true(slice_is_absent(token_owners_find(&owners, newer)));
    token_owners_put(&owners, newer, S("svc-b"));
    assert_true(slice_is_absent(token_owners_find(&owners, older)));
    assert_slice(token_owners_find(&owners, newer), S("svc-b"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_known_at_first),
        TEST(owner_is_found_again),
        TEST(longest_id_is_kept),
        TEST(slot_is_one_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
