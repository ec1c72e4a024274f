/* Who is next for a thread, and who has to leave. */
#include "crypto/password_queue.h"
#include "unit/unit.h"

static struct password_queue queue;

static struct password_job job_of(unsigned rank) {
    return (struct password_job){
        .rank = rank,
        .lane = rank < PASSWORD_AHEAD_RANKS ? PASSWORD_AHEAD : PASSWORD_BEHIND,
        .deadline_ns = UINT64_MAX,
    };
}

static struct password_job *added(struct password_job *job) {
    struct password_job *pushed_out = job;
    assert_true(password_queue_add(&queue, job, &pushed_out));
    return pushed_out;
}

static void assert_next(struct password_job *expected) {
    assert_ptr_equal(password_queue_take(&queue, true), expected);
}

static void lowest_rank_is_first_and_then_who_came_first(void **state) {
    (void)state;
    static const unsigned ranks[] = {2, 0, 3, 0, 1, 2};
    static const unsigned order[] = {1, 3, 4, 0, 5, 2};
    struct password_job jobs[COUNT_OF(ranks)];
    password_queue_init(&queue, COUNT_OF(ranks));
    for (size_t i = 0; i < COUNT_OF(ranks); i++) {
        jobs[i] = job_of(ranks[i]);
        assert_null(added(&jobs[i]));
    }
    assert_int_equal(password_queue_count(&queue), COUNT_OF(ranks));
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        assert_next(&jobs[order[i]]);
    }
    assert_next(NULL);
    assert_int_equal(password_queue_count(&queue), 0);
}

static void each_lane_is_bounded(void **state) {
    (void)state;
    enum { PLACES = 4 };
    struct password_job ahead[PLACES + 1], behind[PLACES], *pushed_out;
    password_queue_init(&queue, PLACES);
    for (unsigned i = 0; i < PLACES; i++) {
        ahead[i] = job_of(1);
        assert_null(added(&ahead[i]));
        behind[i] = job_of(7);
        assert_int_equal(password_queue_add(&queue, &behind[i], &pushed_out), i < PLACES / 2);
        assert_null(pushed_out);
    }
    ahead[PLACES] = job_of(1);
    assert_false(password_queue_add(&queue, &ahead[PLACES], &pushed_out));
    assert_int_equal(password_queue_count(&queue), PLACES + PLACES / 2);
}

/* Of its own lane, of the highest rank, and of those the one that came last. */
static void a_full_lane_gives_up_its_last_job(void **state) {
    (void)state;
    struct password_job jobs[] = {job_of(3), job_of(1), job_of(3)};
    struct password_job behind = job_of(9), low = job_of(0), lower = job_of(0), high = job_of(2);
    struct password_job *pushed_out;
    password_queue_init(&queue, COUNT_OF(jobs));
    added(&behind);
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        assert_null(added(&jobs[i]));
    }
    assert_ptr_equal(added(&low), &jobs[2]);
    assert_ptr_equal(added(&lower), &jobs[0]);
    assert_false(password_queue_add(&queue, &high, &pushed_out));
    assert_null(pushed_out);
    assert_next(&low);
    assert_next(&lower);
    assert_next(&jobs[1]);
    assert_next(&behind);
}

static void behind_has_one_turn_in_four(void **state) {
    (void)state;
    struct password_job ahead[12], behind[6];
    password_queue_init(&queue, COUNT_OF(ahead));
    for (size_t i = 0; i < COUNT_OF(ahead); i++) {
        ahead[i] = job_of(0);
        added(&ahead[i]);
    }
    for (size_t i = 0; i < COUNT_OF(behind); i++) {
        behind[i] = job_of(50);
        added(&behind[i]);
    }
    for (size_t i = 0; i < COUNT_OF(ahead); i++) {
        assert_next(&ahead[i]);
        if (i % 3 == 2) {
            assert_next(&behind[i / 3]);
        }
    }
    assert_next(&behind[4]);
    assert_next(&behind[5]);
}

static void behind_waits_where_it_may_not_be_taken(void **state) {
    (void)state;
    struct password_job ahead = job_of(0), behind = job_of(50);
    password_queue_init(&queue, 1);
    added(&behind);
    assert_null(password_queue_take(&queue, false));
    added(&ahead);
    assert_ptr_equal(password_queue_take(&queue, false), &ahead);
    assert_next(&behind);
}

/* The inbox is looked at by its address only. */
static void late_jobs_leave(void **state) {
    (void)state;
    struct password_inbox *mine = (void *)&queue;
    struct password_job jobs[] = {job_of(0), job_of(1), job_of(9), job_of(9)};
    password_queue_init(&queue, COUNT_OF(jobs));
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        jobs[i].deadline_ns = 100 + i;
        jobs[i].inbox = i == 2 ? NULL : mine;
        added(&jobs[i]);
    }
    assert_null(password_queue_take_late(&queue, mine, 99));
    assert_ptr_equal(password_queue_take_late(&queue, mine, 100), &jobs[0]);
    assert_null(jobs[0].next);
    struct password_job *late = password_queue_take_late(&queue, mine, 103);
    assert_ptr_equal(late, &jobs[1]);
    assert_ptr_equal(late->next, &jobs[3]);
    assert_null(late->next->next);
    assert_int_equal(password_queue_count(&queue), 1);
    assert_ptr_equal(password_queue_take_late(&queue, NULL, UINT64_MAX), &jobs[2]);
    assert_next(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowest_rank_is_first_and_then_who_came_first),
        cmocka_unit_test(each_lane_is_bounded),
        cmocka_unit_test(a_full_lane_gives_up_its_last_job),
        cmocka_unit_test(behind_has_one_turn_in_four),
        cmocka_unit_test(behind_waits_where_it_may_not_be_taken),
        cmocka_unit_test(late_jobs_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
