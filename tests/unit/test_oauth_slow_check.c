/* Slow checks under way: which are shared, how long they wait, what they count as. Never may it
 * depend on whether the client exists (T-21). */
#include "mintd/clock.h"
#include "oauth/oauth_internal.h"
#include "support/failing_crypto.h"
#include "support/held_pool.h"
#include "support/oauth_fixture.h"

#define HERE S("192.0.2.1")
#define THERE S("192.0.2.2")
#define AT_ONCE 4u

static struct oauth_authentication at_once[AT_ONCE];
static struct held_pool held;

static uint64_t slow_checks(const struct oauth_fixture *f) {
    return counter_read(&f->metrics.slow_checks);
}

static uint64_t shared_checks(const struct oauth_fixture *f) {
    return counter_read(&f->metrics.shared_checks);
}

/* Its flow waits for a slow check. */
static void start_from(struct oauth_fixture *f, struct oauth_authentication *a,
                       const char *id_and_secret, struct slice address) {
    fixture_poison(a, sizeof *a);
    fixture_offer(&a->credentials, id_and_secret);
    a->address = address;
    a->wants_generation = false;
    a->read.deadline_ns = 0;
    a->flow.on_done = fixture_on_done;
    assert_int_equal(oauth_authentication_start(f->oauth, a), PROGRESS_PENDING);
}

static void start(struct oauth_fixture *f, unsigned index, const char *id_and_secret) {
    start_from(f, &at_once[index], id_and_secret, HERE);
}

static void hold(struct oauth_fixture *f) {
    while (password_pool_load(f->pool) != 0) { /* the thread is about to come back */
    }
    held_pool_init(&held, f->pool);
}

/* To the end of the first `count`. */
static void release(struct oauth_fixture *f, unsigned count) {
    unsigned done = 0;
    held_pool_release(&held);
    while (done < count) {
        sem_wait(&f->job_finished);
        password_inbox_drain(f->inbox);
        done = 0;
        for (unsigned i = 0; i < count; i++) {
            done += fixture_times_done(&at_once[i].flow);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(fixture_times_done(&at_once[i].flow), 1);
    }
    held_pool_fini(&held);
}

/* Slow secrets are in use, and the memory has none of them. */
static void add_clients(struct oauth_fixture *f) {
    fixture_put_slow_secret(f, "slow", "secret:1", "right", 'a');
    fixture_put_slow_secret(f, "other", "secret:1", "right", 'b');
    fixture_add_svc_a(f);
    fixture_put_fast_secret(f, "off", "secret:1", "right");
    fixture_put_field(f, "off", "disabled", "1");
    f->oauth->slow_secrets_in_use = true;
}

/* ---- shared ---- */

static void the_same_at_once_is_one_check(void **state) {
    struct oauth_fixture *f = *state;
    static const struct {
        const char *pair;
        enum oauth_refusal refusal;
    } rows[] = {{"slow:right", OAUTH_REFUSED_NONE},
                {"slow:wrong", OAUTH_REFUSED_WRONG_SECRET},
                {"svc-a:wrong", OAUTH_REFUSED_WRONG_SECRET},
                {"nobody:wrong", OAUTH_REFUSED_UNKNOWN_CLIENT}};
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        fixture_restart(f);
        add_clients(f);
        hold(f);
        for (unsigned i = 0; i < AT_ONCE; i++) {
            start(f, i, rows[row].pair);
        }
        assert_int_equal(slow_checks(f), 1);
        assert_int_equal(shared_checks(f), AT_ONCE - 1);
        release(f, AT_ONCE);
        for (unsigned i = 0; i < AT_ONCE; i++) {
            assert_int_equal(at_once[i].refusal, rows[row].refusal);
        }
        assert_int_equal(slow_checks(f), 1);
    }
}

/* Two readings: the second check is shared, too, by all that shared the first. */
static void the_next_check_is_shared_again(void **state) {
    struct oauth_fixture *f = *state;
    add_clients(f);
    hold(f);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        start(f, i, "nobody:two+readings");
    }
    release(f, AT_ONCE);
    assert_int_equal(slow_checks(f), 2);
    assert_int_equal(shared_checks(f), 2 * (AT_ONCE - 1));
}

/* Above all not two ids that do not exist: two that do share nothing either. */
static void others_share_nothing(void **state) {
    struct oauth_fixture *f = *state;
    static const char *const pairs[][2] = {{"slow:wrong", "other:wrong"},
                                           {"nobody:wrong", "noone:wrong"},
                                           {"svc-a:wrong", "nobody:wrong"},
                                           {"slow:wrong", "slow:wronger"},
                                           {"nobody:wrong", "nobody:wronger"}};
    for (size_t row = 0; row < COUNT_OF(pairs); row++) {
        fixture_restart(f);
        add_clients(f);
        hold(f);
        start(f, 0, pairs[row][0]);
        start(f, 1, pairs[row][1]);
        assert_int_equal(slow_checks(f), 2);
        assert_int_equal(shared_checks(f), 0);
        release(f, 2);
    }
}

/* The secret was replaced while it is checked: the new one decides for who asks now. */
static void another_stored_secret_is_another_check(void **state) {
    struct oauth_fixture *f = *state;
    add_clients(f);
    hold(f);
    start(f, 0, "slow:new");
    fixture_put_slow_secret(f, "slow", "secret:1", "new", 'c');
    start(f, 1, "slow:new");
    assert_int_equal(shared_checks(f), 0);
    release(f, 2);
    assert_int_equal(at_once[0].refusal, OAUTH_REFUSED_WRONG_SECRET);
    assert_int_equal(at_once[1].refusal, OAUTH_REFUSED_NONE);
}

/* Who would go ahead does not wait behind with another one. */
static void a_place_behind_is_shared_by_its_own_source_only(void **state) {
    struct oauth_fixture *f = *state;
    add_clients(f);
    for (unsigned i = 0; i < PASSWORD_AHEAD_RANKS; i++) {
        password_pool_count_failure(f->pool, HERE);
    }
    hold(f);
    start(f, 0, "slow:right");
    start(f, 1, "slow:right");
    assert_int_equal(slow_checks(f), 1);
    start_from(f, &at_once[2], "slow:right", THERE);
    assert_int_equal(slow_checks(f), 2);
    start(f, 3, "slow:right"); /* ahead, by now */
    assert_int_equal(slow_checks(f), 2);
    release(f, AT_ONCE);
}

static void without_a_digest_nothing_is_shared(void **state) {
    struct oauth_fixture *f = *state;
    add_clients(f);
    hold(f);
    failing_crypto.keyed_digest = true;
    start(f, 0, "slow:right");
    start(f, 1, "slow:right");
    failing_crypto.keyed_digest = false;
    start(f, 2, "slow:right");
    assert_int_equal(shared_checks(f), 0);
    release(f, 3);
    assert_int_equal(at_once[1].refusal, OAUTH_REFUSED_NONE);
}

/* ---- deadlines ---- */

/* N-10: BUSY, whoever asked, and with those that share the check; what is right is right the next
 * time. */
static void what_waits_too_long_is_busy(void **state) {
    struct oauth_fixture *f = *state;
    static const char *const pairs[AT_ONCE] = {"slow:right", "slow:right", "slow:wrong",
                                               "nobody:wrong"};
    uint64_t before_ns = clock_monotonic_ns();
    add_clients(f);
    hold(f);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        start(f, i, pairs[i]);
    }
    uint64_t now_ns = clock_monotonic_ns(), first_ns = at_once[0].check.job.deadline_ns;
    assert_in_range(first_ns, before_ns + OAUTH_SLOW_CHECK_WAIT_NS,
                    now_ns + OAUTH_SLOW_CHECK_WAIT_NS);
    assert_int_equal(oauth_slow_checks_waiting(f->oauth, PASSWORD_AHEAD), 3);
    oauth_give_up_late_checks(f->oauth, first_ns - 1);
    assert_int_equal(fixture_times_done(&at_once[0].flow), 0);
    oauth_give_up_late_checks(f->oauth, now_ns + OAUTH_SLOW_CHECK_WAIT_NS);
    assert_int_equal(oauth_slow_checks_waiting(f->oauth, PASSWORD_AHEAD), 0);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        assert_int_equal(fixture_times_done(&at_once[i].flow), 1);
        assert_int_equal(at_once[i].refusal, OAUTH_REFUSED_BUSY);
    }
    release(f, AT_ONCE);
    fixture_restart(f);
    add_clients(f);
    fixture_authenticate(f, &at_once[0], "slow:right");
    assert_int_equal(at_once[0].refusal, OAUTH_REFUSED_NONE);
}

/* All checks of an authentication together have the time, not each. */
static void waits_add_up(void **state) {
    struct oauth_fixture *f = *state;
    add_clients(f);
    hold(f);
    start(f, 0, "slow:two+readings");
    uint64_t submitted_ns = clock_monotonic_ns(), released_ns = clock_monotonic_ns();
    release(f, 1);
    assert_in_range(at_once[0].check.wait_left_ns, 0,
                    OAUTH_SLOW_CHECK_WAIT_NS - (released_ns - submitted_ns));
    uint64_t recorded = 0;
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        recorded += counter_read(&f->metrics.slow_check_wait.buckets[i]);
    }
    assert_int_equal(recorded, 2);
}

/* ---- what counts ---- */

/* The rank that the next check from HERE has. */
static unsigned rank_of_next(struct oauth_fixture *f) {
    static struct oauth_authentication probe;
    while (password_pool_load(f->pool) != 0) {
    }
    start_from(f, &probe, "slow:right", HERE);
    unsigned rank = probe.check.job.rank;
    fixture_finish(f, &probe.flow, PROGRESS_PENDING);
    fixture_put_slow_secret(f, "slow", "secret:1", "right", (char)('d' + rank)); /* forgotten */
    return rank;
}

static void authenticate_here(struct oauth_fixture *f, const char *pair) {
    fixture_poison(&at_once[0], sizeof at_once[0]);
    fixture_offer(&at_once[0].credentials, pair);
    at_once[0].address = HERE;
    at_once[0].wants_generation = false;
    at_once[0].read.deadline_ns = 0;
    at_once[0].flow.on_done = fixture_on_done;
    fixture_finish(f, &at_once[0].flow, oauth_authentication_start(f->oauth, &at_once[0]));
}

/* B-3: whatever the reason, and however many checks it took: one. A success counts nothing. */
static void each_refusal_counts_alike(void **state) {
    struct oauth_fixture *f = *state;
    static const char *const pairs[] = {"slow:wrong", "nobody:wrong", "svc-a:wrong", "off:wrong",
                                        "off:right",  "slow:a+b",     "nobody:a+b",  "two:wrong"};
    add_clients(f);
    fixture_put_slow_secret(f, "two", "secret:1", "one", 'a');
    fixture_put_slow_secret(f, "two", "secret:2", "two", 'b');
    for (unsigned i = 0; i < COUNT_OF(pairs); i++) {
        assert_int_equal(rank_of_next(f), i);
        authenticate_here(f, pairs[i]);
        assert_int_equal(oauth_refusal_error(at_once[0].refusal), OAUTH_INVALID_CLIENT);
    }
    unsigned rank = rank_of_next(f);
    authenticate_here(f, "other:right");
    assert_int_equal(rank_of_next(f), rank);
}

/* Who holds places until time is up has asked in vain as well. */
static void what_was_given_up_counts_too(void **state) {
    struct oauth_fixture *f = *state;
    add_clients(f);
    hold(f);
    start(f, 0, "slow:wrong");
    start(f, 1, "nobody:wrong");
    oauth_give_up_late_checks(f->oauth, UINT64_MAX);
    release(f, 2);
    fixture_restart(f);
    add_clients(f);
    assert_int_equal(rank_of_next(f), 2);
}

static int tear_down(void **state) {
    failing_crypto = (struct failing_crypto){0};
    return oauth_fixture_tear_down(state);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, oauth_fixture_set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_same_at_once_is_one_check),
        TEST(the_next_check_is_shared_again),
        TEST(others_share_nothing),
        TEST(another_stored_secret_is_another_check),
        TEST(a_place_behind_is_shared_by_its_own_source_only),
        TEST(without_a_digest_nothing_is_shared),
        TEST(what_waits_too_long_is_busy),
        TEST(waits_add_up),
        TEST(each_refusal_counts_alike),
        TEST(what_was_given_up_counts_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
