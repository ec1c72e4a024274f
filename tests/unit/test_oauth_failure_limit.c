/* Failed authentications, counted for each client and address (T-35, G-25). */
#include "support/failing_crypto.h"
#include "support/oauth_fixture.h"
#include <stdio.h>

#define LIMIT 3u
#define UNKNOWN_LIMIT (10u * LIMIT) /* ids that do not exist share it */
#define WINDOW_MS 60000u

static struct oauth_authentication a;

static int set_up(void **state) {
    oauth_fixture_set_up(state);
    struct oauth_fixture *f = *state;
    f->failure_limit = LIMIT;
    fixture_restart(f);
    fixture_add_svc_a(f);
    fixture_put_fast_secret(f, "svc-b", "secret:1", "other");
    return 0;
}

static int tear_down(void **state) {
    failing_crypto = (struct failing_crypto){0};
    return oauth_fixture_tear_down(state);
}

static enum oauth_refusal attempt(struct oauth_fixture *f, const char *id_and_secret,
                                  struct slice address) {
    fixture_poison(&a, sizeof a);
    fixture_offer(&a.credentials, id_and_secret);
    a.address = address;
    a.wants_generation = false;
    a.flow.on_done = fixture_on_done;
    fixture_finish(f, &a.flow, oauth_authentication_start(f->oauth, &a));
    return a.refusal;
}

static enum oauth_refusal attempt_here(struct oauth_fixture *f, const char *id_and_secret) {
    return attempt(f, id_and_secret, S("192.0.2.1"));
}

static void bar_svc_a(struct oauth_fixture *f) {
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_WRONG_SECRET);
    }
    assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_TOO_MANY_FAILURES);
}

static void success_costs_no_command(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(attempt_here(f, "svc-a:s3cret-A_1.x~"), OAUTH_REFUSED_NONE);
    assert_int_equal(f->store.request_count, 1);
}

static void failure_is_counted_once(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_WRONG_SECRET);
    assert_int_equal(f->store.request_count, 2);
    assert_int_equal(f->store.requests[1].verb, STUB_COUNT);
    assert_int_equal(f->store.requests[1].ttl_s, WINDOW_MS / 1000);
    assert_slice(stub_store_text(&f->store, "fail:svc-a:192.0.2.1"), S("1"));
}

static void failure_that_is_confirmed_is_counted_once(void **state) {
    struct oauth_fixture *f = *state;
    f->store.answers_from_memory = true;
    assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_WRONG_SECRET);
    assert_int_equal(f->store.request_count, 3);
    assert_int_equal(f->store.requests[1].verb, STUB_CONFIRM);
    assert_int_equal(f->store.requests[2].verb, STUB_COUNT);
}

static void too_many_failures_bar_the_right_secret_too(void **state) {
    struct oauth_fixture *f = *state;
    bar_svc_a(f);
    assert_in_range(a.retry_after_s, 1, WINDOW_MS / 1000);
    stub_store_rewind(&f->store);
    assert_int_equal(attempt_here(f, "svc-a:s3cret-A_1.x~"), OAUTH_REFUSED_TOO_MANY_FAILURES);
    assert_in_range(a.retry_after_s, 1, WINDOW_MS / 1000);
    assert_int_equal(f->store.request_count, 0);
    assert_int_equal(oauth_error_status(oauth_refusal_error(a.refusal)), 429);
}

/* T-35: a stranger elsewhere locks nobody out; nor does a neighbour behind one address. */
static void others_are_not_barred(void **state) {
    struct oauth_fixture *f = *state;
    bar_svc_a(f);
    assert_int_equal(attempt(f, "svc-a:s3cret-A_1.x~", S("192.0.2.10")), OAUTH_REFUSED_NONE);
    assert_int_equal(attempt(f, "svc-a:s3cret-A_1.x~", S("192.0.2.")), OAUTH_REFUSED_NONE);
    assert_int_equal(attempt_here(f, "svc-b:other"), OAUTH_REFUSED_NONE);
    assert_int_equal(attempt_here(f, "nobody:x"), OAUTH_REFUSED_UNKNOWN_CLIENT);
}

static void tries_of_a_stranger_end_with_the_window(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned window = 0; window < 3; window++) {
        for (unsigned i = 0; i < LIMIT; i++) {
            assert_int_equal(attempt_here(f, "nobody:x"), OAUTH_REFUSED_UNKNOWN_CLIENT);
        }
        fixture_monotonic_ms += WINDOW_MS;
    }
}

static void bar_ends_with_the_window(void **state) {
    struct oauth_fixture *f = *state;
    bar_svc_a(f);
    unsigned retry_after_s = a.retry_after_s;
    stub_store_remove(&f->store, "fail:svc-a:192.0.2.1");
    fixture_monotonic_ms += UINT64_C(1000) * retry_after_s - 1;
    assert_int_equal(attempt_here(f, "svc-a:s3cret-A_1.x~"), OAUTH_REFUSED_TOO_MANY_FAILURES);
    assert_int_equal(a.retry_after_s, 1);
    fixture_monotonic_ms += 1;
    assert_int_equal(attempt_here(f, "svc-a:s3cret-A_1.x~"), OAUTH_REFUSED_NONE);
}

/* B-5: whatever becomes of the wall clock. */
static void bar_does_not_go_by_the_wall_clock(void **state) {
    struct oauth_fixture *f = *state;
    static const uint64_t starts[] = {FIXTURE_START_MS, 3600 * 1000, FIXTURE_START_MS * 2};
    bar_svc_a(f);
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        fixture_now_ms = starts[i];
        assert_int_equal(attempt_here(f, "svc-a:s3cret-A_1.x~"), OAUTH_REFUSED_TOO_MANY_FAILURES);
        assert_in_range(a.retry_after_s, 1, WINDOW_MS / 1000);
    }
    stub_store_remove(&f->store, "fail:svc-a:192.0.2.1");
    fixture_monotonic_ms += WINDOW_MS;
    assert_int_equal(attempt_here(f, "svc-a:s3cret-A_1.x~"), OAUTH_REFUSED_NONE);
}

/* Another instance has its own memory, and the same count. */
static void count_is_shared(void **state) {
    struct oauth_fixture *f = *state;
    bar_svc_a(f);
    fixture_restart(f);
    assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_TOO_MANY_FAILURES);
}

/* Made-up ids fill nothing: they count together, with a higher limit. */
static void unknown_ids_count_together(void **state) {
    struct oauth_fixture *f = *state;
    char pair[32];
    for (unsigned i = 0; i < UNKNOWN_LIMIT; i++) {
        snprintf(pair, sizeof pair, "nobody-%u:x", i);
        assert_int_equal(attempt_here(f, pair), OAUTH_REFUSED_UNKNOWN_CLIENT);
    }
    assert_int_equal(attempt_here(f, "someone:x"), OAUTH_REFUSED_TOO_MANY_FAILURES);
    assert_in_range(a.retry_after_s, 1, WINDOW_MS / 1000);
    stub_store_rewind(&f->store);
    assert_int_equal(attempt_here(f, "somebody:x"), OAUTH_REFUSED_TOO_MANY_FAILURES);
    assert_int_equal(f->store.request_count, 1);
    assert_int_equal(attempt_here(f, "svc-a:s3cret-A_1.x~"), OAUTH_REFUSED_NONE);
    assert_int_equal(attempt(f, "nobody:x", S("::1")), OAUTH_REFUSED_UNKNOWN_CLIENT);
}

/* The limit does not tell an id that exists from one that does not. */
static void unknown_id_is_barred_as_early_as_a_known_one(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_WRONG_SECRET);
        assert_int_equal(attempt_here(f, "nobody:wrong"), OAUTH_REFUSED_UNKNOWN_CLIENT);
    }
    assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_TOO_MANY_FAILURES);
    unsigned known_wait = a.retry_after_s;
    assert_int_equal(attempt_here(f, "nobody:wrong"), OAUTH_REFUSED_TOO_MANY_FAILURES);
    assert_int_equal(a.retry_after_s, known_wait);
    assert_int_equal(attempt_here(f, "nobody-else:wrong"), OAUTH_REFUSED_UNKNOWN_CLIENT);
}

/* The verdict stands when nobody can count. */
static void lost_count_changes_nothing(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned trouble = 1; trouble < STORE_TROUBLE_COUNT; trouble++) {
        for (int later = 0; later < 2; later++) {
            stub_store_rewind(&f->store);
            stub_store_fail(&f->store, 2, (enum store_trouble)trouble);
            if (later) {
                stub_store_delay(&f->store, 0);
            }
            assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_WRONG_SECRET);
            assert_int_equal(a.trouble, STORE_TROUBLE_NONE);
        }
    }
}

static void count_may_come_later(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_delay(&f->store, 0);
    bar_svc_a(f);
    assert_int_equal(attempt_here(f, "svc-b:other"), OAUTH_REFUSED_NONE);
}

static void without_a_limit_or_an_address_nothing_is_counted(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned i = 0; i < 2 * LIMIT; i++) {
        assert_int_equal(attempt(f, "svc-a:wrong", SLICE_ABSENT), OAUTH_REFUSED_WRONG_SECRET);
    }
    assert_int_equal(f->store.request_count, 2 * LIMIT);
    f->failure_limit = 0;
    fixture_restart(f);
    for (unsigned i = 0; i < 2 * LIMIT; i++) {
        assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_WRONG_SECRET);
    }
    assert_int_equal(f->store.request_count, 2 * LIMIT);
}

static void our_own_troubles_are_nobodys_failure(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_fail(&f->store, 1, STORE_TROUBLE_TIMEOUT);
    assert_int_equal(attempt_here(f, "svc-a:wrong"), OAUTH_REFUSED_STORE_UNKNOWN);
    assert_int_equal(f->store.request_count, 1);
    assert_int_equal(attempt_here(f, "no colon"), OAUTH_REFUSED_MALFORMED_CREDENTIALS);
    assert_int_equal(f->store.request_count, 1);
}

static void longest_names_fit_into_a_key(void **state) {
    struct oauth_fixture *f = *state;
    static char id[OAUTH_CLIENT_ID_MAX + 1], address[OAUTH_ADDRESS_MAX], pair[512];
    memset(id, 'i', sizeof id - 1);
    memset(address, 'f', sizeof address);
    fixture_put_fast_secret(f, id, "secret:1", "s");
    snprintf(pair, sizeof pair, "%s:x", id);
    assert_int_equal(attempt(f, pair, slice_of(address, sizeof address)),
                     OAUTH_REFUSED_WRONG_SECRET);
    assert_int_equal(strlen(f->store.requests[1].key), 5 + 255 + 1 + 64);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(success_costs_no_command),
        TEST(failure_is_counted_once),
        TEST(failure_that_is_confirmed_is_counted_once),
        TEST(too_many_failures_bar_the_right_secret_too),
        TEST(bar_does_not_go_by_the_wall_clock),
        TEST(others_are_not_barred),
        TEST(tries_of_a_stranger_end_with_the_window),
        TEST(bar_ends_with_the_window),
        TEST(count_is_shared),
        TEST(unknown_ids_count_together),
        TEST(unknown_id_is_barred_as_early_as_a_known_one),
        TEST(lost_count_changes_nothing),
        TEST(count_may_come_later),
        TEST(without_a_limit_or_an_address_nothing_is_counted),
        TEST(our_own_troubles_are_nobodys_failure),
        TEST(longest_names_fit_into_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
