#include "support/fake_world.h"

#include "mintd/log.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMEOUT_MS 600u

int fake_world_open(void **state) {
    struct fake_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    test_loop_open(&world->loop);
    store_crew_open(&world->crew, &world->loop);
    fake_redis_open(&world->fake, &world->loop.loop);
    *state = world;
    return 0;
}

int fake_world_close(void **state) {
    struct fake_world *world = *state;
    store_crew_close(&world->crew);
    fake_redis_close(&world->fake);
    test_loop_close(&world->loop);
    store_call_free(world->call);
    free(world);
    return 0;
}

struct fake_world *fake_world_fresh(void **state) {
    fake_world_close(state);
    fake_world_open(state);
    return *state;
}

struct redis_store_options fake_world_options(struct fake_world *world) {
    struct redis_store_options options = {
        .url = {.is_unix = true},
        .prefix = S("mintd:"),
        .name = S("test"),
        .timeout_ms = TIMEOUT_MS,
        .metrics = &world->metrics,
        .cache_seed = {{5, 6}},
    };
    snprintf(options.url.host, sizeof options.url.host, "%s", world->fake.path);
    return options;
}

void fake_world_start(struct fake_world *world, const struct redis_store_options *options) {
    world->store = store_crew_add(&world->crew, redis_store_new(&world->loop.loop, options));
    world->call = store_call_new(&world->loop, world->store);
}

void fake_world_wait_until_up(struct fake_world *world) {
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 5000));
}

static bool has_commands(void *context) {
    const struct fake_world *world = context;
    return world->fake.commands >= world->wanted_commands;
}

void fake_world_wait_for_commands(struct fake_world *world, unsigned count) {
    world->wanted_commands = count;
    assert_true(test_loop_run_until(&world->loop, has_commands, world, 5000));
}

int fake_world_start_log(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    log_start(LOG_FORMAT_TEXT, LOG_ERROR + 1);
    return 0;
}

int fake_world_stop_log(void **state) {
    (void)state;
    log_stop();
    return 0;
}
