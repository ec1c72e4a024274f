/* An authenticated caller asks about a token (RFC 7662). */
#include "oauth/oauth_internal.h"
#include "oauth/token.h"
#include "support/oauth_fixture.h"
#include <stdio.h>

/* What an inquiry asks of the store: the caller, then token, client and generation. */
enum { READ_TOKEN = 2, OPERATIONS = 4 };

#define SVC_A "svc-a:s3cret-A_1.x~"
#define RS_1 "rs-1:rs-secret"
#define AUDIENCE "https://rs1.example/"

static struct oauth_inquiry inquiry;
static char token[OAUTH_TOKEN_SIZE];

static void put_token(struct oauth_fixture *f, const char *audience) {
    char jti[OAUTH_JTI_SIZE], key[64], json[512];
    assert_true(token_id_of(f->crypto, slice_of(token, sizeof token), jti));
    snprintf(key, sizeof key, "token:%.*s", (int)sizeof jti, jti);
    snprintf(json, sizeof json,
             "{\"client\":\"svc-a\",\"scope\":\"read\",\"aud\":\"%s\",\"exp\":9999999999}",
             audience);
    stub_store_put(&f->store, key, slice_of_string(json));
}

static int set_up(void **state) {
    oauth_fixture_set_up(state);
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_fast_secret(f, "svc-b", "secret:1", "other");
    fixture_put_fast_secret(f, "rs-1", "secret:1", "rs-secret");
    fixture_put_field(f, "rs-1", "permissions", "introspect");
    assert_true(token_text_make(f->crypto, S("mtd_"), token));
    put_token(f, "");
    return 0;
}

static enum oauth_refusal ask_about(struct oauth_fixture *f, const char *caller,
                                    struct slice text) {
    fixture_poison(&inquiry, sizeof inquiry);
    fixture_offer(&inquiry.authentication.credentials, caller);
    inquiry.authentication.address = SLICE_ABSENT;
    inquiry.token = text;
    inquiry.flow.on_done = fixture_on_done;
    fixture_finish(f, &inquiry.flow, oauth_inquiry_start(f->oauth, &inquiry));
    fixture_assert_wiped(&inquiry.authentication.credentials);
    return inquiry.refusal;
}

static enum oauth_refusal ask(struct oauth_fixture *f, const char *caller) {
    return ask_about(f, caller, slice_of(token, sizeof token));
}

static void assert_active(struct oauth_fixture *f, const char *caller, bool active) {
    assert_int_equal(ask(f, caller), OAUTH_REFUSED_NONE);
    assert_int_equal(oauth_inquiry_finds_active(&inquiry), active);
}

/* I-05: its own, or any with the permission. */
static void caller_sees_what_it_may(void **state) {
    struct oauth_fixture *f = *state;
    assert_active(f, SVC_A, true);
    assert_slice(inquiry.verification.client_id, S("svc-a"));
    assert_slice(inquiry.verification.scope, S("read"));
    assert_active(f, RS_1, true);
    assert_active(f, "svc-b:other", false);
    fixture_put_field(f, "svc-b", "permissions", "introspection");
    assert_active(f, "svc-b:other", false);
    fixture_put_field(f, "svc-b", "permissions", "x introspect");
    assert_active(f, "svc-b:other", true);
}

/* Where both have audiences, they must share one. */
static void audiences_must_meet(void **state) {
    struct oauth_fixture *f = *state;
    put_token(f, AUDIENCE " https://rs2.example/");
    assert_active(f, RS_1, true);
    fixture_put_field(f, "rs-1", "aud", "https://rs3.example/ " AUDIENCE);
    assert_active(f, RS_1, true);
    fixture_put_field(f, "rs-1", "aud", "https://rs3.example/");
    assert_active(f, RS_1, false);
    fixture_put_field(f, "svc-a", "aud", "https://rs3.example/");
    assert_active(f, SVC_A, true);
    put_token(f, "");
    assert_active(f, RS_1, true);
}

/* What memory says no about is confirmed: the permission may have come a moment ago. */
static void right_from_memory_is_confirmed(void **state) {
    struct oauth_fixture *f = *state;
    f->store.answers_from_memory = true;
    assert_active(f, RS_1, true);
    assert_int_equal(f->store.request_count, OPERATIONS);
    stub_store_rewind(&f->store);
    assert_active(f, "svc-b:other", false);
    assert_int_equal(f->store.request_count, OPERATIONS + 1);
    assert_int_equal(f->store.requests[OPERATIONS].verb, STUB_CONFIRM);
    stub_store_rewind(&f->store);
    stub_store_fail(&f->store, OPERATIONS + 1, STORE_TROUBLE_TIMEOUT);
    assert_int_equal(ask(f, "svc-b:other"), OAUTH_REFUSED_STORE_UNKNOWN);
    assert_int_equal(inquiry.trouble, STORE_TROUBLE_TIMEOUT);
}

/* Starts an inquiry of svc-b, which may not introspect, and stands at the fence. */
static void ask_until_the_fence(struct oauth_fixture *f) {
    f->store.answers_from_memory = true;
    stub_store_delay(&f->store, OPERATIONS + 1);
    fixture_poison(&inquiry, sizeof inquiry);
    fixture_offer(&inquiry.authentication.credentials, "svc-b:other");
    inquiry.authentication.address = SLICE_ABSENT;
    inquiry.token = slice_of(token, sizeof token);
    inquiry.flow.on_done = fixture_on_done;
    assert_int_equal(oauth_inquiry_start(f->oauth, &inquiry), PROGRESS_PENDING);
    f->store.changes++;
}

static void right_that_was_just_given_counts(void **state) {
    struct oauth_fixture *f = *state;
    ask_until_the_fence(f);
    fixture_put_field(f, "svc-b", "permissions", "introspect");
    fixture_finish(f, &inquiry.flow, PROGRESS_PENDING);
    assert_int_equal(inquiry.refusal, OAUTH_REFUSED_NONE);
    assert_true(oauth_inquiry_finds_active(&inquiry));
}

static void caller_that_was_just_disabled_is_refused(void **state) {
    struct oauth_fixture *f = *state;
    ask_until_the_fence(f);
    fixture_put_field(f, "svc-b", "disabled", "1");
    fixture_finish(f, &inquiry.flow, PROGRESS_PENDING);
    assert_int_equal(inquiry.refusal, OAUTH_REFUSED_CLIENT_DISABLED);
}

static void stranger_learns_nothing(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(ask(f, "nobody:x"), OAUTH_REFUSED_UNKNOWN_CLIENT);
    assert_int_equal(ask(f, "rs-1:wrong"), OAUTH_REFUSED_WRONG_SECRET);
    assert_int_equal(ask_about(f, "rs-1:wrong", SLICE_ABSENT), OAUTH_REFUSED_WRONG_SECRET);
    assert_int_equal(f->store.request_count, 3);
}

static void bad_token_is_an_answer(void **state) {
    struct oauth_fixture *f = *state;
    static const char *const texts[] = {"", "x",
                                        "mtd_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2fYdK6"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(ask_about(f, RS_1, slice_of_string(texts[i])), OAUTH_REFUSED_NONE);
        assert_false(oauth_inquiry_finds_active(&inquiry));
    }
    fixture_put_field(f, "svc-a", "gen", "1");
    assert_active(f, RS_1, false);
    assert_active(f, SVC_A, false);
}

static void missing_token_is_said_to_be(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(ask_about(f, RS_1, SLICE_ABSENT), OAUTH_REFUSED_NO_TOKEN_PARAMETER);
    assert_int_equal(f->store.request_count, 1);
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
                assert_int_equal(ask(f, RS_1), OAUTH_REFUSED_STORE_UNKNOWN);
                assert_int_equal(inquiry.trouble, trouble);
                /* Where the record has to be fetched, generation and client change places. */
                bool ahead = later && (n == READ_TOKEN || n == READ_TOKEN + 1);
                assert_int_equal(f->store.request_count, ahead ? n + 1 : n);
            }
        }
    }
}

static void unreadable_record_is_no_answer(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_put(&f->store, "generation", S("x"));
    assert_int_equal(ask(f, RS_1), OAUTH_REFUSED_RECORD_UNREADABLE);
    stub_store_remove(&f->store, "generation");
    fixture_put_field(f, "svc-a", "gen", "x");
    assert_int_equal(ask(f, RS_1), OAUTH_REFUSED_RECORD_UNREADABLE);
}

static void any_answer_may_come_later(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned pattern = 0; pattern < 1u << OPERATIONS; pattern++) {
        stub_store_rewind(&f->store);
        for (unsigned n = 1; n <= OPERATIONS; n++) {
            if ((pattern >> (n - 1) & 1) != 0) {
                stub_store_delay(&f->store, n);
            }
        }
        assert_active(f, RS_1, true);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, oauth_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(caller_sees_what_it_may),
        TEST(audiences_must_meet),
        TEST(right_from_memory_is_confirmed),
        TEST(right_that_was_just_given_counts),
        TEST(caller_that_was_just_disabled_is_refused),
        TEST(stranger_learns_nothing),
        TEST(bad_token_is_an_answer),
        TEST(missing_token_is_said_to_be),
        TEST(every_trouble_at_every_step_is_unknown),
        TEST(unreadable_record_is_no_answer),
        TEST(any_answer_may_come_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
