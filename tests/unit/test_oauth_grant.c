/* The client credentials grant (RFC 6749 4.4), to the end. */
#include "support/grant_fixture.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- the happy path ---- */

static void token_is_stored_under_its_id(void **state) {
    struct oauth_fixture *f = *state;
    char jti[OAUTH_JTI_SIZE], key[OAUTH_KEY_STORAGE];
    fixture_add_svc_a(f);
    fixture_put_field(f, "svc-a", "gen", "7");
    stub_store_put(&f->store, "generation", S("3"));
    assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_NONE);

    struct slice text = slice_of(grant.token.text, OAUTH_TOKEN_SIZE);
    assert_true(token_text_is_valid(S("mtd_"), text));
    assert_true(token_id_of(f->crypto, text, jti));
    assert_memory_equal(jti, grant.token.jti, sizeof jti);

    assert_int_equal(f->store.request_count, OPERATIONS);
    assert_int_equal(f->store.requests[0].verb, STUB_GET);
    assert_string_equal(f->store.requests[0].key, "generation");
    assert_int_equal(f->store.requests[1].verb, STUB_READ_HASH);
    assert_string_equal(f->store.requests[1].key, "client:svc-a");
    assert_null(f->store.requests[1].after); /* the generation is there already */
    assert_int_equal(f->store.requests[2].verb, STUB_SET);
    assert_int_equal(f->store.requests[2].premise_count, 2);
    assert_slice(slice_of_string(f->store.requests[2].key), oauth_token_key(jti, key));

    struct token_record record = stored_record(f);
    assert_slice(record.client_id, S("svc-a"));
    assert_slice(record.scope, S("read"));
    assert_slice(record.audience, S(""));
    assert_int_equal(record.generation, 7);
    assert_int_equal(record.global_generation, 3);
    assert_int_equal(record.expires_at - record.issued_at, FIXTURE_TTL_S);
    assert_int_equal(minted(f), 1);
    assert_int_equal(grant.trouble, STORE_TROUBLE_NONE);
    assert_int_equal(grant.authentication.secret_number, 1);
}

/* B-03: neither the token nor the secret is anywhere in the store. */
static void store_never_sees_a_secret(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_NONE);
    for (unsigned i = 0; i < f->store.request_count; i++) {
        const struct stub_request *request = &f->store.requests[i];
        const char *texts[] = {request->key, request->value == NULL ? "" : request->value};
        for (size_t t = 0; t < COUNT_OF(texts); t++) {
            assert_null(memmem(texts[t], strlen(texts[t]), grant.token.text, OAUTH_TOKEN_SIZE));
            assert_null(memmem(texts[t], strlen(texts[t]), grant.token.text + 4, 20));
            assert_null(strstr(texts[t], "s3cret"));
        }
    }
}

static void granted_scope_and_audience_are_stored(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_field(f, "svc-a", "aud", "https://rs1.example/ https://rs2.example/");
    prepare(&grant, SVC_A);
    grant.scope = S("write read read");
    grant.resources = S("https://rs2.example/\nhttps://rs1.example/");
    assert_int_equal(run(f), OAUTH_REFUSED_NONE);
    assert_slice(buffer_slice(&grant.granted_scope), S("write read"));
    assert_slice(stored_record(f).scope, S("write read"));
    assert_slice(stored_record(f).audience, S("https://rs2.example/ https://rs1.example/"));
    assert_slice(buffer_slice(&grant.granted_audience), stored_record(f).audience);
}

static void missing_generations_are_zero(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_int_equal(stored_record(f).generation, 0);
    assert_int_equal(stored_record(f).global_generation, 0);
}

/* Where a part of the store is away, only the keys that begin so have a place. */
static bool begins_so(const struct store *store, struct slice key) {
    (void)store;
    return slice_starts_with(key, S("token:0"));
}

static void token_lies_where_the_store_is(void **state) {
    struct oauth_fixture *f = *state;
    static struct store_verbs verbs;
    verbs = *f->store.base.verbs;
    unsigned there = 0;
    fixture_add_svc_a(f);
    verbs.has_place = begins_so;
    f->store.base.verbs = &verbs;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_NONE);
        there += slice_starts_with(slice_of_string(last_request(f)->key), S("token:0"));
        stub_store_rewind(&f->store);
    }
    /* 16 tries of one in 16 each: 64 of 100, and 36 where there is no place after all. */
    assert_in_range(there, 35, 90);
}

static unsigned places_asked;

static bool nowhere(const struct store *store, struct slice key) {
    (void)store;
    (void)key;
    places_asked++;
    return false;
}

static void places_are_looked_for_sixteen_times(void **state) {
    struct oauth_fixture *f = *state;
    static struct store_verbs verbs;
    verbs = *f->store.base.verbs;
    fixture_add_svc_a(f);
    verbs.has_place = nowhere;
    f->store.base.verbs = &verbs;
    places_asked = 0;
    assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_int_equal(places_asked, 16);
}

static void tokens_are_counted_by_client(void **state) {
    static const struct hash_seed seed = {{1, 2}};
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_fast_secret(f, "svc-b", "secret:1", "s");
    f->oauth->options.client_names = client_names_new(1, &seed);
    assert_non_null(f->oauth->options.client_names);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_NONE);
        assert_int_equal(mint(f, "svc-b:s"), OAUTH_REFUSED_NONE);
        assert_int_equal(counter_read(&f->metrics.clients[0].minted), i);
        assert_int_equal(counter_read(&f->metrics.clients[CLIENT_NAMES_MAX].minted), i);
    }
    assert_int_equal(minted(f), 4);
    client_names_free(f->oauth->options.client_names);
    f->oauth->options.client_names = NULL;
}

static void largest_client_is_served(void **state) {
    struct oauth_fixture *f = *state;
    static char id[OAUTH_CLIENT_ID_MAX + 1], scope[OAUTH_SCOPE_MAX + 1], pair[512],
        audience[OAUTH_AUDIENCE_MAX + 1];
    memset(id, 'i', sizeof id - 1);
    memset(scope, '\'', sizeof scope - 1);
    memset(audience, '<', sizeof audience - 1);
    fixture_put_fast_secret(f, id, "secret:1", "s");
    fixture_put_field(f, id, "scope", scope);
    fixture_put_field(f, id, "aud", audience);
    snprintf(pair, sizeof pair, "%s:s", id);
    assert_int_equal(mint(f, pair), OAUTH_REFUSED_NONE);
    assert_slice(stored_record(f).scope, slice_of_string(scope));
    assert_slice(stored_record(f).audience, slice_of_string(audience));
}

/* JSON doubles each of these quotes: more than a record holds. */
static void record_over_its_room_is_refused(void **state) {
    struct oauth_fixture *f = *state;
    static char scope[OAUTH_SCOPE_MAX + 1], audience[OAUTH_AUDIENCE_MAX + 1];
    memset(scope, 's', sizeof scope - 1);
    memset(audience, '"', sizeof audience - 1);
    fixture_put_fast_secret(f, "svc-a", "secret:1", "s3cret-A_1.x~");
    fixture_put_field(f, "svc-a", "scope", scope);
    fixture_put_field(f, "svc-a", "aud", audience);
    assert_int_not_equal(mint(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_int_equal(last_request(f)->verb, STUB_READ_HASH);
    assert_int_equal(minted(f), 0);
}

/* ---- now or later ---- */

/* Every pattern of answers at once and answers later comes to the same end. */
static void any_answer_may_come_later(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    for (unsigned pattern = 0; pattern < 1u << OPERATIONS; pattern++) {
        for (int slow = 0; slow < 2; slow++) {
            fixture_restart(f);
            for (unsigned n = 1; n <= OPERATIONS; n++) {
                if ((pattern >> (n - 1) & 1) != 0) {
                    stub_store_delay(&f->store, n);
                }
            }
            assert_int_equal(mint(f, slow ? "slow:correct horse" : SVC_A), OAUTH_REFUSED_NONE);
            assert_int_equal(f->store.request_count, OPERATIONS);
            assert_int_equal(minted(f), 1);
        }
    }
}

static void no_token_before_the_acknowledgement(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    stub_store_delay(&f->store, STORE_TOKEN);
    prepare(&grant, SVC_A);
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    assert_int_equal(minted(f), 0);
    assert_int_equal(f->store.pending, 1);
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(minted(f), 1);
}

/* Nothing of the operation is touched once on_done was called: its owner may be gone. */
static void on_freed(struct flow *flow) {
    free(container_of(flow, struct oauth_grant, flow));
}

static void grant_may_be_freed_when_done(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    for (unsigned failing = 0; failing <= OPERATIONS; failing++) {
        struct oauth_grant *g = malloc(sizeof *g);
        assert_non_null(g);
        stub_store_rewind(&f->store);
        stub_store_delay(&f->store, 0);
        if (failing != 0) {
            stub_store_fail(&f->store, failing, STORE_TROUBLE_TIMEOUT);
        }
        prepare(g, SVC_A);
        g->flow.on_done = on_freed;
        assert_int_equal(oauth_grant_start(f->oauth, g), PROGRESS_PENDING);
        while (stub_store_answer_next(&f->store)) {
        }
    }
}

static void grants_do_not_mix(void **state) {
    struct oauth_fixture *f = *state;
    static struct oauth_grant grants[3];
    static const char *const ids[] = {"svc-1", "svc-2", "svc-3"};
    fixture_put_slow_secret(f, ids[0], "secret:1", "one", 'a');
    fixture_put_fast_secret(f, ids[1], "secret:1", "two");
    fixture_put_slow_secret(f, ids[2], "secret:1", "three", 'b');
    stub_store_delay(&f->store, 0);
    prepare(&grants[0], "svc-1:one");
    prepare(&grants[1], "svc-2:two");
    prepare(&grants[2], "svc-3:wrong");
    for (size_t i = 0; i < COUNT_OF(grants); i++) {
        fixture_put_field(f, ids[i], "scope", ids[i]);
        assert_int_equal(oauth_grant_start(f->oauth, &grants[i]), PROGRESS_PENDING);
    }
    assert_int_equal(f->store.pending, 2 * COUNT_OF(grants));
    for (unsigned done = 0; done < COUNT_OF(grants);) {
        if (!stub_store_answer_next(&f->store)) {
            sem_wait(&f->job_finished);
            password_inbox_drain(f->inbox);
        }
        done = 0;
        for (size_t i = 0; i < COUNT_OF(grants); i++) {
            done += fixture_times_done(&grants[i].flow);
        }
    }
    assert_int_equal(grants[0].refusal, OAUTH_REFUSED_NONE);
    assert_slice(buffer_slice(&grants[0].granted_scope), S("svc-1"));
    assert_int_equal(grants[1].refusal, OAUTH_REFUSED_NONE);
    assert_slice(buffer_slice(&grants[1].granted_scope), S("svc-2"));
    assert_int_equal(grants[2].refusal, OAUTH_REFUSED_WRONG_SECRET);
    assert_memory_not_equal(grants[0].token.text, grants[1].token.text, OAUTH_TOKEN_SIZE);
}

/* ---- no answer is not a no ---- */

static void every_trouble_at_every_step_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    for (unsigned n = 1; n <= OPERATIONS; n++) {
        for (unsigned trouble = 1; trouble < STORE_TROUBLE_COUNT; trouble++) {
            for (int later = 0; later < 2; later++) {
                stub_store_rewind(&f->store);
                stub_store_fail(&f->store, n, (enum store_trouble)trouble);
                if (later) {
                    stub_store_delay(&f->store, 0);
                }
                assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_STORE_UNKNOWN);
                assert_int_equal(grant.trouble, trouble);
                assert_int_equal(f->store.request_count, n == READ_GENERATION ? READ_CLIENT : n);
            }
        }
    }
    assert_int_equal(minted(f), 0);
}

/* T-37: a lost answer is no acknowledgement, and nobody may see the token. */
static void lost_acknowledgement_wipes_the_token(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    for (int lost = 0; lost < 2; lost++) {
        stub_store_rewind(&f->store);
        (lost ? stub_store_lose_answer : stub_store_fail)(&f->store, STORE_TOKEN,
                                                          STORE_TROUBLE_DISCONNECTED);
        assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_STORE_UNKNOWN);
        assert_int_equal(last_request(f)->verb, STUB_SET);
        assert_token_wiped();
    }
    assert_int_equal(minted(f), 0);
}

static void unreadable_generation_is_our_trouble(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    stub_store_put(&f->store, "generation", S("one"));
    assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_RECORD_UNREADABLE);
    stub_store_remove(&f->store, "generation");
    stub_store_put_field(&f->store, "generation", "a", S("hash"));
    assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_STORE_UNKNOWN);
    assert_int_equal(grant.trouble, STORE_TROUBLE_WRONGTYPE);
}

static void without_randomness_nothing_is_stored(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    failing_crypto.random = true;
    assert_int_equal(mint(f, SVC_A), OAUTH_REFUSED_NO_RANDOMNESS);
    assert_int_equal(last_request(f)->verb, STUB_READ_HASH);
    assert_int_equal(minted(f), 0);
}

/* The secret is good, but its token has no name: the slow check runs when digests begin to fail. */
static void without_a_digest_nothing_is_stored(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    prepare(&grant, "slow:correct horse");
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    failing_crypto.sha256 = true;
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.refusal, OAUTH_REFUSED_NO_RANDOMNESS);
    assert_int_equal(last_request(f)->verb, STUB_READ_HASH);
    assert_token_wiped();
    assert_int_equal(minted(f), 0);
}

/* ---- order of checks ---- */

/* A stranger learns nothing: whatever else is wrong, it is the client that is. */
static void client_is_judged_first(void **state) {
    static const char *const strangers[] = {"nobody:x", "svc-a:wrong", "no colon", "svc-a:"};
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        prepare(&grant, strangers[i]);
        grant.grant_type = i % 2 == 0 ? S("") : S("password");
        grant.scope = S("not  a scope");
        grant.resources = S("x");
        grant.ttl = S("y");
        assert_int_equal(oauth_refusal_error(run(f)), OAUTH_INVALID_CLIENT);
    }
    assert_int_equal(minted(f), 0);
}

/* ... then grant_type, the right to it, scope, resource, ttl. */
static void request_is_judged_in_order(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_field(f, "svc-a", "grants", "");
    prepare(&grant, SVC_A);
    struct oauth_grant request = grant;
    request.grant_type = S("");
    request.scope = S("admin");
    request.resources = S("x");
    request.ttl = S("y");
    grant = request;
    assert_int_equal(run(f), OAUTH_REFUSED_NO_GRANT_TYPE);
    request.grant_type = S("foo");
    grant = request;
    assert_int_equal(run(f), OAUTH_REFUSED_GRANT_UNSUPPORTED);
    request.grant_type = S("client_credentials");
    grant = request;
    assert_int_equal(run(f), OAUTH_REFUSED_GRANT_NOT_ALLOWED);
    fixture_put_field(f, "svc-a", "grants", "client_credentials");
    grant = request;
    assert_int_equal(run(f), OAUTH_REFUSED_SCOPE_NOT_ALLOWED);
    request.scope = S("");
    grant = request;
    assert_int_equal(run(f), OAUTH_REFUSED_TARGET_MALFORMED);
    request.resources = S("");
    grant = request;
    assert_int_equal(run(f), OAUTH_REFUSED_TTL_MALFORMED);
    request.ttl = S("");
    grant = request;
    assert_int_equal(run(f), OAUTH_REFUSED_NONE);
}

static void refused_request_asks_no_more_of_the_store(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    assert_int_equal(mint_with_scope(f, "admin"), OAUTH_REFUSED_SCOPE_NOT_ALLOWED);
    assert_int_equal(f->store.request_count, READ_CLIENT);
    assert_int_equal(minted(f), 0);
}

/* T-14, B-01. */
static void other_grants_are_unsupported(void **state) {
    static const char *const types[] = {"password",
                                        "authorization_code",
                                        "refresh_token",
                                        "CLIENT_CREDENTIALS",
                                        "foo",
                                        "urn:ietf:params:oauth:grant-type:jwt-bearer",
                                        "client_credentials ",
                                        "client_credential",
                                        "client_credentials;scope=read",
                                        "client_credentialss",
                                        " "};
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        prepare(&grant, SVC_A);
        grant.grant_type = slice_of_string(types[i]);
        assert_int_equal(run(f), OAUTH_REFUSED_GRANT_UNSUPPORTED);
    }
    prepare(&grant, SVC_A);
    grant.grant_type = S("client_credentials\0");
    assert_int_equal(run(f), OAUTH_REFUSED_GRANT_UNSUPPORTED);
    prepare(&grant, SVC_A);
    grant.grant_type = SLICE_ABSENT;
    assert_int_equal(run(f), OAUTH_REFUSED_NO_GRANT_TYPE);
}

/* ---- how long ---- */

static void assert_ttl(struct oauth_fixture *f, const char *wanted, unsigned expected) {
    assert_int_equal(mint_with_ttl(f, wanted), OAUTH_REFUSED_NONE);
    assert_int_equal(grant.ttl_s, expected);
    assert_int_equal(last_request(f)->ttl_s, expected);
    assert_int_equal(grant.expires_at_ms, fixture_now_ms + UINT64_C(1000) * expected);
    stub_store_rewind(&f->store);
}

static void ttl_follows_client_and_request(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    assert_ttl(f, "", FIXTURE_TTL_S);
    assert_ttl(f, "60", 60);
    assert_ttl(f, "1", 1);
    assert_ttl(f, "0060", 60);
    assert_ttl(f, "3601", FIXTURE_TTL_S);
    fixture_put_field(f, "svc-a", "ttl", "600");
    assert_ttl(f, "", 600);
    assert_ttl(f, "601", 600);
    assert_ttl(f, "599", 599);
    fixture_put_field(f, "svc-a", "max_ttl", "7200");
    assert_ttl(f, "", 600);
    assert_ttl(f, "7200", 7200);
    assert_ttl(f, "7201", 7200);
    fixture_put_field(f, "svc-a", "max_ttl", "300");
    assert_ttl(f, "", 300);
    assert_ttl(f, "600", 300);
    assert_ttl(f, "10", 10);
    fixture_put_field(f, "svc-a", "ttl", "0");
    fixture_put_field(f, "svc-a", "max_ttl", "0");
    assert_ttl(f, "", FIXTURE_TTL_S);
    fixture_put_field(f, "svc-a", "max_ttl", "31622400");
    assert_ttl(f, "", FIXTURE_TTL_S);
    assert_ttl(f, "31622400", OAUTH_TTL_MAX);
    assert_ttl(f, "31622401", OAUTH_TTL_MAX);
}

/* However large the number: it is cut, not refused. */
static void large_ttl_is_cut(void **state) {
    static const char *const large[] = {"4294967296", "4294967297", "18446744073709551615",
                                        "18446744073709551616", "99999999999999999999999"};
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    for (size_t i = 0; i < COUNT_OF(large); i++) {
        assert_ttl(f, large[i], FIXTURE_TTL_S);
    }
}

static void malformed_ttl_is_refused(void **state) {
    static const char *const bad[] = {"0",  "00", "-1", "+1",  "1.5",  " 1",
                                      "1 ", "1s", "x",  "1e3", "0x10", "\xd9\xa1"};
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(mint_with_ttl(f, bad[i]), OAUTH_REFUSED_TTL_MALFORMED);
    }
    assert_int_equal(minted(f), 0);
}

/* T-38: good until then at least, so exp is never before expires_at_ms, nor a second after. */
static void exp_is_rounded_up(void **state) {
    struct oauth_fixture *f = *state;
    static const unsigned milliseconds[] = {0, 1, 499, 500, 999};
    fixture_add_svc_a(f);
    for (size_t i = 0; i < COUNT_OF(milliseconds); i++) {
        fixture_now_ms = FIXTURE_START_MS / 1000 * 1000 + milliseconds[i];
        assert_int_equal(mint_with_ttl(f, "10"), OAUTH_REFUSED_NONE);
        struct token_record record = stored_record(f);
        assert_int_equal(record.expires_at - record.issued_at, 10); /* as expires_in says */
        assert_int_equal(record.expires_at, FIXTURE_START_MS / 1000 + 10 + (milliseconds[i] != 0));
        assert_true(record.expires_at * 1000 >= grant.expires_at_ms);
        assert_true(record.expires_at * 1000 < grant.expires_at_ms + 1000);
    }
}

/* The time of the record is that of its writing, not of the request's coming. */
static void waiting_does_not_shorten_a_token(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    stub_store_delay(&f->store, READ_CLIENT);
    prepare(&grant, SVC_A);
    assert_int_equal(oauth_grant_start(f->oauth, &grant), PROGRESS_PENDING);
    fixture_now_ms += 5000;
    fixture_finish(f, &grant.flow, PROGRESS_PENDING);
    assert_int_equal(grant.expires_at_ms, fixture_now_ms + FIXTURE_TTL_S * 1000);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, oauth_fixture_set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(token_is_stored_under_its_id),
        TEST(store_never_sees_a_secret),
        TEST(granted_scope_and_audience_are_stored),
        TEST(missing_generations_are_zero),
        TEST(token_lies_where_the_store_is),
        TEST(places_are_looked_for_sixteen_times),
        TEST(tokens_are_counted_by_client),
        TEST(largest_client_is_served),
        TEST(record_over_its_room_is_refused),
        TEST(any_answer_may_come_later),
        TEST(no_token_before_the_acknowledgement),
        TEST(grant_may_be_freed_when_done),
        TEST(grants_do_not_mix),
        TEST(every_trouble_at_every_step_is_unknown),
        TEST(lost_acknowledgement_wipes_the_token),
        TEST(unreadable_generation_is_our_trouble),
        TEST(without_randomness_nothing_is_stored),
        TEST(without_a_digest_nothing_is_stored),
        TEST(client_is_judged_first),
        TEST(request_is_judged_in_order),
        TEST(refused_request_asks_no_more_of_the_store),
        TEST(other_grants_are_unsupported),
        TEST(ttl_follows_client_and_request),
        TEST(large_ttl_is_cut),
        TEST(malformed_ttl_is_refused),
        TEST(exp_is_rounded_up),
        TEST(waiting_does_not_shorten_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
