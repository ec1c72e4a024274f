/* When each secret was last used, written now and then. */
#include "oauth/oauth_internal.h"
#include "support/oauth_fixture.h"
#include <stdio.h>
#include <stdlib.h>

#define SVC_A "svc-a:s3cret-A_1.x~"
#define NOW_S "1795467600"

static struct oauth_authentication a;

static int set_up(void **state) {
    oauth_fixture_set_up(state);
    fixture_add_svc_a(*state);
    return 0;
}

static enum oauth_refusal authenticate(struct oauth_fixture *f, const char *id_and_secret) {
    fixture_authenticate(f, &a, id_and_secret);
    return a.refusal;
}

static struct slice last_use(const struct oauth_fixture *f) {
    return stub_store_field(&f->store, "client:svc-a", "secret:1:used");
}

/* Commands that the notes cost now. */
static unsigned writes(struct oauth_fixture *f) {
    unsigned before = f->store.request_count;
    oauth_write_usage(f->oauth);
    return f->store.request_count - before;
}

/* Nothing is kept of it, and its command had the store's own deadline. */
static void assert_over(const struct oauth_fixture *f) {
    for (unsigned i = 0; i < SECRET_USAGE_NOTES; i++) {
        assert_int_equal(f->oauth->usage.notes[i].state, NOTE_FREE);
        assert_int_equal(f->oauth->usage.notes[i].operation.deadline_ns, 0);
    }
}

static void use_is_written_once_off_the_way(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(authenticate(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_int_equal(authenticate(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_int_equal(f->store.request_count, 2);
    assert_int_equal(writes(f), 1);
    assert_slice(last_use(f), S(NOW_S));
    assert_int_equal(writes(f), 0);
    assert_over(f);
}

static void failures_are_no_use(void **state) {
    struct oauth_fixture *f = *state;
    authenticate(f, "svc-a:wrong");
    authenticate(f, "nobody:x");
    fixture_put_field(f, "svc-a", "disabled", "1");
    authenticate(f, SVC_A);
    assert_int_equal(writes(f), 0);
}

static void secret_that_was_used_is_the_one_written(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_fast_secret(f, "svc-a", "secret:4", "other");
    assert_int_equal(authenticate(f, "svc-a:other"), OAUTH_REFUSED_NONE);
    assert_int_equal(writes(f), 1);
    assert_true(slice_is_absent(last_use(f)));
    assert_slice(stub_store_field(&f->store, "client:svc-a", "secret:4:used"), S(NOW_S));
}

static void use_within_the_minute_is_not_written(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_field(f, "svc-a", "secret:1:used", NOW_S);
    fixture_now_ms += 59 * 1000;
    authenticate(f, SVC_A);
    assert_int_equal(writes(f), 0);
    fixture_now_ms += 1000;
    authenticate(f, SVC_A);
    assert_int_equal(writes(f), 1);
    assert_slice(last_use(f), S("1795467660"));
}

/* Bookkeeping harms nobody: a note that makes no sense is written anew. */
static void odd_notes_do_no_harm(void **state) {
    static const char *const odd[] = {"", "x", "-1", "18446744073709551615",
                                      "99999999999999999999"};
    struct oauth_fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        fixture_put_field(f, "svc-a", "secret:1:used", odd[i]);
        assert_int_equal(authenticate(f, SVC_A), OAUTH_REFUSED_NONE);
        assert_int_equal(writes(f), 1);
        assert_slice(last_use(f), S(NOW_S));
    }
}

/* A write that was not answered is done again, now or when it comes later. */
static void trouble_is_waited_out(void **state) {
    struct oauth_fixture *f = *state;
    for (int later = 0; later < 2; later++) {
        stub_store_rewind(&f->store);
        stub_store_remove_field(&f->store, "client:svc-a", "secret:1:used");
        stub_store_fail(&f->store, 2, STORE_TROUBLE_TIMEOUT);
        if (later) {
            stub_store_delay(&f->store, 2);
        }
        assert_int_equal(authenticate(f, SVC_A), OAUTH_REFUSED_NONE);
        assert_int_equal(writes(f), 1);
        assert_int_equal(stub_store_answer_next(&f->store), later);
        assert_true(slice_is_absent(last_use(f)));
        assert_int_equal(writes(f), 1);
        assert_slice(last_use(f), S(NOW_S));
        assert_int_equal(writes(f), 0);
    }
}

static bool client_is_there(const struct oauth_fixture *f) {
    return !slice_is_absent(stub_store_field(&f->store, "client:svc-a", "scope"));
}

/* The client is removed before the note is written, or while it is: nothing comes of it. */
static void removed_client_is_not_made_again(void **state) {
    struct oauth_fixture *f = *state;
    for (int later = 0; later < 2; later++) {
        fixture_add_svc_a(f);
        stub_store_rewind(&f->store);
        if (later) {
            stub_store_delay(&f->store, 2);
            stub_store_delay(&f->store, 3);
        }
        assert_int_equal(authenticate(f, SVC_A), OAUTH_REFUSED_NONE);
        stub_store_remove(&f->store, "client:svc-a");
        assert_int_equal(writes(f), later ? 1 : 2);
        if (later) {
            assert_true(stub_store_answer_next(&f->store)); /* written */
            assert_slice(last_use(f), S(NOW_S));
            assert_int_equal(writes(f), 0); /* it is being taken back already */
            assert_true(stub_store_answer_next(&f->store));
        }
        assert_true(slice_is_absent(last_use(f)));
        assert_false(client_is_there(f));
        assert_int_equal(writes(f), 0);
        assert_over(f);
    }
}

static void secret_that_was_rotated_away_leaves_nothing(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(authenticate(f, SVC_A), OAUTH_REFUSED_NONE);
    assert_true(stub_store_remove_field(&f->store, "client:svc-a", "secret:1"));
    assert_int_equal(writes(f), 2);
    assert_true(slice_is_absent(last_use(f)));
    assert_true(client_is_there(f));
    assert_int_equal(writes(f), 0);
}

/* Done or not, what was not answered is taken back again. */
static void taking_back_is_not_given_up(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_fail(&f->store, 3, STORE_TROUBLE_TIMEOUT);
    stub_store_lose_answer(&f->store, 4, STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(authenticate(f, SVC_A), OAUTH_REFUSED_NONE);
    stub_store_remove(&f->store, "client:svc-a");
    assert_int_equal(writes(f), 2);
    assert_slice(last_use(f), S(NOW_S));
    assert_int_equal(writes(f), 1);
    assert_int_equal(writes(f), 1);
    assert_true(slice_is_absent(last_use(f)));
    assert_int_equal(writes(f), 0);
}

/* What waits for its answer is not written twice. */
static void write_under_way_is_left_alone(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_delay(&f->store, 2);
    authenticate(f, SVC_A);
    assert_int_equal(writes(f), 1);
    secret_usage_note(&f->oauth->usage, S("svc-a"), 1, 0, fixture_now_ms / 1000);
    assert_int_equal(writes(f), 0);
    assert_true(stub_store_answer_next(&f->store));
    assert_slice(last_use(f), S(NOW_S));
}

static void notes_are_bounded(void **state) {
    enum { MANY = SECRET_USAGE_NOTES + 10 };
    struct secret_usage *usage = calloc(1, sizeof *usage);
    unsigned taken = 0;
    (void)state;
    assert_non_null(usage);
    for (unsigned i = 0; i < MANY; i++) {
        char id[16];
        int size = snprintf(id, sizeof id, "svc-%u", i);
        secret_usage_note(usage, slice_of(id, (size_t)size), 1, 0, 1795467600);
        secret_usage_note(usage, slice_of(id, (size_t)size), 1, 0, 1795467600);
    }
    for (unsigned i = 0; i < SECRET_USAGE_NOTES; i++) {
        taken += usage->notes[i].state == NOTE_WAITS;
    }
    assert_int_equal(taken, SECRET_USAGE_NOTES);
    for (unsigned i = 0; i < SECRET_USAGE_NOTES; i++) { /* the first that came stay */
        char id[16];
        const struct secret_usage_note *note = &usage->notes[i];
        snprintf(id, sizeof id, "svc-%u", i);
        assert_slice(slice_of(note->id, note->id_size), slice_of_string(id));
    }
    free(usage);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, oauth_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(use_is_written_once_off_the_way),
        TEST(failures_are_no_use),
        TEST(secret_that_was_used_is_the_one_written),
        TEST(use_within_the_minute_is_not_written),
        TEST(odd_notes_do_no_harm),
        TEST(trouble_is_waited_out),
        TEST(removed_client_is_not_made_again),
        TEST(secret_that_was_rotated_away_leaves_nothing),
        TEST(taking_back_is_not_given_up),
        TEST(write_under_way_is_left_alone),
        TEST(notes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
