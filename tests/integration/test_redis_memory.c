/* Answers from memory, before a real Redis: whatever changes a key, the next read behind it sees.
 *
 * Redis tells of a change before it answers what comes later on the same connection: behind a fence
 * all that happened before it has been heard. */
#include "mintd/clock.h"
#include "mintd/log.h"
#include "mintd/redis_store.h"
#include "support/caught_log.h"
#include "support/redis.h"
#include "support/store_call.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMEOUT_MS 1000u
#define CACHE_SIZE (256u * 1024u)

struct world {
    struct test_loop loop;
    struct store_crew crew;
    struct test_redis redis;
    struct store_metrics metrics;
    struct store *store;
    struct store_call *call;
    struct redis_store_options options;
};

static void open_store(struct world *world) {
    world->store =
        store_crew_add(&world->crew, redis_store_new(&world->loop.loop, &world->options));
    world->call->store = world->store;
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 5000));
}

static void open_with(void **state, const char *const *arguments) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    test_loop_open(&world->loop);
    store_crew_open(&world->crew, &world->loop);
    test_redis_start(&world->redis, arguments);
    world->call = store_call_new(&world->loop, NULL);
    world->options = (struct redis_store_options){
        .url = {.host = "127.0.0.1", .port = (unsigned)world->redis.port},
        .prefix = S("mintd:"),
        .name = S("test"),
        .timeout_ms = TIMEOUT_MS,
        .metrics = &world->metrics,
        .cache_size = CACHE_SIZE,
        .cache_seed = {{3, 4}},
    };
    *state = world;
}

static int open_world(void **state) {
    open_with(state, NULL);
    return 0;
}

static int open_world_and_store(void **state) {
    open_with(state, NULL);
    open_store(*state);
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    store_crew_close(&world->crew);
    test_redis_stop(&world->redis);
    test_loop_close(&world->loop);
    store_call_free(world->call);
    free(world);
    return 0;
}

static const struct cache_metrics *cache_of(const struct world *world) {
    return &world->metrics.cache;
}

static void fence(struct world *world) {
    store_call_fence(world->call);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
}

static bool holds(struct world *world, const struct store_premise *premise) {
    store_call_confirm(world->call, premise, 1);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    return world->call->operation.holds;
}

static bool is_hit(const struct store_call *call) {
    assert_int_equal(call->operation.from_memory, call->progress == PROGRESS_DONE);
    return call->operation.from_memory;
}

/* The value, or NULL for none; whether it came from memory. */
static bool get(struct world *world, const char *key, const char *expected) {
    store_call_get(world->call, slice_of_string(key));
    enum store_answer answer = store_call_wait(world->call);
    assert_int_equal(answer, expected == NULL ? STORE_ABSENT : STORE_FOUND);
    if (expected != NULL) {
        assert_int_equal(world->call->value.size, strlen(expected));
        assert_memory_equal(world->call->value.data, expected, strlen(expected));
    }
    return is_hit(world->call);
}

/* The same of the field "f" of a hash. */
static bool read_field(struct world *world, const char *key, const char *expected) {
    store_call_read_hash(world->call, slice_of_string(key));
    enum store_answer answer = store_call_wait(world->call);
    assert_int_equal(answer, expected == NULL ? STORE_ABSENT : STORE_FOUND);
    if (expected != NULL) {
        struct slice value = store_call_field(world->call, S("f"));
        assert_int_equal(value.size, strlen(expected));
        assert_memory_equal(value.data, expected, strlen(expected));
    }
    return is_hit(world->call);
}

/* ---- hits ---- */

static void test_second_read_asks_nobody(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "SET mintd:k value");
    test_redis_command(&world->redis, "HSET mintd:h f v");
    assert_false(get(world, "k", "value"));
    assert_false(get(world, "none", NULL));
    assert_false(read_field(world, "h", "v"));
    assert_false(read_field(world, "no hash", NULL));
    test_redis_command(&world->redis, "CONFIG RESETSTAT");
    for (int i = 0; i < 100; i++) {
        assert_true(get(world, "k", "value"));
        assert_true(get(world, "none", NULL));
        assert_true(read_field(world, "h", "v"));
        assert_true(read_field(world, "no hash", NULL));
    }
    fence(world);
    const char *asked = test_redis_command(&world->redis, "INFO commandstats");
    assert_non_null(strstr(asked, "cmdstat_ping"));
    assert_null(strstr(asked, "cmdstat_get"));
    assert_null(strstr(asked, "cmdstat_hgetall"));
    assert_int_equal(counter_read(&cache_of(world)->hits), 400);
    assert_int_equal(counter_read(&cache_of(world)->misses), 4);
    assert_int_equal(counter_read(&cache_of(world)->entries), 4);
    assert_int_equal(counter_read(&cache_of(world)->on), 1);
}

static void check_spared(const struct store_call *call) {
    assert_int_equal(call->progress, PROGRESS_DONE);
    assert_int_equal(call->operation.answer, STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_OVERLOADED);
}

/* B-4: in an overload what is in memory is answered, and nothing else is asked for. */
static void test_a_spared_store_answers_from_memory_only(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "SET mintd:k value");
    test_redis_command(&world->redis, "SET mintd:other value");
    assert_false(get(world, "k", "value"));
    store_spare(world->store, true);
    assert_true(get(world, "k", "value"));
    store_call_get(world->call, S("other"));
    check_spared(world->call);
    store_call_read_hash(world->call, S("hash"));
    check_spared(world->call);
    assert_int_equal(counter_read(&cache_of(world)->misses), 1);
    store_spare(world->store, false);
    assert_false(get(world, "other", "value"));
}

/* Nothing that was written is remembered, only what was read. */
static void test_own_writes_are_seen(void **state) {
    struct world *world = *state;
    const struct store_field field = {S("f"), S("new")};
    assert_false(get(world, "k", NULL));
    assert_false(read_field(world, "h", NULL));
    assert_true(get(world, "k", NULL));
    store_call_set(world->call, S("k"), S("mine"), 100);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    fence(world);
    assert_false(get(world, "k", "mine"));
    assert_true(get(world, "k", "mine"));
    store_call_set_field(world->call, S("h"), field.name, field);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    fence(world);
    assert_false(read_field(world, "h", "new"));
    store_call_delete(world->call, S("k"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    assert_false(get(world, "k", NULL)); /* without a fence */
}

/* ---- every way in which a key changes ---- */

struct change {
    const char *before[3], *change[3]; /* commands */
    const char *then;                  /* NULL: absent */
};

static void run_commands(struct world *world, const char *const *commands, size_t count) {
    for (size_t i = 0; i < count && commands[i] != NULL; i++) {
        const char *reply = test_redis_command(&world->redis, commands[i]);
        assert_null(strstr(reply, "ERR"));
    }
}

static void assert_seen(struct world *world, const struct change *change, const char *first,
                        bool (*read)(struct world *, const char *, const char *)) {
    run_commands(world, change->before, 3);
    fence(world);
    read(world, "k", first);
    assert_true(read(world, "k", first));
    const struct store_premise premise = {S("k"), world->call->operation.copy};
    assert_true(holds(world, &premise));
    run_commands(world, change->change, 3);
    assert_false(holds(world, &premise));
    assert_false(read(world, "k", change->then));
    assert_true(read(world, "k", change->then));
    test_redis_command(&world->redis, "FLUSHALL");
    fence(world);
    assert_false(read(world, "k", NULL));
}

static bool holds_nothing(void *world) {
    return counter_read(&cache_of(world)->entries) == 0;
}

/* Nobody asks for it again; the memory is given back all the same. */
static void test_what_is_forgotten_is_swept(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "SET mintd:k old");
    fence(world);
    get(world, "k", "old");
    assert_false(holds_nothing(world));
    test_redis_command(&world->redis, "FLUSHALL");
    assert_true(test_loop_run_until(&world->loop, holds_nothing, world, 5000));
}

#define SET_OLD                                                                                    \
    { "SET mintd:k old" }
#define HSET_OLD                                                                                   \
    { "HSET mintd:k f 1 g 2" }

static void test_changes_of_a_text(void **state) {
    static const struct change changes[] = {
        {SET_OLD, {"SET mintd:k new"}, "new"},
        {SET_OLD, {"SETEX mintd:k 100 new"}, "new"},
        {SET_OLD, {"SET mintd:k old"}, "old"}, /* who knows: it is forgotten */
        {SET_OLD, {"APPEND mintd:k er"}, "older"},
        {SET_OLD, {"GETSET mintd:k new"}, "new"},
        {SET_OLD, {"DEL mintd:k"}, NULL},
        {SET_OLD, {"UNLINK mintd:k"}, NULL},
        {SET_OLD, {"GETDEL mintd:k"}, NULL},
        {SET_OLD, {"EXPIRE mintd:k 100"}, "old"},
        {SET_OLD, {"EXPIRE mintd:k 0"}, NULL},
        {SET_OLD, {"RENAME mintd:k mintd:other"}, NULL},
        {{"SET mintd:k old", "SET mintd:other new"}, {"RENAME mintd:other mintd:k"}, "new"},
        {{"SET mintd:k old", "SET mintd:other new"}, {"COPY mintd:other mintd:k REPLACE"}, "new"},
        {SET_OLD, {"MOVE mintd:k 1"}, NULL},
        {SET_OLD, {"FLUSHALL"}, NULL},
        {SET_OLD, {"FLUSHALL ASYNC"}, NULL},
        {SET_OLD, {"FLUSHDB"}, NULL},
        {SET_OLD, {"SELECT 1", "FLUSHDB", "SELECT 0"}, "old"},
        {SET_OLD, {"SELECT 1", "SET mintd:k another", "SELECT 0"}, "old"},
        {SET_OLD, {"MULTI", "SET mintd:k new", "EXEC"}, "new"},
        {SET_OLD, {"EVAL redis.call('set','mintd:k','new') 0"}, "new"},
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_seen(world, &changes[i], "old", get);
    }
}

static void test_changes_of_what_is_not_there(void **state) {
    static const struct change changes[] = {
        {{NULL}, {"SET mintd:k new"}, "new"},
        {{NULL}, {"SETEX mintd:k 100 new"}, "new"},
        {{"SET mintd:other new"}, {"RENAME mintd:other mintd:k"}, "new"},
        {{"SELECT 1", "SET mintd:k new", "SELECT 0"},
         {"SELECT 1", "MOVE mintd:k 0", "SELECT 0"},
         "new"},
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_seen(world, &changes[i], NULL, get);
    }
}

static void test_changes_of_a_hash(void **state) {
    static const struct change changes[] = {
        {HSET_OLD, {"HSET mintd:k f 7"}, "7"},    {HSET_OLD, {"HSET mintd:k g 7"}, "1"},
        {HSET_OLD, {"HINCRBY mintd:k f 4"}, "5"}, {HSET_OLD, {"HDEL mintd:k f g"}, NULL},
        {HSET_OLD, {"DEL mintd:k"}, NULL},        {HSET_OLD, {"RENAME mintd:k mintd:other"}, NULL},
        {HSET_OLD, {"EXPIRE mintd:k 100"}, "1"},  {HSET_OLD, {"FLUSHDB"}, NULL},
    };
    static const struct change made = {{NULL}, {"HSET mintd:k f 9"}, "9"};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_seen(world, &changes[i], "1", read_field);
    }
    assert_seen(world, &made, NULL, read_field);
}

/* A key of another type is UNKNOWN, each time anew. */
static void test_wrong_type_is_not_remembered(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "HSET mintd:k f v");
    for (int i = 0; i < 2; i++) {
        store_call_get(world->call, S("k"));
        assert_int_equal(store_call_wait(world->call), STORE_UNKNOWN);
        assert_int_equal(world->call->operation.trouble, STORE_TROUBLE_WRONGTYPE);
        assert_false(is_hit(world->call));
    }
    test_redis_command(&world->redis, "DEL mintd:k");
    assert_false(get(world, "k", NULL));
}

/* Who rests on two copies is told whether either has changed, and of nothing else. */
static void test_a_write_tells_of_its_premises(void **state) {
    static const char *const changes[] = {"SET mintd:k new", "DEL mintd:none", "SET mintd:none x",
                                          "SET mintd:other new"};
    static const bool hold[] = {false, true, false, true};
    struct world *world = *state;
    for (unsigned i = 0; i < sizeof hold / sizeof hold[0]; i++) {
        struct store_premise premises[2];
        test_redis_command(&world->redis, "FLUSHALL");
        test_redis_command(&world->redis, "SET mintd:k old");
        test_redis_command(&world->redis, "SET mintd:other old");
        fence(world);
        get(world, "other", "old");
        get(world, "k", "old"); /* one that is kept as it is read */
        premises[0] = (struct store_premise){S("k"), world->call->operation.copy};
        get(world, "none", NULL);
        assert_true(get(world, "none", NULL)); /* and one from memory */
        premises[1] = (struct store_premise){S("none"), world->call->operation.copy};
        store_call_set_on_premises(world->call, S("t"), S("v"), 60, premises, 2);
        assert_int_equal(store_call_wait(world->call), STORE_FOUND);
        assert_true(world->call->operation.holds);
        test_redis_command(&world->redis, changes[i]);
        store_call_set_on_premises(world->call, S("t"), S("v"), 60, premises, 2);
        assert_int_equal(store_call_wait(world->call), STORE_FOUND);
        assert_int_equal(world->call->operation.holds, hold[i]);
    }
}

static bool is_empty(void *context) {
    const struct world *world = context;
    return counter_read(&cache_of(world)->entries) == 0;
}

static void test_end_of_a_key_is_heard_of(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "SET mintd:k old PX 300");
    get(world, "k", "old");
    assert_true(test_loop_run_until(&world->loop, is_empty, world, 10000));
    assert_false(get(world, "k", NULL));
}

static void test_eviction_by_redis_is_heard_of(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "SET mintd:k old");
    get(world, "k", "old");
    assert_true(get(world, "k", "old"));
    test_redis_command(&world->redis, "CONFIG SET maxmemory-policy allkeys-random");
    test_redis_command(&world->redis, "CONFIG SET maxmemory 1");
    test_redis_command(&world->redis, "PING");
    assert_true(test_loop_run_until(&world->loop, is_empty, world, 10000));
    test_redis_command(&world->redis, "CONFIG SET maxmemory 0");
    fence(world);
    assert_false(get(world, "k", NULL));
}

/* Redis remembers ten keys, and tells when it gives one up. */
static void test_small_table_of_redis(void **state) {
    struct world *world = *state;
    char key[16], value[16];
    test_redis_command(&world->redis, "CONFIG SET tracking-table-max-keys 10");
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 100; i++) {
            test_redis_command(&world->redis, "SET mintd:k%d %d", (int)i, (int)(i + round));
        }
        fence(world);
        for (unsigned i = 0; i < 100; i++) {
            snprintf(key, sizeof key, "k%u", i);
            snprintf(value, sizeof value, "%u", i + round);
            assert_false(get(world, key, value));
        }
    }
    fence(world);
    assert_true(counter_read(&cache_of(world)->invalidated) > 200);
}

/* ---- without the right, and back ---- */

static bool is_on(void *context) {
    return counter_read(&cache_of(context)->on) == 1;
}

static void assert_asks_each_time(struct world *world) {
    char value[16];
    for (int i = 0; i < 5; i++) {
        snprintf(value, sizeof value, "%d", i);
        test_redis_command(&world->redis, "SET mintd:k %s", value);
        assert_false(get(world, "k", value));
    }
    assert_int_equal(counter_read(&cache_of(world)->hits), 0);
    assert_int_equal(counter_read(&cache_of(world)->on), 0);
}

static void test_right_is_given_later(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "ACL SETUSER mintd on >pw ~* &* +@all -client|tracking");
    strcpy(world->options.url.user, "mintd");
    strcpy(world->options.url.password, "pw");
    caught_log_start(LOG_INFO);
    open_store(world);
    fence(world);
    assert_asks_each_time(world);
    test_loop_run_for(&world->loop, 5200); /* refused once more, and not said again */
    assert_asks_each_time(world);
    test_redis_command(&world->redis, "ACL SETUSER mintd +client|tracking");
    bool on = test_loop_run_until(&world->loop, is_on, world, 5500);
    assert_int_equal(caught_log_count(caught_log_end(), "does not tell of changes"), 1);
    assert_true(on);
    assert_false(get(world, "k", "4"));
    assert_true(get(world, "k", "4"));
    assert_int_equal(counter_read(&world->metrics.connects), 1);
}

static bool is_back(void *context) {
    struct world *world = context;
    return counter_read(&world->metrics.connects) == 2;
}

/* Redis would say OK to CLIENT TRACKING, and then nothing: no push fits into RESP2. */
static void test_resp2_remembers_nothing(void **state) {
    static const char *const arguments[] = {"--rename-command", "HELLO", "", NULL};
    open_with(state, arguments);
    struct world *world = *state;
    caught_log_start(LOG_INFO);
    open_store(world);
    fence(world);
    assert_asks_each_time(world);
    test_redis_command(&world->redis, "CLIENT KILL TYPE normal");
    assert_true(test_loop_run_until(&world->loop, is_back, world, 5000));
    assert_int_equal(caught_log_count(caught_log_end(), "does not tell of changes"), 1);
    fence(world);
    assert_asks_each_time(world);
    close_world(state);
}

/* RESP2's greeting names no role: it is asked for. */
static void test_resp2_replica_serves_nothing(void **state) {
    static const char *const arguments[] = {"--rename-command", "HELLO", "",  "--replicaof",
                                            "127.0.0.1",        "1",     NULL};
    open_with(state, arguments);
    struct world *world = *state;
    world->store =
        store_crew_add(&world->crew, redis_store_new(&world->loop.loop, &world->options));
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_READONLY, 5000));
    assert_string_equal(redis_store_reason(world->store), "it is a replica");
    close_world(state);
}

/* ---- the link is lost ---- */

static void test_lost_link_forgets_all(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "SET mintd:k old");
    get(world, "k", "old");
    assert_true(get(world, "k", "old"));
    test_redis_command(&world->redis, "CLIENT KILL TYPE normal");
    test_redis_command(&world->redis, "SET mintd:k new"); /* nobody tells us */
    assert_true(test_loop_run_until(&world->loop, is_back, world, 5000));
    assert_false(get(world, "k", "new"));
    assert_true(get(world, "k", "new"));
    assert_true(counter_read(&cache_of(world)->emptied) >= 1);
}

static void test_other_redis_behind_the_address(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "SET mintd:k old");
    get(world, "k", "old");
    test_redis_kill(&world->redis);
    test_redis_restart(&world->redis, NULL);
    assert_true(test_loop_run_until(&world->loop, is_back, world, 5000));
    assert_false(get(world, "k", NULL));
}

/* ---- workers on threads of their own ---- */

#define ROUNDS 200u

struct sibling {
    struct world *world;
    struct cache_group *group;
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    uv_idle_t idle;
    uv_prepare_t prepare;
    struct store *store;
    struct store_metrics metrics;
    struct store_operation operation;
    bool asking;
    unsigned asked_of;      /* the round whose key is asked for */
    bool gone_before_asked; /* it was acknowledged before this read began */
    atomic_uint round;      /* its key is there */
    atomic_uint deleted;    /* rounds whose deletion was acknowledged */
    atomic_uint seen;       /* the last round whose key was read from memory */
    atomic_uint seen_gone;  /* the last round whose key was found to be gone */
    atomic_uint wrong;      /* reads that found what had been acknowledged to be gone */
    atomic_bool ends;
};

static void take(struct sibling *sibling) {
    const struct store_operation *operation = &sibling->operation;
    sibling->asking = false;
    if (operation->answer == STORE_FOUND && sibling->gone_before_asked) {
        sibling->wrong++;
    }
    if (operation->answer == STORE_FOUND && operation->from_memory) {
        sibling->seen = sibling->asked_of;
    } else if (operation->answer == STORE_ABSENT && sibling->gone_before_asked) {
        sibling->seen_gone = sibling->asked_of;
    }
}

static void on_read(struct store_operation *operation) {
    take(container_of(operation, struct sibling, operation));
}

static void on_idle(uv_idle_t *idle) {
    struct sibling *sibling = idle->data;
    char key[16];
    if (sibling->asking) {
        return;
    }
    sibling->asking = true;
    sibling->asked_of = sibling->round;
    sibling->gone_before_asked = sibling->deleted >= sibling->asked_of;
    snprintf(key, sizeof key, "k%u", sibling->asked_of);
    sibling->operation.on_done = on_read;
    sibling->operation.deadline_ns = 0;
    if (store_get(sibling->store, slice_of_string(key), &sibling->operation) == PROGRESS_DONE) {
        take(sibling);
    }
}

static void on_sibling_closed(void *context) {
    struct sibling *sibling = context;
    uv_close((uv_handle_t *)&sibling->wake, NULL);
    uv_close((uv_handle_t *)&sibling->prepare, NULL);
}

static void on_wake(uv_async_t *async) {
    struct sibling *sibling = async->data;
    redis_store_woken(sibling->store);
    if (sibling->ends && !uv_is_closing((uv_handle_t *)&sibling->idle)) {
        uv_close((uv_handle_t *)&sibling->idle, NULL);
        store_close(sibling->store, on_sibling_closed, sibling);
    }
}

static void on_prepare(uv_prepare_t *prepare) {
    store_flush(((struct sibling *)prepare->data)->store);
}

static void wake_sibling(void *context) {
    uv_async_send(&((struct sibling *)context)->wake);
}

static void *run_sibling(void *context) {
    uv_run(&((struct sibling *)context)->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void sibling_start(struct sibling *sibling, struct world *world) {
    struct redis_store_options options = world->options;
    options.metrics = &sibling->metrics;
    options.cache_group = sibling->group;
    options.wake = wake_sibling;
    options.wake_context = sibling;
    sibling->world = world;
    uv_loop_init(&sibling->loop);
    uv_async_init(&sibling->loop, &sibling->wake, on_wake);
    uv_idle_init(&sibling->loop, &sibling->idle);
    uv_prepare_init(&sibling->loop, &sibling->prepare);
    sibling->wake.data = sibling->idle.data = sibling->prepare.data = sibling;
    sibling->store = redis_store_new(&sibling->loop, &options);
    assert_non_null(sibling->store);
    uv_idle_start(&sibling->idle, on_idle);
    uv_prepare_start(&sibling->prepare, on_prepare);
    assert_int_equal(pthread_create(&sibling->thread, NULL, run_sibling, sibling), 0);
}

static void sibling_stop(struct sibling *sibling) {
    sibling->ends = true;
    uv_async_send(&sibling->wake);
    pthread_join(sibling->thread, NULL);
    store_free(sibling->store);
    assert_int_equal(uv_loop_close(&sibling->loop), 0);
}

static bool has_seen(void *context) {
    const struct sibling *sibling = context;
    return sibling->seen == sibling->round;
}

static bool has_seen_gone(void *context) {
    const struct sibling *sibling = context;
    return sibling->seen_gone == sibling->round;
}

static void on_own_wake(uv_async_t *async) {
    redis_store_woken(((struct world *)async->data)->store);
}

static void wake_own(void *context) {
    uv_async_send(context);
}

static void on_poll(uv_timer_t *timer) {
    (void)timer; /* makes a turn: what another thread does wakes no loop */
}

/* A key that another worker has in memory is deleted here: no read of that worker that begins
 * behind the acknowledgement finds it. */
static void test_deletion_is_forgotten_by_all_first(void **state) {
    struct world *world = *state;
    static struct sibling sibling;
    uv_async_t wake;
    uv_timer_t poll;
    memset(&sibling, 0, sizeof sibling);
    sibling.group = cache_group_new(2);
    uv_async_init(&world->loop.loop, &wake, on_own_wake);
    uv_timer_init(&world->loop.loop, &poll);
    uv_timer_start(&poll, on_poll, 1, 1);
    wake.data = world;
    world->options.cache_group = sibling.group;
    world->options.wake = wake_own;
    world->options.wake_context = &wake;
    open_store(world);
    sibling_start(&sibling, world);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        char key[16];
        test_redis_command(&world->redis, "SET mintd:k%d value", (int)round);
        snprintf(key, sizeof key, "k%u", round);
        sibling.round = round;
        assert_true(test_loop_run_until(&world->loop, has_seen, &sibling, 5000));
        store_call_delete(world->call, slice_of_string(key));
        assert_int_equal(store_call_wait(world->call), STORE_FOUND);
        assert_int_equal(world->call->operation.number, 1);
        sibling.deleted = round;
        assert_true(test_loop_run_until(&world->loop, has_seen_gone, &sibling, 5000));
    }
    assert_int_equal(sibling.wrong, 0);
    sibling_stop(&sibling);
    store_crew_close(&world->crew);
    uv_close((uv_handle_t *)&wake, NULL);
    uv_close((uv_handle_t *)&poll, NULL);
    test_loop_run_for(&world->loop, 1);
    cache_group_free(sibling.group);
}

static int start_log(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    log_start(LOG_FORMAT_TEXT, LOG_ERROR + 1);
    return 0;
}

static int stop_log(void **state) {
    (void)state;
    log_stop();
    return 0;
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world_and_store, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_second_read_asks_nobody),
        TEST(test_a_spared_store_answers_from_memory_only),
        TEST(test_own_writes_are_seen),
        TEST(test_changes_of_a_text),
        TEST(test_changes_of_what_is_not_there),
        TEST(test_changes_of_a_hash),
        TEST(test_a_write_tells_of_its_premises),
        TEST(test_what_is_forgotten_is_swept),
        TEST(test_wrong_type_is_not_remembered),
        TEST(test_end_of_a_key_is_heard_of),
        TEST(test_eviction_by_redis_is_heard_of),
        TEST(test_small_table_of_redis),
        cmocka_unit_test_setup_teardown(test_right_is_given_later, open_world, close_world),
        cmocka_unit_test(test_resp2_remembers_nothing),
        cmocka_unit_test(test_resp2_replica_serves_nothing),
        TEST(test_lost_link_forgets_all),
        TEST(test_other_redis_behind_the_address),
        cmocka_unit_test_setup_teardown(test_deletion_is_forgotten_by_all_first, open_world,
                                        close_world),
    };
    return cmocka_run_group_tests(tests, start_log, stop_log);
}
