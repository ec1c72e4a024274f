#include "mintd/clock.h"
#include "mintd/flow.h"
#include "mintd/password.h"
#include "support/fault.h"
#include "support/held_pool.h"
#include "unit/unit.h"
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#define SMALL "$scrypt$ln=4,r=1,p=1$c2FsdHNhbHQ$qJM44DKFfcGR3GZDc+wn3A" /* of "small" */

/* An owner of an inbox, as an event loop is: it sleeps until it is woken. */
struct owner {
    sem_t woken;
    struct password_inbox *inbox;
    unsigned answered, matched, given_up;
};

struct request {
    struct owner *owner;
    unsigned answers, returns; /* checked; given up */
    struct password_job job;
};

static void on_wake(void *context) {
    struct owner *owner = context;
    sem_post(&owner->woken);
}

static void on_job_done(struct password_job *job) {
    static const char zeros[PASSWORD_SECRET_MAX];
    struct request *request = container_of(job, struct request, job);
    struct owner *owner = request->owner;
    assert_memory_equal(job->secret, zeros, sizeof(zeros));
    if (!job->was_checked) {
        request->returns++;
        owner->given_up++;
        return;
    }
    request->answers++;
    owner->answered++;
    owner->matched += job->matches ? 1 : 0;
}

static void owner_init(struct owner *owner) {
    memset(owner, 0, sizeof(*owner));
    assert_int_equal(sem_init(&owner->woken, 0, 0), 0);
    owner->inbox = password_inbox_new(on_wake, owner);
    assert_non_null(owner->inbox);
}

static void owner_fini(struct owner *owner) {
    password_inbox_free(owner->inbox);
    sem_destroy(&owner->woken);
}

static void owner_await(struct owner *owner, unsigned answers) {
    while (owner->answered < answers) {
        sem_wait(&owner->woken);
        password_inbox_drain(owner->inbox);
    }
    assert_int_equal(owner->answered, answers);
}

static bool submit(struct password_pool *pool, struct owner *owner, struct request *request,
                   struct slice stored, struct slice secret) {
    request->owner = owner;
    request->job.on_done = on_job_done;
    return password_pool_submit(pool, owner->inbox, &request->job, stored, secret);
}

static struct request *new_requests(size_t count) {
    struct request *requests = calloc(count, sizeof(*requests));
    assert_non_null(requests);
    return requests;
}

static void answers_tell_right_from_wrong(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(2, 16);
    assert_non_null(pool);
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(4);
    assert_true(submit(pool, &owner, &requests[0], S(SMALL), S("small")));
    assert_true(submit(pool, &owner, &requests[1], S(SMALL), S("large")));
    assert_true(submit(pool, &owner, &requests[2], S("not a stored secret"), S("small")));
    assert_true(submit(pool, &owner, &requests[3], S(""), S("")));
    owner_await(&owner, 4);
    assert_true(requests[0].job.matches);
    assert_int_equal(owner.matched, 1);
    password_pool_free(pool);
    owner_fini(&owner);
    free(requests);
}

static void texts_are_copied_and_bounded(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 4);
    assert_non_null(pool);
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(2);
    static char stored[PASSWORD_STORED_MAX + 1], secret[PASSWORD_SECRET_MAX + 1];
    memset(stored, '$', sizeof(stored));
    memset(secret, 's', sizeof(secret));
    assert_false(submit(pool, &owner, &requests[0], slice_of(stored, sizeof(stored)), S("small")));
    assert_false(submit(pool, &owner, &requests[0], S(SMALL), slice_of(secret, sizeof(secret))));
    assert_int_equal(password_pool_load(pool), 0);
    assert_int_equal(requests[0].job.secret[0], 0);

    char fleeting_stored[] = SMALL, fleeting_secret[] = "small";
    assert_true(submit(pool, &owner, &requests[0], slice_of_string(fleeting_stored),
                       slice_of_string(fleeting_secret)));
    memset(fleeting_stored, 'x', sizeof(fleeting_stored));
    memset(fleeting_secret, 'x', sizeof(fleeting_secret));
    assert_true(submit(pool, &owner, &requests[1], slice_of(stored, PASSWORD_STORED_MAX),
                       slice_of(secret, PASSWORD_SECRET_MAX)));
    owner_await(&owner, 2);
    assert_int_equal(owner.matched, 1);
    password_pool_free(pool);
    owner_fini(&owner);
    free(requests);
}

/* One thread and a queue of two: beside the job that runs there may be two more. */
static void a_full_queue_refuses(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 2);
    assert_non_null(pool);
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(8);
    unsigned accepted = 0;
    for (unsigned i = 0; i < 8; i++) {
        bool taken = submit(pool, &owner, &requests[i], password_slow_decoy, S("secret"));
        accepted += taken ? 1 : 0;
        assert_true(taken || requests[i].job.secret[0] == 0);
    }
    assert_in_range(accepted, 2, 3);
    assert_in_range(password_pool_load(pool), 1, 3);
    owner_await(&owner, accepted);
    assert_true(submit(pool, &owner, &requests[7], S(SMALL), S("small"))); /* there is room again */
    owner_await(&owner, accepted + 1);
    password_pool_free(pool);
    owner_fini(&owner);
    unsigned answers = 0;
    for (unsigned i = 0; i < 8; i++) {
        answers += requests[i].answers;
    }
    assert_int_equal(answers, accepted + 1);
    free(requests);
}

#define MANY 400u

static void every_job_is_answered_once_to_its_own_inbox(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(3, MANY);
    assert_non_null(pool);
    struct owner owners[2];
    owner_init(&owners[0]);
    owner_init(&owners[1]);
    struct request *requests = new_requests(MANY);
    for (unsigned i = 0; i < MANY; i++) {
        struct slice secret = i % 4 < 2 ? S("small") : S("large");
        assert_true(submit(pool, &owners[i % 2], &requests[i], S(SMALL), secret));
    }
    owner_await(&owners[0], MANY / 2);
    owner_await(&owners[1], MANY / 2);
    password_pool_free(pool);
    for (unsigned i = 0; i < 2; i++) {
        password_inbox_drain(owners[i].inbox);
        assert_int_equal(owners[i].answered, MANY / 2);
        assert_int_equal(owners[i].matched, MANY / 4);
        owner_fini(&owners[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(requests[i].answers, 1);
        assert_int_equal(requests[i].job.matches, i % 4 < 2);
    }
    free(requests);
}

static void on_first_done(struct password_job *job) {
    struct request *request = container_of(job, struct request, job);
    struct password_pool *pool = *(struct password_pool **)request[1].job.stored;
    on_job_done(job);
    assert_true(submit(pool, request->owner, request, S(SMALL), S("small")));
}

static void a_job_may_be_submitted_again_from_its_answer(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 2);
    assert_non_null(pool);
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(2);
    memcpy(requests[1].job.stored, &pool, sizeof(pool));
    requests[0].owner = &owner;
    requests[0].job.on_done = on_first_done;
    assert_true(password_pool_submit(pool, owner.inbox, &requests[0].job, S(SMALL), S("small")));
    owner_await(&owner, 2);
    assert_int_equal(requests[0].answers, 2);
    assert_int_equal(owner.matched, 2);
    password_pool_free(pool);
    owner_fini(&owner);
    free(requests);
}

static void free_gives_up_those_that_wait(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 10);
    assert_non_null(pool);
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(6);
    assert_true(submit(pool, &owner, &requests[0], password_slow_decoy, S("secret")));
    for (unsigned i = 1; i < 6; i++) {
        assert_true(submit(pool, &owner, &requests[i], S(SMALL), S("small")));
    }
    password_pool_free(pool); /* while the first one runs, or before it does */
    password_inbox_drain(owner.inbox);
    assert_int_equal(owner.answered + owner.given_up, 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(requests[i].answers + requests[i].returns, 1);
    }
    owner_fini(&owner);
    free(requests);
}

/* One thread, which is held; the jobs of two owners wait in turns. */
static void jobs_that_wait_are_given_up(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 6);
    struct held_pool held;
    struct owner leaving, staying;
    held_pool_init(&held, pool);
    owner_init(&leaving);
    owner_init(&staying);
    struct request *requests = new_requests(6);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(
            submit(pool, i % 2 == 0 ? &leaving : &staying, &requests[i], S(SMALL), S("small")));
    }
    password_pool_give_up(pool, leaving.inbox);
    assert_int_equal(leaving.given_up, 0); /* not from inside */
    assert_int_equal(password_pool_load(pool), 1 + 3);
    password_inbox_drain(leaving.inbox);
    assert_int_equal(leaving.given_up, 3);
    held_pool_release(&held);
    owner_await(&staying, 3);
    assert_int_equal(staying.matched, 3);
    password_pool_free(pool);
    password_inbox_drain(leaving.inbox);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(requests[i].answers, i % 2);
        assert_int_equal(requests[i].returns, 1 - i % 2);
    }
    held_pool_fini(&held);
    owner_fini(&leaving);
    owner_fini(&staying);
    free(requests);
}

static void an_inbox_that_gave_up_takes_no_more(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 4);
    struct owner leaving, staying;
    owner_init(&leaving);
    owner_init(&staying);
    struct request *requests = new_requests(2);
    password_pool_give_up(pool, leaving.inbox); /* there is nothing to give */
    assert_false(submit(pool, &leaving, &requests[0], S(SMALL), S("small")));
    assert_int_equal(requests[0].job.secret[0], 0);
    assert_true(submit(pool, &staying, &requests[1], S(SMALL), S("small")));
    owner_await(&staying, 1);
    password_pool_give_up(pool, leaving.inbox); /* once more harms nothing */
    password_pool_free(pool);
    password_inbox_drain(leaving.inbox);
    assert_int_equal(leaving.answered + leaving.given_up, 0);
    owner_fini(&leaving);
    owner_fini(&staying);
    free(requests);
}

/* While threads take jobs: each is checked or given back, never both. */
static void given_up_or_checked_never_both(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(3, MANY);
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(MANY);
    for (unsigned i = 0; i < MANY; i++) {
        assert_true(submit(pool, &owner, &requests[i], S(SMALL), S("small")));
    }
    password_pool_give_up(pool, owner.inbox);
    while (owner.answered + owner.given_up < MANY) {
        sem_wait(&owner.woken);
        password_inbox_drain(owner.inbox);
    }
    assert_int_equal(owner.matched, owner.answered);
    password_pool_free(pool);
    password_inbox_drain(owner.inbox);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(requests[i].answers + requests[i].returns, 1);
    }
    owner_fini(&owner);
    free(requests);
}

/* ---- lanes ---- */

static bool submit_from(struct password_pool *pool, struct owner *owner, struct request *request,
                        struct slice source) {
    request->job.source = source;
    return submit(pool, owner, request, S(SMALL), S("small"));
}

static void make_a_stranger(struct password_pool *pool, struct slice source) {
    for (unsigned i = 0; i < PASSWORD_AHEAD_RANKS; i++) {
        password_pool_count_failure(pool, source);
    }
}

/* B-3: a source that asks for much goes behind, and one that was not seen before does not. */
static void a_source_with_much_under_way_goes_behind(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 8);
    struct held_pool held;
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(8);
    held_pool_init(&held, pool);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(submit_from(pool, &owner, &requests[i], S("192.0.2.1")));
        assert_int_equal(requests[i].job.rank, i);
        assert_int_equal(requests[i].job.lane,
                         i < PASSWORD_AHEAD_RANKS ? PASSWORD_AHEAD : PASSWORD_BEHIND);
    }
    assert_true(submit_from(pool, &owner, &requests[6], S("192.0.2.2")));
    assert_int_equal(requests[6].job.rank, 0);
    assert_int_equal(password_pool_waiting(pool, PASSWORD_AHEAD), PASSWORD_AHEAD_RANKS + 1);
    assert_int_equal(password_pool_waiting(pool, PASSWORD_BEHIND), 2);
    held_pool_release(&held);
    owner_await(&owner, 7);
    password_pool_free(pool);
    held_pool_fini(&held);
    owner_fini(&owner);
    free(requests);
}

/* What has ended is not counted, a refusal is, and given-up jobs are not. */
static void rank_is_what_is_under_way_or_was_refused(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 8);
    struct held_pool held;
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(4);
    held_pool_init(&held, pool);
    assert_true(submit_from(pool, &owner, &requests[0], S("192.0.2.1")));
    password_pool_give_up_late(pool, owner.inbox, UINT64_MAX);
    password_inbox_drain(owner.inbox);
    assert_int_equal(owner.given_up, 1);
    assert_true(submit_from(pool, &owner, &requests[1], S("192.0.2.1")));
    assert_int_equal(requests[1].job.rank, 0);
    password_pool_count_failure(pool, S("192.0.2.1"));
    password_pool_count_failure(pool, SLICE_ABSENT);
    assert_true(submit_from(pool, &owner, &requests[2], S("192.0.2.1")));
    assert_int_equal(requests[2].job.rank, 2);
    held_pool_release(&held);
    owner_await(&owner, 2);
    while (password_pool_load(pool) != 0) {
        sched_yield();
    }
    assert_true(submit_from(pool, &owner, &requests[3], S("192.0.2.1")));
    assert_int_equal(requests[3].job.rank, 1);
    owner_await(&owner, 3);
    password_pool_free(pool);
    held_pool_fini(&held);
    owner_fini(&owner);
    free(requests);
}

/* The lane behind is full: a newcomer of a lower rank has the place of the last one, whoever owns
 * that; one of a higher rank has none. */
static void a_lower_rank_pushes_out_the_highest(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 4);
    struct held_pool held;
    struct owner owner, other;
    owner_init(&owner);
    owner_init(&other);
    struct request *requests = new_requests(5);
    held_pool_init(&held, pool);
    make_a_stranger(pool, S("192.0.2.1"));
    make_a_stranger(pool, S("192.0.2.2"));
    assert_true(submit_from(pool, &other, &requests[0], S("192.0.2.1")));
    assert_true(submit_from(pool, &other, &requests[1], S("192.0.2.1")));
    assert_false(submit_from(pool, &other, &requests[2], S("192.0.2.1")));
    assert_int_equal(requests[2].job.secret[0], 0);
    assert_true(submit_from(pool, &owner, &requests[3], S("192.0.2.2")));
    assert_false(submit_from(pool, &owner, &requests[4], S("192.0.2.2")));
    assert_int_equal(other.given_up, 0); /* not from inside */
    sem_wait(&other.woken);
    password_inbox_drain(other.inbox);
    assert_int_equal(requests[1].returns, 1);
    assert_int_equal(password_pool_waiting(pool, PASSWORD_BEHIND), 2);
    held_pool_release(&held);
    owner_await(&owner, 1);
    owner_await(&other, 1);
    password_pool_free(pool);
    held_pool_fini(&held);
    owner_fini(&owner);
    owner_fini(&other);
    free(requests);
}

/* Two threads, of which one is held by a job behind: the other one serves the lane ahead only. */
static void the_lane_behind_has_half_of_the_threads(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(2, 8);
    struct held_pool held;
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(6);
    make_a_stranger(pool, S("192.0.2.1"));
    held_pool_init_from(&held, pool, S("192.0.2.1"));
    for (unsigned i = 0; i < 6; i++) {
        assert_true(
            submit_from(pool, &owner, &requests[i], i % 2 == 0 ? S("192.0.2.1") : S("192.0.2.2")));
    }
    owner_await(&owner, 3);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(requests[i].answers, i % 2);
    }
    assert_int_equal(password_pool_waiting(pool, PASSWORD_BEHIND), 3);
    held_pool_release(&held);
    owner_await(&owner, 6);
    password_pool_free(pool);
    held_pool_fini(&held);
    owner_fini(&owner);
    free(requests);
}

/* ---- deadlines ---- */

/* N-10: every wait ends. Those whose deadline has not come stay. */
static void late_jobs_are_given_up(void **state) {
    (void)state;
    enum { LATE = 1000, LATER = 2000 };
    struct password_pool *pool = password_pool_new(1, 8);
    struct held_pool held;
    struct owner owner, other;
    owner_init(&owner);
    owner_init(&other);
    struct request *requests = new_requests(4);
    held_pool_init(&held, pool);
    for (unsigned i = 0; i < 4; i++) {
        requests[i].job.deadline_ns = i == 1 ? LATER : i == 3 ? 0 : LATE;
        assert_true(submit(pool, i == 2 ? &other : &owner, &requests[i], S(SMALL), S("small")));
    }
    password_pool_give_up_late(pool, owner.inbox, LATE - 1);
    assert_int_equal(password_pool_load(pool), 1 + 4);
    password_pool_give_up_late(pool, owner.inbox, LATE);
    assert_int_equal(owner.given_up, 0); /* not from inside */
    assert_int_equal(password_pool_load(pool), 1 + 3);
    password_inbox_drain(owner.inbox);
    assert_int_equal(owner.given_up, 1);
    assert_int_equal(requests[0].returns, 1);
    password_pool_give_up_late(pool, owner.inbox, LATER);
    password_inbox_drain(owner.inbox);
    assert_int_equal(requests[1].returns, 1);
    held_pool_release(&held);
    owner_await(&owner, 1); /* the one without a deadline */
    assert_int_equal(requests[3].answers, 1);
    password_pool_free(pool);
    password_inbox_drain(other.inbox);
    assert_int_equal(requests[2].returns, 1); /* its thread found it late */
    held_pool_fini(&held);
    owner_fini(&owner);
    owner_fini(&other);
    free(requests);
}

static void a_wait_is_measured(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 8);
    struct held_pool held;
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(1);
    held_pool_init(&held, pool);
    uint64_t before = clock_monotonic_ns();
    assert_true(submit(pool, &owner, &requests[0], S(SMALL), S("small")));
    uint64_t submitted = clock_monotonic_ns();
    uint64_t released = clock_monotonic_ns();
    held_pool_release(&held);
    owner_await(&owner, 1);
    assert_in_range(requests[0].job.waited_ns, released - submitted, clock_monotonic_ns() - before);
    password_pool_free(pool);
    held_pool_fini(&held);
    owner_fini(&owner);
    free(requests);
}

static void without_a_thread_it_refuses(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(2, 10);
    assert_non_null(pool);
    struct owner owner;
    owner_init(&owner);
    struct request *requests = new_requests(3);
    fault_fail_threads(true);
    assert_false(submit(pool, &owner, &requests[0], S(SMALL), S("small")));
    assert_int_equal(password_pool_load(pool), 0);
    assert_int_equal(requests[0].job.secret[0], 0);
    fault_fail_threads(false);
    assert_true(submit(pool, &owner, &requests[0], password_slow_decoy, S("small")));
    fault_fail_threads(true); /* the one there is serves all */
    assert_true(submit(pool, &owner, &requests[1], S(SMALL), S("small")));
    fault_fail_threads(false);
    owner_await(&owner, 2);
    assert_int_equal(owner.matched, 1);
    password_pool_free(pool);
    owner_fini(&owner);
    free(requests);
}

static void unused_and_senseless_pools(void **state) {
    (void)state;
    password_pool_free(NULL);
    password_inbox_free(NULL);
    assert_null(password_pool_new(0, 1));
    assert_null(password_pool_new(1, 0));
    struct password_pool *pool = password_pool_new(4, 4);
    assert_non_null(pool);
    assert_int_equal(password_pool_load(pool), 0);
    password_pool_free(pool);
}

static void new_survives_failing_allocations(void **state) {
    (void)state;
    fault_fail_at(1);
    assert_null(password_pool_new(2, 2));
    fault_fail_at(1);
    assert_null(password_inbox_new(on_wake, NULL));
    fault_disarm();
}

static void memory_short_for_a_hash_is_no_verdict(void **state) {
    (void)state;
    unsigned not_checked = 0;
    bool all_failed = false;
    for (unsigned n = 1; !all_failed; n++) {
        fault_fail_at(n);
        enum password_verdict right = password_verify(S(SMALL), S("small"));
        all_failed = fault_count() < n;
        fault_fail_at(n);
        enum password_verdict wrong = password_verify(S(SMALL), S("large"));
        fault_disarm();
        assert_true(right == PASSWORD_RIGHT || right == PASSWORD_NOT_CHECKED);
        assert_true(wrong == PASSWORD_WRONG || wrong == PASSWORD_NOT_CHECKED);
        not_checked += right == PASSWORD_NOT_CHECKED;
    }
    assert_true(not_checked > 0);
}

static void memory_short_for_a_job_gives_it_up(void **state) {
    (void)state;
    struct password_pool *pool = password_pool_new(1, 16);
    assert_non_null(pool);
    struct owner owner;
    owner_init(&owner);
    struct request *request = new_requests(1);
    for (unsigned n = 1; owner.given_up == 0; n++) { /* OpenSSL does without some of them */
        fault_fail_at(n);
        assert_true(submit(pool, &owner, request, S(SMALL), S("small")));
        while (owner.answered + owner.given_up < n) {
            sem_wait(&owner.woken);
            password_inbox_drain(owner.inbox);
        }
        assert_true(fault_count() >= n); /* else none could fail */
        fault_disarm();
    }
    assert_int_equal(owner.matched, owner.answered);
    password_pool_free(pool);
    owner_fini(&owner);
    free(request);
}

int main(void) {
    crypto_own_allocations(); /* so that those of OpenSSL can fail */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_tell_right_from_wrong),
        cmocka_unit_test(texts_are_copied_and_bounded),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(every_job_is_answered_once_to_its_own_inbox),
        cmocka_unit_test(a_job_may_be_submitted_again_from_its_answer),
        cmocka_unit_test(free_gives_up_those_that_wait),
        cmocka_unit_test(jobs_that_wait_are_given_up),
        cmocka_unit_test(an_inbox_that_gave_up_takes_no_more),
        cmocka_unit_test(given_up_or_checked_never_both),
        cmocka_unit_test(a_source_with_much_under_way_goes_behind),
        cmocka_unit_test(rank_is_what_is_under_way_or_was_refused),
        cmocka_unit_test(a_lower_rank_pushes_out_the_highest),
        cmocka_unit_test(the_lane_behind_has_half_of_the_threads),
        cmocka_unit_test(late_jobs_are_given_up),
        cmocka_unit_test(a_wait_is_measured),
        cmocka_unit_test(without_a_thread_it_refuses),
        cmocka_unit_test(unused_and_senseless_pools),
        cmocka_unit_test(new_survives_failing_allocations),
        cmocka_unit_test(memory_short_for_a_hash_is_no_verdict),
        cmocka_unit_test(memory_short_for_a_job_gives_it_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
