/* Answers from memory, before a server that says what the test wants it to: pushes anywhere, reads
 * that a change overtakes, silence, siblings that do not listen. */
#include "mintd/clock.h"
#include "mintd/log.h"
#include "mintd/redis_store.h"
#include "store/redis/redis_store_internal.h"
#include "support/caught_log.h"
#include "support/fake_redis.h"
#include "support/fault.h"
#include "support/store_call.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define TIMEOUT_MS 600u
#define CALLS 4u

static const struct fake_line usual[] = {
    {"GET", SLICE("$3\r\nold\r\n")},
    {"HGETALL", SLICE("%1\r\n$1\r\nf\r\n$1\r\nv\r\n")},
    {"DEL", SLICE(":1\r\n")},
    {NULL, SLICE("")},
};
static const struct fake_line no_reads[] = {
    {"GET", SLICE("")}, {"HGETALL", SLICE("")}, {"DEL", SLICE(":1\r\n")}, {NULL, SLICE("")}};

#define PUSH(key, size) ">2\r\n$10\r\ninvalidate\r\n*1\r\n$" size "\r\n" key "\r\n"
#define PUSH_K PUSH("mintd:k", "7")

struct world;

/* A store, and what wakes it. */
struct worker {
    struct world *world;
    struct store *store;
    struct store_metrics metrics;
    struct store_call *calls[CALLS];
    uv_async_t wake;
    bool is_deaf; /* does not drain */
};

struct world {
    struct test_loop loop;
    struct store_crew crew;
    struct fake_redis fake;
    struct cache_group *group;
    struct worker workers[2];
    struct worker *worker; /* the first */
};

static void on_wake(uv_async_t *wake) {
    struct worker *worker = wake->data;
    if (!worker->is_deaf && worker->store != NULL) {
        redis_store_woken(worker->store);
    }
}

static void wake(void *context) {
    uv_async_send(context);
}

static struct redis_store_options options_of(struct worker *worker) {
    struct redis_store_options options = {
        .url = {.is_unix = true},
        .prefix = S("mintd:"),
        .name = S("test"),
        .timeout_ms = TIMEOUT_MS,
        .metrics = &worker->metrics,
        .cache_size = 65536,
        .cache_seed = {{5, 6}},
        .cache_group = worker->world->group,
        .wake = wake,
        .wake_context = &worker->wake,
    };
    snprintf(options.url.host, sizeof options.url.host, "%s", worker->world->fake.path);
    return options;
}

static void start(struct world *world, unsigned index) {
    struct worker *worker = &world->workers[index];
    struct redis_store_options options = options_of(worker);
    worker->store = store_crew_add(&world->crew, redis_store_new(&world->loop.loop, &options));
    for (unsigned i = 0; i < CALLS; i++) {
        worker->calls[i] = store_call_new(&world->loop, worker->store);
    }
    assert_true(store_wait_for(&world->loop, worker->store, STORE_TROUBLE_NONE, 5000));
}

static int open_world(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    test_loop_open(&world->loop);
    store_crew_open(&world->crew, &world->loop);
    fake_redis_open(&world->fake, &world->loop.loop);
    world->fake.script = usual;
    world->group = cache_group_new(32);
    world->worker = &world->workers[0];
    for (unsigned i = 0; i < 2; i++) {
        struct worker *worker = &world->workers[i];
        worker->world = world;
        uv_async_init(&world->loop.loop, &worker->wake, on_wake);
        worker->wake.data = worker;
    }
    start(world, 0);
    *state = world;
    return 0;
}

static void drop_store(struct worker *worker) {
    store_crew_drop(&worker->world->crew, worker->store);
    worker->store = NULL;
}

static int close_world(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < 2; i++) {
        struct worker *worker = &world->workers[i];
        if (worker->store != NULL) {
            drop_store(worker);
        }
        uv_close((uv_handle_t *)&worker->wake, NULL);
        for (unsigned k = 0; k < CALLS; k++) {
            store_call_free(worker->calls[k]);
        }
    }
    fake_redis_close(&world->fake);
    test_loop_close(&world->loop);
    cache_group_free(world->group);
    free(world);
    return 0;
}

static void fence(struct worker *worker) {
    store_call_fence(worker->calls[CALLS - 1]);
    assert_int_equal(store_call_wait(worker->calls[CALLS - 1]), STORE_FOUND);
}

/* Whether this read is answered from memory. */
static bool is_remembered(struct worker *worker, const char *key) {
    struct store_call *call = worker->calls[CALLS - 1];
    store_call_get(call, slice_of_string(key));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    return call->progress == PROGRESS_DONE;
}

static void remember(struct worker *worker, const char *key) {
    is_remembered(worker, key);
    assert_true(is_remembered(worker, key));
}

struct fake_count {
    const struct fake_redis *fake;
    unsigned commands;
};

static bool has_come(void *context) {
    const struct fake_count *count = context;
    return count->fake->commands >= count->commands;
}

/* So many commands have reached the server since `before`. */
static void wait_for_commands(struct world *world, unsigned before, unsigned more) {
    struct fake_count count = {&world->fake, before + more};
    assert_true(test_loop_run_until(&world->loop, has_come, &count, 5000));
    assert_int_equal(world->fake.commands, before + more);
}

/* ---- pushes ---- */

/* A push for one of three keys at every place among the replies to three reads, which come together
 * or byte by byte: it is not remembered, and the others are. */
static void test_push_between_any_two_replies(void **state) {
    struct world *world = *state;
    static const char *const keys[] = {"a", "k", "z"};
    static const struct slice reply = SLICE("$3\r\nold\r\n"), push = SLICE(PUSH_K);
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        for (unsigned place = 0; place <= 3; place++) {
            struct worker *worker = world->worker;
            char bytes[256];
            struct buffer text = buffer_of(bytes, sizeof bytes);
            unsigned before = world->fake.commands;
            world->fake.bytewise = bytewise != 0;
            world->fake.script = no_reads;
            for (unsigned i = 0; i < 3; i++) {
                store_call_get(worker->calls[i], slice_of_string(keys[i]));
            }
            wait_for_commands(world, before, 3);
            for (unsigned i = 0; i <= 3; i++) {
                buffer_append(&text, i == place ? push : S(""));
                buffer_append(&text, i < 3 ? reply : S(""));
            }
            fake_redis_say(&world->fake, buffer_slice(&text));
            for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(store_call_wait(worker->calls[i]), STORE_FOUND);
                assert_int_equal(worker->calls[i]->value.size, 3);
            }
            world->fake.script = usual;
            fence(worker);
            assert_true(is_remembered(worker, "a"));
            assert_true(is_remembered(worker, "z"));
            assert_false(is_remembered(worker, "k"));
            fake_redis_say(&world->fake, S(">2\r\n$10\r\ninvalidate\r\n_\r\n"));
            fence(worker);
        }
    }
    assert_int_equal(world->fake.accepted, 1);
}

static void test_what_a_push_may_say(void **state) {
    static const struct {
        struct slice push;
        bool k_stays, other_stays;
    } table[] = {
        {SLICE(PUSH_K), false, true},
        {SLICE(PUSH("mintd:none", "10")), true, true},
        {SLICE(PUSH("mintd:", "6")), true, true},
        {SLICE(PUSH("other:k", "7")), true, true},
        {SLICE(PUSH("", "0")), true, true},
        {SLICE(">2\r\n$10\r\ninvalidate\r\n*0\r\n"), true, true},
        {SLICE(">2\r\n$10\r\ninvalidate\r\n*2\r\n$7\r\nmintd:k\r\n$11\r\nmintd:other\r\n"), false,
         false},
        {SLICE(">2\r\n$10\r\ninvalidate\r\n_\r\n"), false, false},
        {SLICE(">2\r\n$10\r\ninvalidate\r\n*-1\r\n"), false, false},
        {SLICE(">2\r\n$10\r\ninvalidate\r\n$7\r\nmintd:k\r\n"), false, false}, /* not a list */
        {SLICE(">1\r\n$10\r\ninvalidate\r\n"), false, false},
        {SLICE(">2\r\n$8\r\nsomewhat\r\n*1\r\n$7\r\nmintd:k\r\n"), true, true}, /* of no concern */
        {SLICE(">2\r\n$10\r\ninvalidate\r\n*1\r\n*1\r\n$7\r\nmintd:k\r\n"), true, true},
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        remember(world->worker, "k");
        remember(world->worker, "other");
        fake_redis_say(&world->fake, table[i].push);
        fence(world->worker);
        assert_int_equal(is_remembered(world->worker, "k"), table[i].k_stays);
        assert_int_equal(is_remembered(world->worker, "other"), table[i].other_stays);
    }
    assert_int_equal(world->fake.accepted, 1);
}

/* More keys than a reply may have nodes: whatever they are, all is forgotten. */
static void test_push_that_is_too_big(void **state) {
    struct world *world = *state;
    static char bytes[65536];
    struct buffer text = buffer_of(bytes, sizeof bytes);
    buffer_append(&text, S(">2\r\n$10\r\ninvalidate\r\n*2000\r\n"));
    for (unsigned i = 0; i < 2000; i++) {
        buffer_append(&text, S("$7\r\nmintd:x\r\n"));
    }
    assert_false(text.overflow);
    remember(world->worker, "k");
    fake_redis_say(&world->fake, buffer_slice(&text));
    fence(world->worker);
    assert_false(is_remembered(world->worker, "k"));
    assert_int_equal(world->fake.accepted, 1);
}

/* ---- reads under way ---- */

/* Asks for "k" a server that says nothing of itself; returns how many commands it had got before.
 */
static unsigned ask_in_vain(struct world *world) {
    unsigned before = world->fake.commands;
    world->fake.script = no_reads;
    store_call_get(world->worker->calls[0], S("k"));
    wait_for_commands(world, before, 1);
    return before;
}

static void test_change_overtakes_a_read(void **state) {
    struct world *world = *state;
    struct worker *worker = world->worker;
    unsigned before = ask_in_vain(world);
    const struct flights *flights = &redis_store_of(worker->store)->copies.flights;
    assert_non_null(flights_find(flights, REDIS_GET, S("k")));
    fake_redis_say(&world->fake, S(PUSH_K));
    while (flights_find(flights, REDIS_GET, S("k")) != NULL) {
        test_loop_run_for(&world->loop, 1);
    }
    store_call_get(worker->calls[1], S("k")); /* does not join what may be old */
    wait_for_commands(world, before, 2);
    assert_int_equal(counter_read(&worker->metrics.cache.joined), 0);
    fake_redis_say(&world->fake, S("$3\r\nold\r\n$3\r\nnew\r\n"));
    assert_int_equal(store_call_wait(worker->calls[0]), STORE_FOUND);
    assert_int_equal(store_call_wait(worker->calls[1]), STORE_FOUND);
    assert_memory_equal(worker->calls[0]->value.data, "old", 3);
    assert_memory_equal(worker->calls[1]->value.data, "new", 3);
    assert_true(is_remembered(worker, "k"));
    assert_memory_equal(worker->calls[CALLS - 1]->value.data, "new", 3);
}

static bool holds(struct worker *worker, const struct store_call *read) {
    const struct store_premise premise = {S("k"), read->operation.copy};
    store_call_confirm(worker->calls[CALLS - 1], &premise, 1);
    assert_int_equal(store_call_wait(worker->calls[CALLS - 1]), STORE_FOUND);
    return worker->calls[CALLS - 1]->operation.holds;
}

/* What is not kept tells nobody of its changes: whoever asked for it himself had it right at that
 * moment; whoever joined later may have something older than his question. */
static void test_an_answer_that_is_not_kept(void **state) {
    struct world *world = *state;
    struct worker *worker = world->worker;
    unsigned before = ask_in_vain(world);
    store_call_get(worker->calls[1], S("k"));
    assert_int_equal(counter_read(&worker->metrics.cache.joined), 1);
    fake_redis_say(&world->fake, S(PUSH_K "$3\r\nold\r\n"));
    assert_int_equal(store_call_wait(worker->calls[0]), STORE_FOUND);
    assert_int_equal(store_call_wait(worker->calls[1]), STORE_FOUND);
    assert_int_equal(world->fake.commands, before + 1);
    world->fake.script = usual;
    assert_true(holds(worker, worker->calls[0]));
    assert_false(holds(worker, worker->calls[1]));
    assert_false(is_remembered(worker, "k"));
}

static void test_crowd_asks_once(void **state) {
    struct world *world = *state;
    struct worker *worker = world->worker;
    unsigned before = world->fake.commands;
    world->fake.script = no_reads;
    store_call_get(worker->calls[0], S("k"));
    store_call_get(worker->calls[1], S("k"));
    store_call_read_hash(worker->calls[2], S("k")); /* another question */
    wait_for_commands(world, before, 2);
    store_call_get(worker->calls[3], S("k")); /* Redis was asked before it came */
    fake_redis_say(&world->fake, S("$3\r\nold\r\n%1\r\n$1\r\nf\r\n$1\r\nv\r\n"));
    for (unsigned i = 0; i < CALLS; i++) {
        assert_int_equal(store_call_wait(worker->calls[i]), STORE_FOUND);
        assert_int_equal(worker->calls[i]->operation.from_memory, i == 3);
    }
    test_loop_run_for(&world->loop, 20);
    for (unsigned i = 0; i < CALLS; i++) {
        assert_int_equal(worker->calls[i]->answered, 1);
    }
    assert_memory_equal(worker->calls[3]->value.data, "old", 3);
    assert_int_equal(worker->calls[2]->operation.field_count, 1);
    assert_int_equal(counter_read(&worker->metrics.cache.joined), 2);
    assert_int_equal(counter_read(&worker->metrics.cache.misses), 2);
}

/* Each leaves at its own deadline, whoever asked first; the reply serves who is left, and is
 * remembered. */
static void test_each_has_its_own_deadline(void **state) {
    struct world *world = *state;
    struct worker *worker = world->worker;
    static const unsigned waits_ms[] = {60, 5000, 30, 5000};
    unsigned before = world->fake.commands;
    uint64_t begun_ns = clock_monotonic_ns();
    world->fake.script = no_reads;
    for (unsigned i = 0; i < CALLS; i++) {
        worker->calls[i]->deadline_ns = begun_ns + waits_ms[i] * UINT64_C(1000000);
        store_call_get(worker->calls[i], S("k"));
    }
    wait_for_commands(world, before, 1);
    assert_unknown(worker->calls[2], STORE_TROUBLE_TIMEOUT);
    assert_true(worker->calls[2]->ended_ns >= worker->calls[2]->deadline_ns);
    assert_unknown(worker->calls[0], STORE_TROUBLE_TIMEOUT);
    assert_true(worker->calls[0]->ended_ns >= worker->calls[0]->deadline_ns);
    assert_false(store_call_has_ended(worker->calls[1]));
    fake_redis_say(&world->fake, S("$3\r\nold\r\n"));
    assert_int_equal(store_call_wait(worker->calls[1]), STORE_FOUND);
    assert_int_equal(store_call_wait(worker->calls[3]), STORE_FOUND);
    worker->calls[3]->deadline_ns = 0;
    assert_true(is_remembered(worker, "k"));
}

/* All have gone: the reply meets nobody, and is remembered all the same. */
static void test_reply_that_nobody_waits_for(void **state) {
    struct world *world = *state;
    struct worker *worker = world->worker;
    world->fake.script = no_reads;
    store_call_get(worker->calls[0], S("k"));
    store_call_get(worker->calls[1], S("k"));
    assert_unknown(worker->calls[0], STORE_TROUBLE_TIMEOUT);
    assert_unknown(worker->calls[1], STORE_TROUBLE_TIMEOUT);
    fake_redis_say(&world->fake, S("$3\r\nold\r\n"));
    fence(worker);
    assert_true(is_remembered(worker, "k"));
}

static void test_reply_of_another_kind(void **state) {
    static const struct fake_line odd[] = {{"GET", SLICE(":7\r\n")}, {NULL, SLICE("")}};
    struct world *world = *state;
    struct worker *worker = world->worker;
    remember(worker, "other");
    world->fake.script = odd;
    store_call_get(worker->calls[0], S("k"));
    store_call_get(worker->calls[1], S("k"));
    assert_unknown(worker->calls[0], STORE_TROUBLE_PROTOCOL);
    assert_unknown(worker->calls[1], STORE_TROUBLE_PROTOCOL);
    world->fake.script = usual;
    assert_true(store_wait_for(&world->loop, worker->store, STORE_TROUBLE_NONE, 5000));
    assert_false(is_remembered(worker, "other"));
}

static void test_error_is_not_remembered(void **state) {
    static const struct fake_line errors[] = {{"GET", SLICE("-OOM no\r\n")}, {NULL, SLICE("")}};
    struct world *world = *state;
    struct worker *worker = world->worker;
    world->fake.script = errors;
    store_call_get(worker->calls[0], S("k"));
    store_call_get(worker->calls[1], S("k"));
    assert_unknown(worker->calls[0], STORE_TROUBLE_OOM);
    assert_unknown(worker->calls[1], STORE_TROUBLE_OOM);
    world->fake.script = usual;
    assert_false(is_remembered(worker, "k"));
}

static void test_lost_link_ends_all_reads(void **state) {
    struct world *world = *state;
    struct worker *worker = world->worker;
    unsigned before;
    remember(worker, "other");
    world->fake.script = no_reads;
    before = world->fake.commands;
    store_call_get(worker->calls[0], S("k"));
    store_call_get(worker->calls[1], S("k"));
    store_call_read_hash(worker->calls[2], S("h"));
    wait_for_commands(world, before, 2);
    fake_redis_drop(&world->fake);
    for (unsigned i = 0; i < 3; i++) {
        assert_unknown(worker->calls[i], STORE_TROUBLE_DISCONNECTED);
    }
    store_call_get(worker->calls[0], S("other")); /* what is remembered is not trusted any more */
    assert_int_equal(worker->calls[0]->progress, PROGRESS_DONE);
    assert_int_equal(worker->calls[0]->operation.answer, STORE_UNKNOWN);
    world->fake.script = usual;
    assert_true(store_wait_for(&world->loop, worker->store, STORE_TROUBLE_NONE, 5000));
    assert_false(is_remembered(worker, "other"));
    assert_true(is_remembered(worker, "other"));
}

/* ---- the version that the greeting names ---- */

#define HELLO_BEGIN "%3\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n"
#define HELLO_END "$4\r\nrole\r\n$6\r\nmaster\r\n"
#define HELLO(size, version) HELLO_BEGIN "$7\r\nversion\r\n$" size "\r\n" version "\r\n" HELLO_END
#define HELLO_6 HELLO("6", "6.2.14")
#define HELLO_7 HELLO("5", "7.0.0")

/* On a connection that is made anew; whether CLIENT TRACKING was sent on it. */
static bool is_asked_to_track(struct world *world, struct slice hello, struct slice tracking) {
    static struct fake_line script[4];
    unsigned before = world->fake.commands, accepted = world->fake.accepted;
    script[0] = (struct fake_line){"HELLO", hello};
    script[1] = (struct fake_line){"CLIENT", tracking};
    script[2] = usual[0];
    world->fake.script = script;
    fake_redis_drop(&world->fake);
    assert_true(test_loop_run_until(&world->loop, store_is_away, world->worker->store, 5000));
    assert_true(store_wait_for(&world->loop, world->worker->store, STORE_TROUBLE_NONE, 5000));
    assert_int_equal(world->fake.accepted, accepted + 1);
    fence(world->worker);
    unsigned asked = world->fake.commands - before; /* HELLO, GET of the schema, PING are three */
    assert_in_range(asked, 3, 4);
    return asked == 4;
}

static void test_old_redis_is_not_asked_to_track(void **state) {
    static const struct {
        struct slice hello;
        bool is_asked;
    } table[] = {
        {SLICE(HELLO_6), false},
        {SLICE(HELLO_7), true},
        {SLICE(HELLO("5", "6.0.0")), false},
        {SLICE(HELLO("1", "6")), false},
        {SLICE(HELLO("5", "7.2.4")), true},
        {SLICE(HELLO("6", "10.0.1")), true},
        {SLICE(HELLO("11", "255.255.255")), true},
        {SLICE(HELLO("40", "6.2.14-0123456789012345678901234567890xy")), false},
        /* unknown */
        {SLICE("%1\r\n" HELLO_END), true},
        {SLICE(HELLO("0", "")), true},
        {SLICE(HELLO("8", "unstable")), true},
        {SLICE(HELLO("6", "v6.2.1")), true},
        {SLICE(HELLO("2", "-1")), true},
        {SLICE(HELLO("22", "6666666666666666666666")), true},
        {SLICE(HELLO_BEGIN "$7\r\nversion\r\n:6\r\n" HELLO_END), true},
        {SLICE(HELLO_BEGIN "$7\r\nversion\r\n*1\r\n$5\r\n6.0.0\r\n" HELLO_END), true},
    };
    struct world *world = *state;
    struct worker *worker = world->worker;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(is_asked_to_track(world, table[i].hello, S("+OK\r\n")), table[i].is_asked);
        assert_int_equal(counter_read(&worker->metrics.cache.on), table[i].is_asked);
        assert_false(is_remembered(worker, "k"));
        assert_int_equal(is_remembered(worker, "k"), table[i].is_asked);
    }
}

/* Once; and of another reason anew. */
static void test_old_redis_is_told_of(void **state) {
    static const char too_old[] = "is too old to be relied on", refused[] = "does not tell of";
    struct world *world = *state;
    caught_log_start(LOG_INFO);
    assert_false(is_asked_to_track(world, S(HELLO_6), S("+OK\r\n")));
    assert_false(is_asked_to_track(world, S(HELLO_6), S("+OK\r\n")));
    const char *log = caught_log_end();
    assert_int_equal(caught_log_count(log, too_old), 1);
    assert_int_equal(caught_log_count(log, "version=6.2.14"), 1);
    assert_int_equal(caught_log_count(log, refused), 0);

    caught_log_start(LOG_INFO);
    assert_true(is_asked_to_track(world, S(HELLO_7), S("-NOPERM no\r\n")));
    assert_true(is_asked_to_track(world, S(HELLO_7), S("+OK\r\n")));
    log = caught_log_end();
    assert_int_equal(caught_log_count(log, too_old), 0);
    assert_int_equal(caught_log_count(log, refused), 1);
    assert_int_equal(caught_log_count(log, "redis tells of changes now"), 1);
}

/* ---- silence ---- */

static bool is_hit(struct worker *worker) {
    struct store_call *call = worker->calls[0];
    if (call->progress == PROGRESS_PENDING && !store_call_has_ended(call)) {
        return false;
    }
    store_call_get(call, S("k"));
    return call->progress == PROGRESS_DONE && call->operation.answer == STORE_FOUND;
}

/* Once the server says nothing any more copies are good for 2 s, and not for longer. */
static void test_silent_server_is_not_trusted(void **state) {
    static const struct fake_line mute[] = {
        {"GET", SLICE("")}, {"HELLO", SLICE("")}, {NULL, SLICE("")}};
    struct world *world = *state;
    struct worker *worker = world->worker;
    remember(worker, "k");
    world->fake.script = mute;
    uint64_t silent_ns = clock_monotonic_ns(), last_hit_ms = 0, now_ms = 0;
    while (now_ms < 2600) {
        test_loop_run_for(&world->loop, 5);
        now_ms = ms_since(silent_ns); /* before the read: it is younger than that */
        last_hit_ms = is_hit(worker) ? now_ms : last_hit_ms;
    }
    assert_in_range(last_hit_ms, 500, 2000);
}

/* Pushes that come in may have lain somewhere for long: what was not asked for says nothing of now,
 * and a link on which nothing else comes is given up like a silent one. */
static void test_pushes_alone_earn_no_trust(void **state) {
    static const struct fake_line mute[] = {
        {"GET", SLICE("")}, {"HELLO", SLICE("")}, {NULL, SLICE("")}};
    struct world *world = *state;
    struct worker *worker = world->worker;
    remember(worker, "k");
    world->fake.script = mute;
    uint64_t silent_ns = clock_monotonic_ns(), last_hit_ms = 0, now_ms = 0;
    while (now_ms < 3000) {
        fake_redis_say(&world->fake, S(PUSH("mintd:other", "11")));
        test_loop_run_for(&world->loop, 20);
        now_ms = ms_since(silent_ns);
        last_hit_ms = is_hit(worker) ? now_ms : last_hit_ms;
    }
    assert_in_range(last_hit_ms, 500, 2000);
    assert_int_equal(world->fake.accepted, 2);
}

/* This process stood still: what was asked before has been answered meanwhile, but the answer is as
 * old as a copy that is not trusted any more. */
static void test_old_question_answers_no_new_one(void **state) {
    static const struct timespec pause = {.tv_sec = 2};
    struct world *world = *state;
    struct worker *worker = world->worker;
    unsigned before = ask_in_vain(world);
    fake_redis_say(&world->fake, S("$3\r\nold\r\n"));
    nanosleep(&pause, NULL);
    store_call_get(worker->calls[1], S("k"));
    assert_int_equal(counter_read(&worker->metrics.cache.joined), 0);
    wait_for_commands(world, before, 2);
    fake_redis_say(&world->fake, S("$3\r\nnew\r\n"));
    assert_int_equal(store_call_wait(worker->calls[1]), STORE_FOUND);
    assert_memory_equal(worker->calls[1]->value.data, "new", 3);
    assert_true(store_call_has_ended(worker->calls[0]));
}

/* Within a turn the loop's clock stands still; trust ends all the same. */
static void test_long_turn_earns_no_trust(void **state) {
    static const struct timespec pause = {.tv_sec = 2};
    struct world *world = *state;
    struct worker *worker = world->worker;
    struct store_call *call = worker->calls[0];
    remember(worker, "k");
    store_call_get(call, S("k"));
    assert_int_equal(call->progress, PROGRESS_DONE);
    nanosleep(&pause, NULL); /* the loop does not run, so its time is as before */
    store_call_get(call, S("k"));
    assert_int_equal(call->progress, PROGRESS_PENDING);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
}

static void test_idle_link_stays_trusted(void **state) {
    struct world *world = *state;
    struct worker *worker = world->worker;
    remember(worker, "k");
    uint64_t misses = counter_read(&worker->metrics.cache.misses);
    for (unsigned i = 0; i < 60; i++) {
        test_loop_run_for(&world->loop, 50);
        assert_true(is_hit(worker));
    }
    assert_int_equal(counter_read(&worker->metrics.cache.misses), misses);
    assert_in_range(world->fake.questions, 2, 6);
}

/* ---- siblings ---- */

static void test_deletion_tells_the_sibling_first(void **state) {
    struct world *world = *state;
    start(world, 1);
    struct worker *worker = world->worker, *sibling = &world->workers[1];
    for (int i = 0; i < 20; i++) {
        remember(worker, "k");
        remember(sibling, "k"); /* the fake tells nobody of changes */
        store_call_delete(worker->calls[0], S("k"));
        assert_int_equal(store_call_wait(worker->calls[0]), STORE_FOUND);
        assert_int_equal(worker->calls[0]->operation.number, 1);
        assert_false(is_remembered(sibling, "k"));
        assert_false(is_remembered(worker, "k"));
    }
}

/* Nor does a read that was under way bring it back. */
static void test_deletion_spoils_the_siblings_read(void **state) {
    struct world *world = *state;
    start(world, 1);
    struct worker *worker = world->worker, *sibling = &world->workers[1];
    unsigned before = world->fake.commands;
    world->fake.script = no_reads;
    store_call_get(sibling->calls[0], S("k"));
    wait_for_commands(world, before, 1);
    store_call_delete(worker->calls[0], S("k"));
    assert_int_equal(store_call_wait(worker->calls[0]), STORE_FOUND);
    fake_redis_say(&world->fake, S(PUSH("mintd:x", "7")));
    for (struct worker *one = worker; one <= sibling; one++) {
        store_call_get(one->calls[1], S("k"));
    }
    wait_for_commands(world, before, 4); /* neither has joined */
    assert_unknown(sibling->calls[0], STORE_TROUBLE_TIMEOUT);
    assert_unknown(sibling->calls[1], STORE_TROUBLE_TIMEOUT);
    assert_unknown(worker->calls[1], STORE_TROUBLE_TIMEOUT);
}

static void test_sibling_that_does_not_listen(void **state) {
    struct world *world = *state;
    start(world, 1);
    struct worker *worker = world->worker, *sibling = &world->workers[1];
    sibling->is_deaf = true;
    remember(sibling, "k");
    for (int i = 0; i < 3; i++) {
        uint64_t begun_ns = clock_monotonic_ns();
        store_call_delete(worker->calls[0], S("k"));
        assert_unknown(worker->calls[0], STORE_TROUBLE_TIMEOUT);
        assert_true(ms_since(begun_ns) >= TIMEOUT_MS - 1);
    }
    sibling->is_deaf = false;
    uv_async_send(&sibling->wake);
    store_call_delete(worker->calls[0], S("k"));
    assert_int_equal(store_call_wait(worker->calls[0]), STORE_FOUND);
    assert_false(is_remembered(sibling, "k"));
}

static void on_closed(void *context) {
    *(bool *)context = true;
}

static bool is_true(void *context) {
    return *(bool *)context;
}

/* A worker that has ended, and only waits for the others before it is freed, holds up nobody. */
static void test_closed_sibling_is_not_waited_for(void **state) {
    struct world *world = *state;
    start(world, 1);
    struct worker *worker = world->worker, *sibling = &world->workers[1];
    bool closed = false;
    sibling->is_deaf = true;
    remember(sibling, "k");
    store_call_delete(worker->calls[0], S("k"));
    test_loop_run_for(&world->loop, 20);
    assert_false(store_call_has_ended(worker->calls[0]));
    struct store *store = sibling->store;
    world->crew.stores[1] = NULL;
    sibling->store = NULL;
    store_close(store, on_closed, &closed);
    assert_int_equal(store_call_wait(worker->calls[0]), STORE_FOUND);
    assert_true(test_loop_run_until(&world->loop, is_true, &closed, 5000));
    store_call_delete(worker->calls[0], S("k"));
    assert_int_equal(store_call_wait(worker->calls[0]), STORE_FOUND);
    store_free(store);
}

/* ---- closed at any moment, and without memory ---- */

static void test_closed_at_any_moment(void **state) {
    static const struct fake_line mute[] = {
        {"GET", SLICE("")}, {"DEL", SLICE("")}, {"PING", SLICE("")}, {NULL, SLICE("")}};
    struct world *world = *state;
    struct worker *worker = world->worker;
    start(world, 1);
    for (unsigned turns = 0; turns < 12; turns++) {
        for (int deaf = 0; deaf < 2; deaf++) {
            world->workers[1].is_deaf = deaf != 0;
            world->fake.script = turns % 2 == 0 ? usual : mute;
            store_call_get(worker->calls[0], S("k"));
            store_call_get(worker->calls[1], S("k"));
            store_call_delete(worker->calls[2], S("k"));
            store_call_fence(worker->calls[3]);
            for (unsigned i = 0; i < turns / 2; i++) {
                store_flush(worker->store);
                uv_run(&world->loop.loop, UV_RUN_NOWAIT);
            }
            drop_store(worker);
            for (unsigned i = 0; i < CALLS; i++) {
                struct store_call *call = worker->calls[i];
                assert_int_equal(call->answered, 1);
                assert_true(call->operation.answer == STORE_FOUND ||
                            call->operation.trouble == STORE_TROUBLE_DISCONNECTED);
                store_call_free(call);
            }
            world->workers[1].is_deaf = false;
            uv_async_send(&world->workers[1].wake);
            start(world, 0);
        }
    }
}

/* Any allocation of the verbs may fail: a good answer, or OVERLOADED, or a lost link. */
static void test_any_allocation_may_fail(void **state) {
    struct world *world = *state;
    struct worker *worker = world->worker;
    start(world, 1);
    char key[16];
    unsigned failures = 0;
    for (unsigned n = 1; n < 12; n++) {
        snprintf(key, sizeof key, "k%u", n);
        fault_fail_at(n);
        store_call_get(worker->calls[0], slice_of_string(key));
        store_call_read_hash(worker->calls[1], slice_of_string(key));
        store_call_delete(worker->calls[2], slice_of_string(key));
        fault_disarm();
        for (unsigned i = 0; i < 3; i++) {
            if (store_call_wait(worker->calls[i]) == STORE_UNKNOWN) {
                failures++;
                assert_int_equal(worker->calls[i]->operation.trouble, STORE_TROUBLE_OVERLOADED);
            }
        }
        assert_true(store_wait_for(&world->loop, worker->store, STORE_TROUBLE_NONE, 5000));
    }
    assert_in_range(failures, 3, 11);
}

static void test_store_without_memory(void **state) {
    struct world *world = *state;
    struct redis_store_options options = options_of(&world->workers[1]);
    bool done = false;
    options.cache_group = NULL;
    for (unsigned n = 1; !done; n++) {
        fault_fail_at(n);
        struct store *store = redis_store_new(&world->loop.loop, &options);
        done = fault_count() < n;
        fault_disarm();
        assert_true(store != NULL || !done);
        if (store != NULL) {
            store_crew_drop(&world->crew, store_crew_add(&world->crew, store));
        }
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

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_push_between_any_two_replies),
        TEST(test_what_a_push_may_say),
        TEST(test_push_that_is_too_big),
        TEST(test_change_overtakes_a_read),
        TEST(test_an_answer_that_is_not_kept),
        TEST(test_crowd_asks_once),
        TEST(test_each_has_its_own_deadline),
        TEST(test_reply_that_nobody_waits_for),
        TEST(test_reply_of_another_kind),
        TEST(test_error_is_not_remembered),
        TEST(test_lost_link_ends_all_reads),
        TEST(test_old_redis_is_not_asked_to_track),
        TEST(test_old_redis_is_told_of),
        TEST(test_silent_server_is_not_trusted),
        TEST(test_pushes_alone_earn_no_trust),
        TEST(test_old_question_answers_no_new_one),
        TEST(test_long_turn_earns_no_trust),
        TEST(test_idle_link_stays_trusted),
        TEST(test_deletion_tells_the_sibling_first),
        TEST(test_deletion_spoils_the_siblings_read),
        TEST(test_sibling_that_does_not_listen),
        TEST(test_closed_sibling_is_not_waited_for),
        TEST(test_closed_at_any_moment),
        TEST(test_any_allocation_may_fail),
        TEST(test_store_without_memory),
    };
    return cmocka_run_group_tests(tests, start_log, stop_log);
}
