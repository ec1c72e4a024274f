/* A client gives a token of its own back (RFC 7009). */
#include "oauth/oauth_internal.h"
#include "oauth/token.h"
#include "support/oauth_fixture.h"
#include <stdio.h>

/* What a revocation asks of the store: caller, token, client, generation, then the deletion. */
enum { READ_TOKEN = 2, DELETION = 5, OPERATIONS = DELETION };

#define SVC_A "svc-a:s3cret-A_1.x~"

static struct oauth_revocation revocation;
static char token[OAUTH_TOKEN_SIZE], key[64];

static void put_token(struct oauth_fixture *f) {
    stub_store_put(&f->store, key, S("{\"client\":\"svc-a\",\"exp\":9999999999}"));
}

static int set_up(void **state) {
    char jti[OAUTH_JTI_SIZE];
    oauth_fixture_set_up(state);
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_fast_secret(f, "svc-b", "secret:1", "other");
    fixture_put_field(f, "svc-b", "permissions", "introspect");
    assert_true(token_text_make(f->crypto, S("mtd_"), token));
    assert_true(token_id_of(f->crypto, slice_of(token, sizeof token), jti));
    snprintf(key, sizeof key, "token:%.*s", (int)sizeof jti, jti);
    put_token(f);
    return 0;
}

static enum oauth_refusal revoke_text(struct oauth_fixture *f, const char *caller,
                                      struct slice text) {
    fixture_poison(&revocation, sizeof revocation);
    fixture_offer(&revocation.inquiry.authentication.credentials, caller);
    revocation.inquiry.authentication.address = SLICE_ABSENT;
    revocation.inquiry.token = text;
    revocation.flow.on_done = fixture_on_done;
    fixture_finish(f, &revocation.flow, oauth_revocation_start(f->oauth, &revocation));
    return revocation.refusal;
}

static enum oauth_refusal revoke(struct oauth_fixture *f, const char *caller) {
    return revoke_text(f, caller, slice_of(token, sizeof token));
}

static bool is_stored(const struct oauth_fixture *f) {
    return !slice_is_absent(stub_store_text(&f->store, key));
}

static void own_token_is_deleted(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_true(revocation.revoked);
    assert_int_equal(counter_read(&f->metrics.revoked), 1);
    assert_false(is_stored(f));
    assert_int_equal(f->store.requests[OPERATIONS - 1].verb, STUB_DELETE);
    assert_string_equal(f->store.requests[OPERATIONS - 1].key, key);
}

/* K-01: what is gone already is a success. */
static void dead_token_is_a_success(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_false(revocation.revoked);
    assert_int_equal(revoke_text(f, SVC_A, S("x")), OAUTH_REFUSED_NONE);
    assert_int_equal(revoke_text(f, SVC_A, S("")), OAUTH_REFUSED_NONE);
    assert_false(revocation.revoked);
}

/* Another worker may have a copy of what is gone from the store: it is told by the deletion. */
static void absent_token_is_deleted_all_the_same(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_remove(&f->store, key);
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_false(revocation.revoked);
    assert_int_equal(f->store.requests[f->store.request_count - 1].verb, STUB_DELETE);
    assert_string_equal(f->store.requests[f->store.request_count - 1].key, key);
    stub_store_rewind(&f->store);
    stub_store_fail(&f->store, 3, STORE_TROUBLE_TIMEOUT);
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_STORE_UNKNOWN);
}

/* It may live on in the store that was named: that nothing was deleted is confirmed. */
static void nothing_to_delete_in_a_doubtful_store_is_confirmed(void **state) {
    struct oauth_fixture *f = *state;
    f->store.is_doubtful = true;
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_true(revocation.revoked);
    assert_int_equal(f->store.request_count, OPERATIONS);
    stub_store_rewind(&f->store);
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_false(revocation.revoked);
    unsigned last = f->store.request_count;
    assert_int_equal(f->store.requests[last - 2].verb, STUB_DELETE);
    assert_int_equal(f->store.requests[last - 1].verb, STUB_CONFIRM);
    for (int later = 0; later < 2; later++) {
        stub_store_rewind(&f->store);
        stub_store_fail(&f->store, last, STORE_TROUBLE_IDENTITY);
        if (later) {
            stub_store_delay(&f->store, last);
        }
        assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_STORE_UNKNOWN);
        assert_int_equal(revocation.trouble, STORE_TROUBLE_IDENTITY);
    }
}

/* It may be good by another clock, or once it is enabled again. */
static void own_token_that_is_no_good_is_deleted(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_put(&f->store, key, S("{\"client\":\"svc-a\",\"exp\":1}"));
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_true(revocation.revoked);
    assert_false(is_stored(f));
    put_token(f);
    fixture_put_field(f, "svc-a", "gen", "9");
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_true(revocation.revoked);
    assert_false(is_stored(f));
}

static void others_token_that_is_no_good_stays(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_field(f, "svc-a", "gen", "9");
    assert_int_equal(revoke(f, "svc-b:other"), OAUTH_REFUSED_NONE);
    assert_false(revocation.revoked);
    assert_true(is_stored(f));
}

/* K-03: another client's is refused, and stays; a permission to introspect is none to revoke. */
static void others_token_stays(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(revoke(f, "svc-b:other"), OAUTH_REFUSED_OTHERS_TOKEN);
    assert_false(revocation.revoked);
    assert_true(is_stored(f));
}

static void stranger_revokes_nothing(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(revoke(f, "svc-a:wrong"), OAUTH_REFUSED_WRONG_SECRET);
    assert_int_equal(revoke(f, "nobody:x"), OAUTH_REFUSED_UNKNOWN_CLIENT);
    assert_int_equal(revoke_text(f, SVC_A, SLICE_ABSENT), OAUTH_REFUSED_NO_TOKEN_PARAMETER);
    assert_true(is_stored(f));
}

static void every_trouble_at_every_step_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned n = 1; n <= OPERATIONS; n++) {
        for (unsigned trouble = 1; trouble < STORE_TROUBLE_COUNT; trouble++) {
            for (int later = 0; later < 2; later++) {
                stub_store_rewind(&f->store);
                stub_store_fail(&f->store, n, (enum store_trouble)trouble);
                if (later) {
                    stub_store_delay(&f->store, 0);
                }
                assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_STORE_UNKNOWN);
                assert_int_equal(revocation.trouble, trouble);
                assert_false(revocation.revoked);
                /* Where the record has to be fetched, generation and client change places. */
                bool ahead = later && (n == READ_TOKEN || n == READ_TOKEN + 1);
                assert_int_equal(f->store.request_count, ahead ? n + 1 : n);
            }
        }
    }
    assert_true(is_stored(f));
}

/* A deletion whose answer got lost is no acknowledgement; the next attempt finds nothing left. */
static void lost_acknowledgement_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_lose_answer(&f->store, DELETION, STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_STORE_UNKNOWN);
    assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_false(revocation.revoked);
}

static void any_answer_may_come_later(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned pattern = 0; pattern < 1u << OPERATIONS; pattern++) {
        put_token(f);
        stub_store_rewind(&f->store);
        for (unsigned n = 1; n <= OPERATIONS; n++) {
            if ((pattern >> (n - 1) & 1) != 0) {
                stub_store_delay(&f->store, n);
            }
        }
        assert_int_equal(revoke(f, SVC_A), OAUTH_REFUSED_NONE);
        assert_true(revocation.revoked);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, oauth_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(own_token_is_deleted),
        TEST(dead_token_is_a_success),
        TEST(absent_token_is_deleted_all_the_same),
        TEST(nothing_to_delete_in_a_doubtful_store_is_confirmed),
        TEST(own_token_that_is_no_good_is_deleted),
        TEST(others_token_that_is_no_good_stays),
        TEST(others_token_stays),
        TEST(stranger_revokes_nothing),
        TEST(every_trouble_at_every_step_is_unknown),
        TEST(lost_acknowledgement_is_unknown),
        TEST(any_answer_may_come_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
