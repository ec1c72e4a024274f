/* held_pool.h: a thread of a pool that is busy for as long as a test wants, so that the jobs behind
 * it wait without a clock. It is held in the wake of an inbox, which a pool calls on its thread. */
#ifndef MINTD_TEST_HELD_POOL_H
#define MINTD_TEST_HELD_POOL_H

#include "mintd/password.h"
#include <semaphore.h>

struct held_pool {
    struct password_inbox *inbox;
    struct password_job job;
    sem_t held, released, gone;
};

/* Returns once one thread of the pool is held; the pool has to be idle. */
void held_pool_init(struct held_pool *held, struct password_pool *pool);
/* The same with a job of that source. */
void held_pool_init_from(struct held_pool *held, struct password_pool *pool, struct slice source);
/* Returns once the thread has left. */
void held_pool_release(struct held_pool *held);
/* After the release. */
void held_pool_fini(struct held_pool *held);

#endif
