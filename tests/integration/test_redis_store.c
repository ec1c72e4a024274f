/* A store on a real Redis that is stopped, killed, full, read-only, loading, or says no. Each test
 * has a Redis of its own. */
#include "mintd/clock.h"
#include "mintd/log.h"
#include "mintd/redis_password.h"
#include "mintd/redis_store.h"
#include "support/fault.h"
#include "support/redis.h"
#include "support/store_call.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMEOUT_MS 10000u /* the store's: never why a test on a slow machine fails */
#define HURRY_MS 250u     /* of a crowd that asks a Redis which stands still */
#define LATE_MS 50u       /* beyond the timeout */
#define BACK_MS 1000u     /* after Redis is back */

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
}

/* A world with a Redis, and no store yet. */
static int open_world(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    test_loop_open(&world->loop);
    store_crew_open(&world->crew, &world->loop);
    test_redis_start(&world->redis, NULL);
    world->call = store_call_new(&world->loop, NULL);
    world->options = (struct redis_store_options){
        .url = {.host = "127.0.0.1", .port = (unsigned)world->redis.port},
        .prefix = S("mintd:"),
        .name = S("test"),
        .timeout_ms = TIMEOUT_MS,
        .metrics = &world->metrics,
    };
    *state = world;
    return 0;
}

static int open_world_and_store(void **state) {
    open_world(state);
    struct world *world = *state;
    open_store(world);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 5000));
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

static bool comes_back(struct world *world) {
    return store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, BACK_MS);
}

static void assert_works(struct world *world) {
    store_call_set(world->call, S("works"), S("yes"), 100);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    store_call_get(world->call, S("works"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
}

/* ---- a crowd of look-ups ---- */

#define CROWD 2000u

struct crowd;

struct member {
    struct store_operation operation;
    struct crowd *crowd;
    unsigned key;
};

/* Look-ups of keys that each hold their own name: a reply given to the wrong one is seen. */
struct crowd {
    struct world *world;
    struct member *members;
    bool in_a_hurry;
    unsigned open, found, unknown;
    uint64_t latest_ms;
    enum store_trouble trouble; /* the last one's */
};

static void on_member(struct store_operation *operation) {
    struct member *member = container_of(operation, struct member, operation);
    struct crowd *crowd = member->crowd;
    char wanted[32];
    size_t size = (size_t)snprintf(wanted, sizeof wanted, "value of key:%u", member->key);
    uint64_t took_ms = ms_since(operation->started_ns);
    crowd->open--;
    crowd->latest_ms = took_ms > crowd->latest_ms ? took_ms : crowd->latest_ms;
    if (operation->answer == STORE_UNKNOWN) {
        crowd->unknown++;
        crowd->trouble = operation->trouble;
        return;
    }
    assert_int_equal(operation->answer, STORE_FOUND);
    assert_int_equal(operation->value.size, size);
    assert_memory_equal(operation->value.data, wanted, size);
    crowd->found++;
}

static void crowd_open(struct crowd *crowd, struct world *world) {
    *crowd = (struct crowd){.world = world};
    crowd->members = calloc(CROWD, sizeof *crowd->members);
    assert_non_null(crowd->members);
    for (unsigned i = 0; i < CROWD; i++) {
        char value[32];
        int size = snprintf(value, sizeof value, "value of key:%u", i);
        test_redis_command(&world->redis, "SET mintd:key:%d %b", (int)i, value, (size_t)size);
    }
}

/* Starts `count` from member `first` on; those that are DONE at once are counted as such. */
static void crowd_ask(struct crowd *crowd, unsigned first, unsigned count) {
    uint64_t deadline_ns =
        crowd->in_a_hurry ? clock_monotonic_ns() + UINT64_C(1000000) * HURRY_MS : 0;
    for (unsigned i = first; i < first + count; i++) {
        struct member *member = &crowd->members[i % CROWD];
        char text[32];
        struct slice key = slice_of(text, (size_t)snprintf(text, sizeof text, "key:%u", i % CROWD));
        *member = (struct member){.operation.on_done = on_member, .crowd = crowd, .key = i % CROWD};
        member->operation.deadline_ns = deadline_ns;
        crowd->open++;
        if (store_get(crowd->world->store, key, &member->operation) == PROGRESS_DONE) {
            member->operation.started_ns = clock_monotonic_ns();
            on_member(&member->operation);
        }
    }
}

static bool is_served(void *context) {
    const struct crowd *crowd = context;
    return crowd->open == 0;
}

static void crowd_wait(struct crowd *crowd) {
    assert_true(test_loop_run_until(&crowd->world->loop, is_served, crowd, 10000));
}

/* ---- stopped ---- */

/* Before the loss is noticed and after: nothing waits longer than its timeout. */
static void test_stopped_redis_is_answered_in_time(void **state) {
    struct world *world = *state;
    struct crowd crowd;
    crowd_open(&crowd, world);
    crowd.in_a_hurry = true;
    struct lag lag;
    lag_start(&lag, &world->loop);
    test_redis_signal(&world->redis, SIGSTOP);
    uint64_t begun_ns = clock_monotonic_ns();
    for (unsigned asked = 0; ms_since(begun_ns) < 5000; asked += 10) {
        crowd_ask(&crowd, asked, 10);
        test_loop_run_for(&world->loop, 50);
    }
    crowd_wait(&crowd);
    assert_int_equal(crowd.found, 0);
    lag_stop(&lag);
    test_loop_run_for(&world->loop, 1);
    assert_in_range(crowd.latest_ms, HURRY_MS - 5,
                    HURRY_MS + stretched_ms(LATE_MS) + lag.longest_ns / 1000000);
    assert_true(counter_read(&world->metrics.troubles[STORE_TROUBLE_TIMEOUT]) > 0);
    assert_true(counter_read(&world->metrics.troubles[STORE_TROUBLE_DISCONNECTED]) > 0);
    test_redis_signal(&world->redis, SIGCONT);
    assert_true(comes_back(world));
    assert_works(world);
    free(crowd.members);
}

/* Stopped for longer than the timeout but less than what loses the link: thousands of late replies
 * come in before those that are waited for. */
static void test_late_replies_meet_nobody(void **state) {
    struct world *world = *state;
    struct crowd crowd;
    crowd_open(&crowd, world);
    for (unsigned round = 0; round < 5; round++) {
        test_redis_signal(&world->redis, SIGSTOP);
        crowd.in_a_hurry = true;
        crowd_ask(&crowd, round * 7, CROWD);
        crowd_wait(&crowd);
        crowd.in_a_hurry = false;
        assert_int_equal(crowd.unknown, (round + 1) * CROWD);
        assert_int_equal(crowd.trouble, STORE_TROUBLE_TIMEOUT);
        crowd_ask(&crowd, round * 13 + 1, CROWD);
        test_redis_signal(&world->redis, SIGCONT);
        crowd_wait(&crowd);
        assert_int_equal(crowd.found, (round + 1) * CROWD);
    }
    assert_int_equal(counter_read(&world->metrics.connects), 1);
    free(crowd.members);
}

static void test_stopped_while_idle_is_noticed(void **state) {
    struct world *world = *state;
    test_redis_signal(&world->redis, SIGSTOP);
    assert_true(test_loop_run_until(&world->loop, store_is_away, world->store, 2600));
    test_redis_signal(&world->redis, SIGCONT);
    assert_true(comes_back(world));
    assert_works(world);
}

/* More than the socket takes: the rest goes out later, in order, while more is added. */
static void test_stopped_with_a_full_socket(void **state) {
    struct world *world = *state;
    struct crowd crowd;
    static char big[60000];
    memset(big, 'b', sizeof big);
    struct store_call *calls[50];
    crowd_open(&crowd, world);
    test_redis_signal(&world->redis, SIGSTOP);
    for (unsigned i = 0; i < 50; i++) {
        calls[i] = store_call_new(&world->loop, world->store);
        store_call_set(calls[i], S("big"), slice_of(big, sizeof big), 100);
    }
    crowd_ask(&crowd, 0, 500);
    test_loop_run_for(&world->loop, 100);
    crowd_ask(&crowd, 500, 500);
    test_redis_signal(&world->redis, SIGCONT);
    crowd_wait(&crowd);
    assert_int_equal(crowd.found, 1000);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(store_call_wait(calls[i]), STORE_FOUND);
        store_call_free(calls[i]);
    }
    free(crowd.members);
}

/* ---- bounds ---- */

static void test_over_pending_max_is_overloaded(void **state) {
    struct world *world = *state;
    struct crowd crowd;
    crowd_open(&crowd, world);
    store_crew_drop(&world->crew, world->store);
    world->options.pending_max = 100;
    open_store(world);
    assert_true(comes_back(world));
    crowd_ask(&crowd, 0, 150);
    assert_int_equal(crowd.unknown, 50);
    assert_int_equal(crowd.trouble, STORE_TROUBLE_OVERLOADED);
    crowd_wait(&crowd);
    assert_int_equal(crowd.found, 100);
    crowd_ask(&crowd, 0, 100);
    crowd_wait(&crowd);
    assert_int_equal(crowd.found, 200);
    free(crowd.members);
}

static void test_over_output_bound_is_overloaded(void **state) {
    struct world *world = *state;
    struct store_call *calls[100];
    static char big[60000];
    unsigned found = 0;
    for (unsigned i = 0; i < 100; i++) {
        calls[i] = store_call_new(&world->loop, world->store);
        store_call_set(calls[i], S("big"), slice_of(big, sizeof big), 100);
    }
    for (unsigned i = 0; i < 100; i++) {
        if (store_call_wait(calls[i]) == STORE_FOUND) {
            found++;
        } else {
            assert_int_equal(calls[i]->operation.trouble, STORE_TROUBLE_OVERLOADED);
        }
        store_call_free(calls[i]);
    }
    assert_in_range(found, 65, 70); /* of 60,000 bytes in 4 MiB */
    assert_works(world);
}

/* ---- gone and back ---- */

static void test_killed_and_restarted(void **state) {
    struct world *world = *state;
    struct crowd crowd;
    crowd_open(&crowd, world);
    test_redis_signal(&world->redis, SIGSTOP);
    crowd_ask(&crowd, 0, 50);
    test_loop_run_for(&world->loop, 20);
    test_redis_kill(&world->redis);
    crowd_wait(&crowd);
    assert_int_equal(crowd.unknown, 50);
    assert_int_equal(crowd.trouble, STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(counter_read(&world->metrics.link_up), 0);
    test_loop_run_for(&world->loop, 1500);
    crowd_ask(&crowd, 0, 1);
    assert_int_equal(crowd.unknown, 51);
    test_redis_restart(&world->redis, NULL);
    assert_true(comes_back(world));
    assert_works(world);
    assert_int_equal(counter_read(&world->metrics.connects), 2);
    assert_int_equal(counter_read(&world->metrics.link_up), 1);
    assert_string_equal(test_redis_command(&world->redis, "GET mintd:schema"), "1");
    free(crowd.members);
}

static void test_not_there_at_start(void **state) {
    struct world *world = *state;
    test_redis_kill(&world->redis);
    open_store(world);
    test_loop_run_for(&world->loop, 700);
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_DISCONNECTED);
    test_redis_restart(&world->redis, NULL);
    assert_true(comes_back(world));
    assert_works(world);
}

static void test_client_killed(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < 3; i++) {
        store_call_get(world->call, S("k"));
        test_redis_command(&world->redis, "CLIENT KILL TYPE normal SKIPME yes");
        enum store_answer answer = store_call_wait(world->call);
        assert_true(answer == STORE_UNKNOWN || answer == STORE_ABSENT);
        test_loop_run_until(&world->loop, store_is_away, world->store, 1000);
        assert_true(comes_back(world));
        assert_works(world);
    }
    assert_int_equal(counter_read(&world->metrics.connects), 4);
}

static void test_too_many_clients(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "CONFIG SET maxclients 1");
    open_store(world);
    test_loop_run_for(&world->loop, 300);
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_DISCONNECTED);
    test_redis_command(&world->redis, "CONFIG SET maxclients 100");
    assert_true(comes_back(world));
    assert_works(world);
}

/* ---- who we are ---- */

static long long connections_seen(struct world *world) {
    static const char stat[] = "total_connections_received:";
    const char *info = test_redis_command(&world->redis, "INFO stats");
    return strtoll(strstr(info, stat) + sizeof stat - 1, NULL, 10);
}

static void test_wrong_password(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "CONFIG SET requirepass right");
    snprintf(world->options.url.password, sizeof world->options.url.password, "wrong");
    open_store(world);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NOAUTH, 1000));
    long long before = connections_seen(world);
    test_loop_run_for(&world->loop, 1500);
    assert_in_range(connections_seen(world) - before, 1, 12);
    store_call_get(world->call, S("k"));
    assert_int_equal(world->call->progress, PROGRESS_DONE);
    assert_unknown(world->call, STORE_TROUBLE_NOAUTH);
    test_redis_command(&world->redis, "CONFIG SET requirepass wrong");
    assert_true(comes_back(world));
    assert_works(world);
}

static void test_no_password_where_one_is_wanted(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "CONFIG SET requirepass right");
    open_store(world);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NOAUTH, 1000));
}

static void use_user(struct world *world, const char *user, const char *password) {
    snprintf(world->options.url.user, sizeof world->options.url.user, "%s", user);
    snprintf(world->options.url.password, sizeof world->options.url.password, "%s", password);
}

/* The least that the store needs, as the manual of an operator would have it. */
static void test_user_with_just_enough_rights(void **state) {
    struct world *world = *state;
    const struct store_field field = {S("f"), S("v")};
    test_redis_command(
        &world->redis,
        "ACL SETUSER svc on >p%%40ss: ~mintd:* resetchannels -@all +get +set +setex "
        "+del +hgetall +hset +hexists +hdel +renamenx +sadd +srem +multi +exec +ping");
    use_user(world, "svc", "p%40ss:");
    open_store(world);
    assert_true(comes_back(world));
    assert_works(world);
    store_call_create_hash(world->call, S("h"), &field, 1);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    store_call_read_hash(world->call, S("h"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    store_call_set_field(world->call, S("h"), S("f"), field);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    store_call_remove_field(world->call, S("h"), S("f"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    store_call_add_member(world->call, S("s"), S("m"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    store_call_remove_member(world->call, S("s"), S("m"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    store_call_delete(world->call, S("s"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
}

static void test_user_without_rights(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "ACL SETUSER svc on >pass ~mintd:* -@all");
    use_user(world, "svc", "pass");
    open_store(world);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NOPERM, 1000));
    test_redis_command(&world->redis, "ACL SETUSER svc +get +set");
    assert_true(comes_back(world));
    store_call_set(world->call, S("k"), S("v"), 9); /* SETEX */
    assert_unknown(world->call, STORE_TROUBLE_NOPERM);
    store_call_get(world->call, S("k"));
    assert_int_equal(store_call_wait(world->call), STORE_ABSENT);
    test_redis_command(&world->redis, "ACL DELUSER svc");
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NOAUTH, 1000));
}

/* ---- what it cannot do ---- */

static void test_full(void **state) {
    struct world *world = *state;
    const struct store_field field = {S("f"), S("v")};
    assert_works(world);
    test_redis_command(&world->redis, "CONFIG SET maxmemory 1");
    store_call_set(world->call, S("k"), S("v"), 9);
    assert_unknown(world->call, STORE_TROUBLE_OOM);
    store_call_create_hash(world->call, S("h"), &field, 1);
    assert_unknown(world->call, STORE_TROUBLE_OOM);
    store_call_get(world->call, S("works"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    open_store(world); /* a new one can read too */
    assert_true(comes_back(world));
    store_call_get(world->call, S("works"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    test_redis_command(&world->redis, "CONFIG SET maxmemory 0");
    assert_int_equal(test_redis_number(&world->redis, "EXISTS mintd:h"), 0);
    store_call_create_hash(world->call, S("h"), &field, 1);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    assert_int_equal(world->call->operation.number, 1);
}

static void test_cannot_save(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "CONFIG SET min-replicas-to-write 1");
    store_call_set(world->call, S("k"), S("v"), 9);
    assert_unknown(world->call, STORE_TROUBLE_NOREPLICAS);
    store_call_get(world->call, S("k"));
    assert_int_equal(store_call_wait(world->call), STORE_ABSENT);
    test_redis_command(&world->redis, "CONFIG SET min-replicas-to-write 0");
    assert_works(world);
}

static void test_becomes_a_replica(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "REPLICAOF 127.0.0.1 1");
    store_call_set(world->call, S("k"), S("v"), 9);
    assert_unknown(world->call, STORE_TROUBLE_READONLY);
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_READONLY);
    test_loop_run_for(&world->loop, 700);
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_READONLY);
    store_call_get(world->call, S("k"));
    assert_unknown(world->call, STORE_TROUBLE_READONLY);
    test_redis_command(&world->redis, "REPLICAOF NO ONE");
    assert_true(comes_back(world));
    assert_works(world);
}

static void test_loading(void **state) {
    static const char *const slow[] = {"--key-load-delay", "2000",
                                       "--loading-process-events-interval-bytes", "1024", NULL};
    struct world *world = *state;
    for (int i = 0; i < 1000; i++) {
        test_redis_command(&world->redis, "SET filler:%d %s", i, "0123456789012345678901234567890");
    }
    assert_works(world);
    test_redis_command(&world->redis, "SAVE");
    test_redis_kill(&world->redis);
    test_redis_restart(&world->redis, slow);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_LOADING, 2000));
    store_call_get(world->call, S("works"));
    assert_unknown(world->call, STORE_TROUBLE_LOADING);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 20000));
    store_call_get(world->call, S("works"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
}

static void test_without_hello(void **state) {
    static const char *const old[] = {"--rename-command", "HELLO", "", "--requirepass", "pw", NULL};
    struct world *world = *state;
    const struct store_field field = {S("f"), S("v")};
    test_redis_kill(&world->redis);
    snprintf(world->redis.password, sizeof world->redis.password, "pw");
    test_redis_restart(&world->redis, old);
    snprintf(world->options.url.password, sizeof world->options.url.password, "pw");
    world->options.url.database = 2;
    open_store(world);
    assert_true(comes_back(world));
    assert_works(world);
    store_call_create_hash(world->call, S("h"), &field, 1);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    store_call_read_hash(world->call, S("h"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    assert_int_equal(world->call->operation.field_count, 1);
    assert_non_null(strstr(test_redis_command(&world->redis, "CLIENT LIST"), "name=test "));
}

static void test_database_that_is_not_there(void **state) {
    struct world *world = *state;
    world->options.url.database = 9999;
    open_store(world);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_PROTOCOL, 1000));
}

static void test_schema_of_another_version(void **state) {
    struct world *world = *state;
    test_redis_command(&world->redis, "SET mintd:schema 99");
    open_store(world);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_SCHEMA, 1000));
    store_call_set(world->call, S("k"), S("v"), 9);
    assert_unknown(world->call, STORE_TROUBLE_SCHEMA);
    assert_int_equal(test_redis_number(&world->redis, "DBSIZE"), 1);
    test_redis_command(&world->redis, "SET mintd:schema 1");
    test_redis_command(&world->redis, "CLIENT KILL TYPE normal SKIPME yes");
    assert_true(comes_back(world));
    assert_works(world);
}

/* ---- the end, at any moment ---- */

static void on_closed(void *context) {
    *(bool *)context = true;
}

static bool is_true(void *context) {
    return *(bool *)context;
}

/* After each number of turns from the start, with look-ups under way: resolving, connecting,
 * greeting, up. */
static void test_closed_at_any_moment(void **state) {
    static const char *const hosts[] = {"127.0.0.1", "localhost", "no-such-host.invalid"};
    struct world *world = *state;
    for (unsigned turns = 0; turns < 60; turns++) {
        bool closed = false;
        struct store_call *call = store_call_new(&world->loop, NULL);
        snprintf(world->options.url.host, sizeof world->options.url.host, "%s", hosts[turns % 3]);
        open_store(world);
        call->store = world->store;
        for (unsigned i = 0; i < turns / 3; i++) {
            if (store_trouble_now(world->store) == STORE_TROUBLE_NONE &&
                (call->store == NULL || store_call_has_ended(call) || i == 0)) {
                store_call_get(call, S("k"));
            }
            uv_run(&world->loop.loop, UV_RUN_NOWAIT);
        }
        store_close(world->store, on_closed, &closed);
        assert_false(closed);
        assert_true(test_loop_run_until(&world->loop, is_true, &closed, 6000));
        world->crew.stores[0] = NULL;
        store_free(world->store);
        store_call_free(call);
    }
}

/* ---- a heap that fails ---- */

static void use(struct world *world) {
    const struct store_field field = {S("f"), S("v")};
    static char big[40000]; /* makes the output grow */
    struct store_call *call = world->call;
    store_call_set(call, S("k"), S("v"), 9);
    store_call_wait(call);
    store_call_create_hash(call, S("h"), &field, 1);
    store_call_wait(call);
    store_call_set(call, S("k"), slice_of(big, sizeof big), 9);
    store_call_wait(call);
    store_call_get(call, S("k"));
    store_call_wait(call);
}

/* Each allocation from the start of a store to its end fails once: it starts or says that it does
 * not, and comes up all the same. */
static void test_failing_heap(void **state) {
    struct world *world = *state;
    bool done = false;
    for (unsigned n = 1; !done; n++) {
        snprintf(world->options.url.password, sizeof world->options.url.password,
                 n % 2 ? "pw" : "");
        test_redis_command(&world->redis, "CONFIG SET requirepass %s", n % 2 ? "pw" : "");
        fault_fail_at(n);
        struct store *store = redis_store_new(&world->loop.loop, &world->options);
        if (store == NULL) {
            done = fault_count() < n;
            fault_disarm();
            assert_false(done);
            continue;
        }
        world->store = world->call->store = store_crew_add(&world->crew, store);
        assert_true(comes_back(world));
        use(world);
        store_crew_drop(&world->crew, store);
        done = fault_count() < n;
        fault_disarm();
    }
}

/* ---- the same, with a password that ends ---- */

struct password_world {
    struct world *world;
    struct redis_password *password;
    uv_async_t wake;
};

static void on_wake(uv_async_t *wake) {
    struct password_world *passwords = wake->data;
    if (passwords->world->store != NULL) {
        redis_store_woken(passwords->world->store);
    }
}

static void wake_store(void *context) {
    struct password_world *passwords = context;
    uv_async_send(&passwords->wake);
}

/* Whether it could be made, and the store served. */
static bool serves_by_command(struct world *world, unsigned failing) {
    struct password_world passwords = {.world = world};
    passwords.wake.data = &passwords;
    uv_async_init(&world->loop.loop, &passwords.wake, on_wake);
    fault_fail_at(failing);
    passwords.password = redis_password_new(
        &world->loop.loop,
        &(struct redis_password_options){.command = "echo '{\"password\":\"pw\"}'"});
    world->options.password = passwords.password;
    world->options.wake = wake_store;
    world->options.wake_context = &passwords;
    struct store *store =
        passwords.password == NULL ? NULL : redis_store_new(&world->loop.loop, &world->options);
    if (store != NULL) {
        world->store = world->call->store = store_crew_add(&world->crew, store);
        assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 15000));
        use(world);
        store_crew_drop(&world->crew, store);
        world->store = NULL;
    }
    if (passwords.password != NULL) {
        redis_password_close(passwords.password);
    }
    uv_close((uv_handle_t *)&passwords.wake, NULL);
    test_loop_run_for(&world->loop, 20);
    redis_password_free(passwords.password);
    return store != NULL;
}

static void test_failing_heap_and_a_command(void **state) {
    struct world *world = *state;
    bool done = false;
    test_redis_command(&world->redis, "CONFIG SET requirepass pw");
    for (unsigned n = 1; !done; n++) {
        bool served = serves_by_command(world, n);
        done = served && fault_count() < n;
        fault_disarm();
    }
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

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world_and_store, close_world)
#define TEST_OF_START(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_stopped_redis_is_answered_in_time),
        TEST(test_late_replies_meet_nobody),
        TEST(test_stopped_while_idle_is_noticed),
        TEST(test_stopped_with_a_full_socket),
        TEST(test_over_pending_max_is_overloaded),
        TEST(test_over_output_bound_is_overloaded),
        TEST(test_killed_and_restarted),
        TEST_OF_START(test_not_there_at_start),
        TEST(test_client_killed),
        TEST_OF_START(test_too_many_clients),
        TEST_OF_START(test_wrong_password),
        TEST_OF_START(test_no_password_where_one_is_wanted),
        TEST_OF_START(test_user_with_just_enough_rights),
        TEST_OF_START(test_user_without_rights),
        TEST(test_full),
        TEST(test_cannot_save),
        TEST(test_becomes_a_replica),
        TEST(test_loading),
        TEST_OF_START(test_without_hello),
        TEST_OF_START(test_database_that_is_not_there),
        TEST_OF_START(test_schema_of_another_version),
        TEST_OF_START(test_closed_at_any_moment),
        TEST_OF_START(test_failing_heap),
        TEST_OF_START(test_failing_heap_and_a_command),
    };
    return cmocka_run_group_tests(tests, start_log, stop_log);
}
