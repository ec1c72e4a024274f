#include "support/held_pool.h"
#include "unit/unit.h"

static void on_wake(void *context) {
    struct held_pool *held = context;
    sem_post(&held->held);
    sem_wait(&held->released);
    sem_post(&held->gone);
}

static void on_done(struct password_job *job) {
    (void)job;
}

void held_pool_init_from(struct held_pool *held, struct password_pool *pool, struct slice source) {
    assert_int_equal(sem_init(&held->held, 0, 0), 0);
    assert_int_equal(sem_init(&held->released, 0, 0), 0);
    assert_int_equal(sem_init(&held->gone, 0, 0), 0);
    held->inbox = password_inbox_new(on_wake, held);
    assert_non_null(held->inbox);
    held->job.on_done = on_done;
    held->job.source = source;
    held->job.deadline_ns = 0;
    assert_true(
        password_pool_submit(pool, held->inbox, &held->job, S("not a stored secret"), S("")));
    sem_wait(&held->held);
}

void held_pool_init(struct held_pool *held, struct password_pool *pool) {
    held_pool_init_from(held, pool, SLICE_ABSENT);
}

void held_pool_release(struct held_pool *held) {
    sem_post(&held->released);
    sem_wait(&held->gone);
}

void held_pool_fini(struct held_pool *held) {
    password_inbox_drain(held->inbox);
    password_inbox_free(held->inbox);
    sem_destroy(&held->held);
    sem_destroy(&held->released);
    sem_destroy(&held->gone);
}
