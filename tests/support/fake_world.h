/* fake_world.h: one store before a scripted Redis, both in the test's own loop.
 *
 * fake_world_open() and fake_world_close() are a test's set-up and teardown. A test sets the
 * script, starts the store, and calls it. */
#ifndef MINTD_TEST_FAKE_WORLD_H
#define MINTD_TEST_FAKE_WORLD_H

#include "mintd/redis_store.h"
#include "support/fake_redis.h"
#include "support/store_call.h"

struct fake_world {
    struct test_loop loop;
    struct store_crew crew;
    struct fake_redis fake;
    struct store_metrics metrics;
    struct store *store;
    struct store_call *call;
    unsigned wanted_commands; /* fake_world_wait_for_commands() */
};

/* For cmocka: *state is the world. */
int fake_world_open(void **state);
int fake_world_close(void **state);
/* A new store and a new server: after the first loss of a link the next attempt comes soon. */
struct fake_world *fake_world_fresh(void **state);

/* The usual ones, without a cache, for the test to change ahead of the start. */
struct redis_store_options fake_world_options(struct fake_world *world);
void fake_world_start(struct fake_world *world, const struct redis_store_options *options);
void fake_world_wait_until_up(struct fake_world *world);
/* Until the server has had so many, ever. */
void fake_world_wait_for_commands(struct fake_world *world, unsigned count);

/* For a group of tests: the log is silent, where no test catches it. */
int fake_world_start_log(void **state);
int fake_world_stop_log(void **state);

#endif
