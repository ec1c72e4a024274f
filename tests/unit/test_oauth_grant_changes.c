/* The client credentials grant (RFC 6749 4.4) where something changes while a token is made. */
#include "support/grant_fixture.h"
#include <stdio.h>

/* ---- the generation is read ahead of the client ---- */

/* The secret is replaced, and then all tokens are revoked. */
static void replace_secret_and_revoke_all(struct oauth_fixture *f, const char *id) {
    fixture_put_fast_secret(f, id, "secret:1", "another");
    stub_store_put(&f->store, "generation", S("4"));
}

/* Without memory nobody is told of changes: the token is of the generation from before them. */
static void assert_dead(struct oauth_fixture *f) {
    assert_int_equal(grant.refusal, OAUTH_REFUSED_NONE);
    assert_int_equal(stored_record(f).global_generation, 3);
}

static void change_while_the_secret_is_checked(void **state) {
    struct oauth_fixture *f = *state;
    for (int later = 0; later < 2; later++) {
        fixture_restart(f);
        fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
        stub_store_put(&f->store, "generation", S("3"));
        if (later) {
            stub_store_delay(&f->store, 0);
        }
        prepare(&grant, "slow:correct horse");
        assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
        while (stub_store_answer_next(&f->store)) { /* until the pool has the secret */
        }
        replace_secret_and_revoke_all(f, "slow");
        fixture_finish(f, &grant.flow, PROGRESS_PENDING);
        assert_dead(f);
    }
}

/* Between the two reads. */
static void change_before_the_client_is_read(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_fast_secret(f, "svc-a", "secret:1", "s3cret-A_1.x~");
    fixture_put_field(f, "svc-a", "scope", "admin");
    stub_store_put(&f->store, "generation", S("3"));
    stub_store_delay(&f->store, READ_CLIENT);
    prepare(&grant, SVC_A);
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    fixture_put_field(f, "svc-a", "scope", "read");
    stub_store_put(&f->store, "generation", S("4"));
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_dead(f);
    assert_slice(stored_record(f).scope, S("read"));
}

/* Both leave in one write, and the client's read stands behind the generation's. */
static void both_are_asked_for_in_one_turn(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    stub_store_delay(&f->store, 0);
    prepare(&grant, SVC_A);
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    assert_int_equal(f->store.pending, 2);
    assert_int_equal(f->store.requests[READ_GENERATION - 1].verb, STUB_GET);
    assert_ptr_equal(f->store.requests[READ_CLIENT - 1].after,
                     f->store.requests[READ_GENERATION - 1].operation);
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.refusal, OAUTH_REFUSED_NONE);
}

/* All again, too: the generation that counts is the one read ahead of the client. */
static void decided_again_the_generation_is_first_too(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    stub_store_put(&f->store, "generation", S("3"));
    f->store.answers_from_memory = true;
    stub_store_delay(&f->store, READ_CLIENT + 1); /* the fence */
    prepare(&grant, SVC_A);
    grant.scope = S("admin");
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    assert_int_equal(last_request(f)->verb, STUB_CONFIRM);
    fixture_put_field(f, "svc-a", "scope", "admin");
    stub_store_put(&f->store, "generation", S("4"));
    f->store.changes++;
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.refusal, OAUTH_REFUSED_NONE);
    assert_int_equal(stored_record(f).global_generation, 4);
    assert_int_equal(f->store.requests[READ_CLIENT + 1].verb, STUB_GET);
    assert_int_equal(f->store.requests[READ_CLIENT + 2].verb, STUB_READ_HASH);
}

/* It comes behind the client the first time, and ahead of it the second: then too both are waited
 * for. */
static void a_generation_that_was_waited_for_is_not_the_next_one(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    stub_store_put(&f->store, "generation", S("3"));
    f->store.answers_from_memory = true;
    static const unsigned later[] = {READ_GENERATION, READ_CLIENT + 1, READ_CLIENT + 2,
                                     READ_CLIENT + 3};
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        stub_store_delay(&f->store, later[i]);
    }
    prepare(&grant, SVC_A);
    grant.scope = S("admin");
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    assert_true(stub_store_answer_next(&f->store));
    assert_int_equal(last_request(f)->verb, STUB_CONFIRM);
    fixture_put_field(f, "svc-a", "scope", "admin");
    f->store.changes++;
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.refusal, OAUTH_REFUSED_NONE);
    assert_slice(stored_record(f).scope, S("admin"));
}

/* ---- generations that end while a token is made ---- */

static unsigned tokens_stored(const struct oauth_fixture *f) {
    unsigned count = 0;
    for (unsigned i = 0; i < f->store.request_count; i++) {
        count += f->store.requests[i].verb == STUB_SET;
    }
    return count;
}

/* Starts a mint, and stands where its SETEX is under way. */
static void mint_until_stored(struct oauth_fixture *f) {
    fixture_add_svc_a(f);
    fixture_put_field(f, "svc-a", "gen", "7");
    stub_store_put(&f->store, "generation", S("3"));
    f->store.answers_from_memory = true;
    stub_store_delay(&f->store, STORE_TOKEN);
    prepare(&grant, SVC_A);
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    assert_int_equal(last_request(f)->verb, STUB_SET);
}

static void assert_replaced(struct oauth_fixture *f, uint64_t generation, uint64_t everybodys) {
    char key[OAUTH_KEY_STORAGE];
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.refusal, OAUTH_REFUSED_NONE);
    assert_int_equal(tokens_stored(f), 2);
    assert_int_equal(f->store.request_count, OPERATIONS + 3);
    assert_int_equal(stored_record(f).generation, generation);
    assert_int_equal(stored_record(f).global_generation, everybodys);
    assert_slice(slice_of_string(last_request(f)->key), oauth_token_key(grant.token.jti, key));
    assert_string_not_equal(f->store.requests[STORE_TOKEN - 1].key, last_request(f)->key);
    assert_int_equal(minted(f), 1);
}

static void token_of_an_ended_generation_is_replaced(void **state) {
    struct oauth_fixture *f = *state;
    mint_until_stored(f);
    fixture_put_field(f, "svc-a", "gen", "8");
    f->store.changes++;
    assert_replaced(f, 8, 3);
}

static void token_of_an_ended_global_generation_is_replaced(void **state) {
    struct oauth_fixture *f = *state;
    mint_until_stored(f);
    stub_store_put(&f->store, "generation", S("4"));
    f->store.changes++;
    assert_replaced(f, 7, 4);
}

/* Before the SETEX went out, behind what memory said. */
static void change_before_the_token_is_stored_counts(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    f->store.answers_from_memory = true;
    stub_store_delay(&f->store, READ_GENERATION);
    prepare(&grant, SVC_A);
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    assert_int_equal(last_request(f)->verb, STUB_READ_HASH); /* answered already */
    fixture_put_field(f, "svc-a", "gen", "8");
    f->store.changes++;
    assert_replaced(f, 8, 0);
}

static void change_of_something_else_replaces_nothing(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_field(f, "svc-a", "aud", "https://rs1.example/");
    mint_until_stored(f);
    f->store.changes += 5;
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.refusal, OAUTH_REFUSED_NONE);
    assert_int_equal(tokens_stored(f), 1);
    assert_int_equal(f->store.request_count, OPERATIONS + 2);
    assert_int_equal(minted(f), 1);
}

static void without_a_change_nothing_is_read_again(void **state) {
    struct oauth_fixture *f = *state;
    f->store.changes = 99;
    mint_until_stored(f);
    fixture_put_field(f, "svc-a", "gen", "8"); /* not heard of */
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(f->store.request_count, OPERATIONS);
}

/* Who cannot be told what is right now is told to come again. */
static void terms_that_change_for_ever_are_given_up(void **state) {
    struct oauth_fixture *f = *state;
    char generation[8];
    unsigned stored = 0;
    stub_store_delay(&f->store, 0);
    fixture_add_svc_a(f);
    prepare(&grant, SVC_A);
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    while (stored < 3) {
        if (last_request(f)->verb == STUB_SET) {
            snprintf(generation, sizeof generation, "%u", ++stored);
            fixture_put_field(f, "svc-a", "gen", generation);
            f->store.changes++;
        }
        if (stored < 3) {
            assert_true(stub_store_answer_next(&f->store));
        }
    }
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.refusal, OAUTH_REFUSED_BUSY);
    assert_int_equal(tokens_stored(f), 3);
    assert_token_wiped();
    assert_int_equal(minted(f), 0);
}

/* It was acknowledged, but perhaps for nothing: nobody gets it. */
static void what_cannot_be_read_again_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned n = STORE_TOKEN + 1; n <= STORE_TOKEN + 2; n++) {
        stub_store_rewind(&f->store);
        stub_store_fail(&f->store, n, STORE_TROUBLE_TIMEOUT);
        mint_until_stored(f);
        f->store.changes++;
        fixture_finish(f, &grant.flow, PROGRESS_PENDING);
        assert_int_equal(grant.refusal, OAUTH_REFUSED_STORE_UNKNOWN);
        assert_int_equal(grant.trouble, STORE_TROUBLE_TIMEOUT);
        assert_int_equal(tokens_stored(f), 1);
        assert_token_wiped();
        stub_store_remove(&f->store, "client:svc-a");
    }
    assert_int_equal(minted(f), 0);
}

static void remove_client(struct oauth_fixture *f) {
    stub_store_remove(&f->store, "client:svc-a");
}
static void rotate_secret(struct oauth_fixture *f) {
    fixture_put_fast_secret(f, "svc-a", "secret:1", "another");
    fixture_put_field(f, "svc-a", "gen", "8");
}
static void let_secret_expire(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-a", "secret:1:expires", "1");
}
static void disable_client(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-a", "disabled", "1");
    fixture_put_field(f, "svc-a", "gen", "8");
}
static void take_scope(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-a", "default_scope", "write");
    fixture_put_field(f, "svc-a", "scope", "admin");
}
static void take_grant(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-a", "grants", "none");
}

/* A mint to its end; the change comes, and is heard of, while its SETEX is under way. */
static void mint_across(struct oauth_fixture *f, void (*change)(struct oauth_fixture *f)) {
    stub_store_rewind(&f->store);
    remove_client(f);
    mint_until_stored(f);
    change(f);
    f->store.changes++;
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
}

/* Whoever would be refused now gets no token, though it was stored. */
static void change_that_refuses_is_heeded(void **state) {
    static const struct {
        void (*change)(struct oauth_fixture *f);
        enum oauth_refusal refusal;
    } changes[] = {
        {remove_client, OAUTH_REFUSED_UNKNOWN_CLIENT},
        {rotate_secret, OAUTH_REFUSED_WRONG_SECRET},
        {let_secret_expire, OAUTH_REFUSED_SECRET_EXPIRED},
        {disable_client, OAUTH_REFUSED_CLIENT_DISABLED},
        {take_grant, OAUTH_REFUSED_GRANT_NOT_ALLOWED},
        {take_scope, OAUTH_REFUSED_SCOPE_NOT_ALLOWED},
    };
    struct oauth_fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        mint_across(f, changes[i].change);
        assert_int_equal(grant.refusal, changes[i].refusal);
        assert_int_equal(tokens_stored(f), 1);
        assert_token_wiped();
        fixture_assert_wiped(&grant.authentication.credentials);
    }
    assert_int_equal(minted(f), 0);
}

static void shorten_life(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-a", "ttl", "60");
}
static void narrow_scope(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-a", "default_scope", "write");
}
static void add_audience(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-a", "aud", "https://rs1.example/");
}

/* The token that is given out is what the client may have now. */
static void change_of_the_terms_replaces_the_token(void **state) {
    static const struct {
        void (*change)(struct oauth_fixture *f);
        const char *scope, *audience;
        unsigned ttl_s;
    } changes[] = {
        {shorten_life, "read", "", 60},
        {narrow_scope, "write", "", FIXTURE_TTL_S},
        {add_audience, "read", "https://rs1.example/", FIXTURE_TTL_S},
    };
    struct oauth_fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        mint_across(f, changes[i].change);
        assert_int_equal(grant.refusal, OAUTH_REFUSED_NONE);
        assert_int_equal(tokens_stored(f), 2);
        assert_slice(stored_record(f).scope, slice_of_string(changes[i].scope));
        assert_slice(stored_record(f).audience, slice_of_string(changes[i].audience));
        assert_slice(buffer_slice(&grant.granted_scope), slice_of_string(changes[i].scope));
        assert_int_equal(grant.ttl_s, changes[i].ttl_s);
        assert_int_equal(last_request(f)->ttl_s, changes[i].ttl_s);
    }
}

/* ---- a no that rests on memory ---- */

/* Allowed a moment ago: the answer is read again behind a fence. */
static void what_was_just_allowed_is_granted(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    f->store.answers_from_memory = true;
    stub_store_delay(&f->store, READ_CLIENT + 1); /* the fence */
    prepare(&grant, SVC_A);
    grant.scope = S("admin");
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    assert_int_equal(last_request(f)->verb, STUB_CONFIRM);
    fixture_put_field(f, "svc-a", "scope", "admin");
    f->store.changes++;
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.refusal, OAUTH_REFUSED_NONE);
    assert_slice(stored_record(f).scope, S("admin"));
}

static void confirmed_no_is_a_no(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    f->store.answers_from_memory = true;
    assert_int_equal(mint_with_scope(f, "admin"), OAUTH_REFUSED_SCOPE_NOT_ALLOWED);
    assert_int_equal(f->store.request_count, READ_CLIENT + 1);
    assert_int_equal(last_request(f)->verb, STUB_CONFIRM);
    stub_store_rewind(&f->store);
    stub_store_fail(&f->store, READ_CLIENT + 1, STORE_TROUBLE_TIMEOUT);
    assert_int_equal(mint_with_scope(f, "admin"), OAUTH_REFUSED_STORE_UNKNOWN);
    assert_int_equal(grant.trouble, STORE_TROUBLE_TIMEOUT);
}

static void replacement_has_to_be_acknowledged_too(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_fail(&f->store, STORE_TOKEN + 3, STORE_TROUBLE_OOM);
    mint_until_stored(f);
    fixture_put_field(f, "svc-a", "gen", "8");
    f->store.changes++;
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.refusal, OAUTH_REFUSED_STORE_UNKNOWN);
    assert_int_equal(grant.trouble, STORE_TROUBLE_OOM);
    assert_token_wiped();
    assert_int_equal(minted(f), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, oauth_fixture_set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(change_while_the_secret_is_checked),
        TEST(change_before_the_client_is_read),
        TEST(both_are_asked_for_in_one_turn),
        TEST(decided_again_the_generation_is_first_too),
        TEST(a_generation_that_was_waited_for_is_not_the_next_one),
        TEST(token_of_an_ended_generation_is_replaced),
        TEST(token_of_an_ended_global_generation_is_replaced),
        TEST(change_before_the_token_is_stored_counts),
        TEST(change_of_something_else_replaces_nothing),
        TEST(without_a_change_nothing_is_read_again),
        TEST(terms_that_change_for_ever_are_given_up),
        TEST(what_cannot_be_read_again_is_unknown),
        TEST(change_that_refuses_is_heeded),
        TEST(change_of_the_terms_replaces_the_token),
        TEST(what_was_just_allowed_is_granted),
        TEST(confirmed_no_is_a_no),
        TEST(replacement_has_to_be_acknowledged_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
