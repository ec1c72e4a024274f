/* A store before a server that says anything at all: in pieces, too much, nonsense, errors,
 * nothing.
 */
#include "mintd/clock.h"
#include "mintd/log.h"
#include "support/caught_log.h"
#include "support/fake_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMEOUT_MS 600u

static void start(struct fake_world *world) {
    struct redis_store_options options = fake_world_options(world);
    snprintf(options.url.user, sizeof options.url.user, "svc");
    snprintf(options.url.password, sizeof options.url.password, "hunter2-secret");
    fake_world_start(world, &options);
}

static void start_and_wait(struct fake_world *world) {
    start(world);
    fake_world_wait_until_up(world);
}

static void assert_value(struct store_call *call, struct slice value) {
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->value.size, value.size);
    assert_memory_equal(call->value.data, value.data, value.size);
}

static void assert_field(struct store_call *call, struct slice value) {
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_true(slice_equal(store_call_field(call, S("f")), value));
}

static void ignore_end(struct store_operation *operation) {
    (void)operation;
}

/* ---- reads of one key ---- */

/* Nothing is remembered: those of one turn share a command, which is sent after the last of them;
 * who comes later is not answered by what was asked before. */
static void test_reads_of_a_turn_share_a_command(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line silent[] = {{"GET", SLICE("")}, {NULL, SLICE("")}};
    start_and_wait(world);
    unsigned before = world->fake.commands;
    struct store_call *second = store_call_new(&world->loop, world->store);
    struct store_call *third = store_call_new(&world->loop, world->store);
    world->fake.script = silent;
    store_call_get(world->call, S("k"));
    store_call_get(second, S("k"));
    fake_world_wait_for_commands(world, before + 1);
    store_call_get(third, S("k"));
    fake_world_wait_for_commands(world, before + 2);
    fake_redis_say(&world->fake, S("$3\r\nold\r\n$3\r\nnew\r\n"));
    assert_value(world->call, S("old"));
    assert_value(second, S("old"));
    assert_value(third, S("new"));
    assert_false(second->operation.from_memory || third->operation.from_memory);
    assert_int_equal(world->fake.commands, before + 2);
    store_call_free(second);
    store_call_free(third);
}

/* One that has to come after another read does not share a command that leaves ahead of that one,
 * and does share one that leaves behind it. */
static void test_read_after_another_is_asked_after_it(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line silent[] = {
        {"GET", SLICE("")}, {"HGETALL", SLICE("")}, {NULL, SLICE("")}};
    struct store_call *early, *text, *late, *with_late;
    start_and_wait(world);
    unsigned before = world->fake.commands;
    early = store_call_new(&world->loop, world->store);
    text = store_call_new(&world->loop, world->store);
    late = store_call_new(&world->loop, world->store);
    with_late = store_call_new(&world->loop, world->store);
    world->fake.script = silent;
    store_call_read_hash(early, S("h"));
    store_call_get(text, S("g"));
    store_call_read_hash_after(late, S("h"), text);
    store_call_read_hash_after(with_late, S("h"), text);
    fake_world_wait_for_commands(world, before + 3);
    fake_redis_say(&world->fake, S("*2\r\n$1\r\nf\r\n$3\r\nold\r\n$1\r\n7\r\n"
                                   "*2\r\n$1\r\nf\r\n$3\r\nnew\r\n"));
    assert_value(text, S("7"));
    assert_field(early, S("old"));
    assert_field(late, S("new"));
    assert_field(with_late, S("new"));
    assert_int_equal(world->fake.commands, before + 3);
    store_call_free(early);
    store_call_free(text);
    store_call_free(late);
    store_call_free(with_late);
}

/* ---- commands leave together ---- */

#define TURNS_MAX 20000u

static void set_a_key(struct store *store, struct store_operation *operation) {
    store_set(store, S("k"), S("v"), 9, operation);
}

static void get_a_key(struct store *store, struct store_operation *operation) {
    store_get(store, S("k"), operation);
}

/* One operation a turn, until the server has got a command more; returns the number of turns. */
static unsigned ask_each_turn(struct fake_world *world,
                              void (*ask)(struct store *, struct store_operation *)) {
    static struct store_operation operations[TURNS_MAX];
    unsigned before = world->fake.commands, turns = 0;
    while (world->fake.commands == before) {
        assert_true(turns < TURNS_MAX);
        operations[turns] = (struct store_operation){.on_done = ignore_end};
        ask(world->store, &operations[turns]);
        uv_run(&world->loop.loop, UV_RUN_NOWAIT);
        turns++;
    }
    struct store_call *fence = store_call_new(&world->loop, world->store);
    store_call_fence(fence);
    assert_int_equal(store_call_wait(fence), STORE_FOUND); /* so all are answered */
    store_call_free(fence);
    return turns;
}

/* For a millisecond, while each turn brings another one. */
static void test_commands_gather_while_the_loop_is_busy(void **state) {
    struct fake_world *world = *state;
    start_and_wait(world);
    uint64_t begun_ns = clock_monotonic_ns();
    assert_true(ask_each_turn(world, set_a_key) > 5);
    assert_true(clock_monotonic_ns() - begun_ns > 1000000);
}

/* And those who want the same wait for the same answer. */
static void test_reads_gather_while_the_loop_is_busy(void **state) {
    static const struct fake_line nothing[] = {{"GET", SLICE("$-1\r\n")}, {NULL, SLICE("")}};
    struct fake_world *world = *state;
    start_and_wait(world);
    world->fake.script = nothing;
    unsigned before = world->fake.commands;
    unsigned turns = ask_each_turn(world, get_a_key);
    assert_true(turns > 5);
    /* a GET for all, one for those who came once it was sent, and the fence */
    assert_in_range(world->fake.commands, before + 2, before + 3);
}

/* It waits for one look at the sockets. */
static void test_a_lone_command_leaves_at_once(void **state) {
    static const struct fake_line nothing[] = {{"GET", SLICE("$-1\r\n")}, {NULL, SLICE("")}};
    struct fake_world *world = *state;
    start_and_wait(world);
    world->fake.script = nothing;
    unsigned before = world->fake.commands;
    store_call_get(world->call, S("k"));
    uv_run(&world->loop.loop, UV_RUN_NOWAIT); /* nobody else came */
    uv_run(&world->loop.loop, UV_RUN_NOWAIT); /* sent */
    uv_run(&world->loop.loop, UV_RUN_NOWAIT); /* has arrived */
    assert_int_equal(world->fake.commands, before + 1);
    assert_int_equal(store_call_wait(world->call), STORE_ABSENT);
}

/* ---- replies as they should be, in pieces ---- */

static const struct fake_line good[] = {
    {"GET", SLICE("$7\r\nva\r\nlue\r\n")},
    {"HGETALL", SLICE("%2\r\n$1\r\na\r\n$0\r\n\r\n$1\r\nb\r\n$3\r\nxyz\r\n")},
    {"DEL", SLICE(":1\r\n")},
    {"EXEC", SLICE("*4\r\n:0\r\n:1\r\n:1\r\n:0\r\n")},
    {NULL, SLICE("")},
};

static void assert_all_is_well(struct fake_world *world) {
    struct store_call *call = world->call;
    const struct store_field field = {S("f"), S("v")};
    store_call_get(call, S("k"));
    assert_value(call, S("va\r\nlue"));
    store_call_read_hash(call, S("h"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.field_count, 2);
    assert_int_equal(store_call_field(call, S("b")).size, 3);
    store_call_delete(call, S("k"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
    store_call_set(call, S("k"), S("v"), 9);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_create_hash(call, S("h"), &field, 1);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
}

static void test_replies_byte_by_byte(void **state) {
    struct fake_world *world = *state;
    world->fake.bytewise = true;
    world->fake.script = good;
    start_and_wait(world);
    assert_all_is_well(world);
    assert_int_equal(world->fake.accepted, 1);
}

static void test_replies_of_resp2(void **state) {
    static const struct fake_line script[] = {
        {"HELLO", SLICE("-ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` "
                        "`svc` `hunter2-secret` \r\n")},
        {"GET", SLICE("$-1\r\n")},
        {"HGETALL", SLICE("*4\r\n$1\r\na\r\n$0\r\n\r\n$1\r\nb\r\n$3\r\nxyz\r\n")},
        {NULL, SLICE("")},
    };
    struct fake_world *world = *state;
    world->fake.script = script;
    start_and_wait(world);
    store_call_get(world->call, S("k"));
    assert_int_equal(store_call_wait(world->call), STORE_ABSENT);
    store_call_read_hash(world->call, S("h"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    assert_int_equal(world->call->operation.field_count, 2);
    assert_int_equal(world->fake.accepted, 1);
}

static void test_pushes_between_replies(void **state) {
    static const struct fake_line script[] = {
        {"GET", SLICE(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n$1\r\nv\r\n>1\r\n+message\r\n")},
        {NULL, SLICE("")},
    };
    struct fake_world *world = *state;
    world->fake.script = script;
    world->fake.first_words = S(">2\r\n$10\r\ninvalidate\r\n_\r\n");
    start_and_wait(world);
    fake_redis_say(&world->fake, S(">3\r\n+a\r\n*2\r\n:1\r\n:2\r\n%1\r\n+b\r\n#t\r\n"));
    for (unsigned i = 0; i < 20; i++) {
        store_call_get(world->call, S("k"));
        assert_value(world->call, S("v"));
    }
    assert_int_equal(world->fake.accepted, 1);
}

/* ---- replies that cannot be ---- */

/* Each: the operation is UNKNOWN (PROTOCOL), the connection dropped, and the next one works. */
static void test_nonsense_drops_the_link(void **state) {
    static const struct slice replies[] = {
        SLICE("?what\r\n"),
        SLICE("\0\0\0\0"),
        SLICE("HTTP/1.1 400 Bad Request\r\n\r\n"),
        SLICE("$abc\r\n"),
        SLICE("$-2\r\n"),
        SLICE("$99999999999999999999\r\n"),
        SLICE("*99999999\r\n"),
        SLICE("*65537\r\n"),
        SLICE("%-5\r\n"),
        SLICE(":12x\r\n"),
        SLICE("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
        SLICE(":1\r\n"),                    /* a number for a GET */
        SLICE("+OK\r\n"),                   /* a status */
        SLICE("*1\r\n$1\r\na\r\n"),         /* an array */
        SLICE("$1\r\nv\r\n$1\r\nw\r\n"),    /* two replies for one command */
        SLICE("$1\r\nv\r\n-ERR again\r\n"), /* the same */
        SLICE(",1.5\r\n"),
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        const struct fake_line script[] = {{"GET", replies[i]}, {NULL, SLICE("")}};
        struct fake_world *world = fake_world_fresh(state);
        world->fake.script = script;
        start_and_wait(world);
        store_call_get(world->call, S("k"));
        store_call_wait(world->call);
        if (!slice_starts_with(replies[i], S("$1"))) {
            enum store_trouble trouble = world->call->operation.trouble;
            assert_int_equal(world->call->operation.answer, STORE_UNKNOWN);
            assert_true(trouble == STORE_TROUBLE_PROTOCOL || trouble == STORE_TROUBLE_DISCONNECTED);
        }
        assert_true(test_loop_run_until(&world->loop, store_is_away, world->store, 1000));
        assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_PROTOCOL);
        world->fake.script = good;
        assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 2000));
        assert_int_equal(world->fake.accepted, 2);
        assert_all_is_well(world);
    }
}

/* A length that is announced and never comes: nothing like it is allocated, and what waits ends at
 * its deadline; where bytes do come, the connection ends at the bound. */
static void test_giant_text_is_bounded(void **state) {
    static const struct fake_line script[] = {
        {"GET", SLICE("$9000000000\r\nbegin")},
        {NULL, SLICE("")},
    };
    struct fake_world *world = *state;
    static char filler[256 * 1024];
    memset(filler, 'x', sizeof filler);
    world->fake.script = script;
    start_and_wait(world);
    store_call_get(world->call, S("k"));
    assert_unknown(world->call, STORE_TROUBLE_TIMEOUT);
    for (unsigned i = 0; i < 8; i++) {
        fake_redis_say(&world->fake, slice_of(filler, sizeof filler));
    }
    assert_true(test_loop_run_until(&world->loop, store_is_away, world->store, 1000));
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_PROTOCOL);
}

/* Replies as they should be, but over the bounds: UNKNOWN, and the connection stays. */
static void test_too_big_to_hand_out(void **state) {
    struct fake_world *world = *state;
    static char value[STORE_VALUE_MAX + 64];
    static char big[900 * 1024];
    static char hash[4096];
    size_t head = (size_t)snprintf(value, sizeof value, "$%u\r\n", STORE_VALUE_MAX + 1);
    memset(value + head, 'v', STORE_VALUE_MAX + 1);
    memcpy(value + head + STORE_VALUE_MAX + 1, "\r\n", 2);
    size_t big_head = (size_t)snprintf(big, sizeof big, "$%zu\r\n", sizeof big - 64);
    memset(big + big_head, 'v', sizeof big - 64);
    memcpy(big + big_head + sizeof big - 64, "\r\n", 2);
    struct buffer fields = buffer_of(hash, sizeof hash);
    buffer_append_format(&fields, "%%%u\r\n", STORE_FIELDS_MAX + 1);
    for (unsigned i = 0; i <= STORE_FIELDS_MAX; i++) {
        buffer_append(&fields, S("$1\r\nf\r\n$1\r\nv\r\n"));
    }
    struct fake_line script[] = {
        {"GET", slice_of(value, head + STORE_VALUE_MAX + 3)},
        {"HGETALL", buffer_slice(&fields)},
        {"DEL", SLICE(":0\r\n")},
        {NULL, SLICE("")},
    };
    world->fake.script = script;
    start_and_wait(world);
    for (unsigned i = 0; i < 2; i++) {
        store_call_get(world->call, S("k"));
        assert_unknown(world->call, STORE_TROUBLE_PROTOCOL);
        store_call_read_hash(world->call, S("k"));
        assert_unknown(world->call, STORE_TROUBLE_PROTOCOL);
        store_call_delete(world->call, S("k"));
        assert_int_equal(store_call_wait(world->call), STORE_FOUND);
        script[0].reply = slice_of(big, big_head + sizeof big - 62);
    }
    assert_int_equal(world->fake.accepted, 1);
}

/* ---- errors ---- */

static void test_errors_by_their_first_word(void **state) {
    static const struct {
        struct slice reply;
        enum store_trouble trouble;
        bool stays; /* the connection */
    } errors[] = {
        {SLICE("-READONLY You can't write against a read only replica.\r\n"),
         STORE_TROUBLE_READONLY, false},
        {SLICE("-MASTERDOWN Link with MASTER is down\r\n"), STORE_TROUBLE_MASTERDOWN, false},
        {SLICE("-LOADING Redis is loading the dataset in memory\r\n"), STORE_TROUBLE_LOADING,
         false},
        {SLICE("-OOM command not allowed when used memory > 'maxmemory'.\r\n"), STORE_TROUBLE_OOM,
         true},
        {SLICE("-MISCONF Redis is configured to save RDB snapshots\r\n"), STORE_TROUBLE_MISCONF,
         true},
        {SLICE("-NOREPLICAS Not enough good replicas to write.\r\n"), STORE_TROUBLE_NOREPLICAS,
         true},
        {SLICE("-MOVED 3999 127.0.0.1:6381\r\n"), STORE_TROUBLE_CLUSTER, true},
        {SLICE("-ASK 3999 127.0.0.1:6381\r\n"), STORE_TROUBLE_CLUSTER, true},
        {SLICE("-TRYAGAIN Multiple keys request during rehashing of slot\r\n"),
         STORE_TROUBLE_CLUSTER, true},
        {SLICE("-CLUSTERDOWN The cluster is down\r\n"), STORE_TROUBLE_CLUSTER, true},
        {SLICE("-NOAUTH Authentication required.\r\n"), STORE_TROUBLE_NOAUTH, true},
        {SLICE("-WRONGPASS invalid username-password pair\r\n"), STORE_TROUBLE_NOAUTH, true},
        {SLICE("-NOPERM this user has no permissions\r\n"), STORE_TROUBLE_NOPERM, true},
        {SLICE("-WRONGTYPE Operation against a key\r\n"), STORE_TROUBLE_WRONGTYPE, true},
        {SLICE("-BUSY Redis is busy running a script.\r\n"), STORE_TROUBLE_PROTOCOL, true},
        {SLICE("-ERR whatever\r\n"), STORE_TROUBLE_PROTOCOL, true},
        {SLICE("-\r\n"), STORE_TROUBLE_PROTOCOL, true},
        {SLICE("-READONLYish\r\n"), STORE_TROUBLE_PROTOCOL, true},
    };
    struct fake_world *world = *state;
    start_and_wait(world);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        const struct fake_line script[] = {{"SETEX", errors[i].reply}, {NULL, SLICE("")}};
        unsigned accepted = world->fake.accepted;
        uint64_t counted = counter_read(&world->metrics.troubles[errors[i].trouble]);
        world->fake.script = script;
        store_call_set(world->call, S("k"), S("v"), 9);
        assert_unknown(world->call, errors[i].trouble);
        assert_int_equal(counter_read(&world->metrics.troubles[errors[i].trouble]), counted + 1);
        assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 2000));
        assert_int_equal(world->fake.accepted, accepted + (errors[i].stays ? 0 : 1));
    }
}

/* A Redis that is not to be written to is left over and over, but not in a rush. */
static void test_readonly_again_and_again_backs_off(void **state) {
    static const struct fake_line script[] = {{"SETEX", SLICE("-READONLY no\r\n")},
                                              {NULL, SLICE("")}};
    struct fake_world *world = *state;
    world->fake.script = script;
    start_and_wait(world);
    uint64_t end_ns = clock_monotonic_ns() + 2000000000u;
    while (clock_monotonic_ns() < end_ns) {
        store_call_set(world->call, S("k"), S("v"), 9);
        store_call_wait(world->call);
        test_loop_run_for(&world->loop, 5);
    }
    assert_in_range(world->fake.accepted, 3, 14);
}

/* Any error among the replies of a transaction decides it. */
static void test_errors_inside_a_transaction(void **state) {
    static const struct {
        const char *command;
        struct slice reply;
        enum store_trouble trouble;
    } cases[] = {
        {"HSET", SLICE("-OOM no\r\n"), STORE_TROUBLE_OOM},
        {"MULTI", SLICE("-NOPERM no\r\n"), STORE_TROUBLE_NOPERM},
        {"RENAMENX", SLICE("-CROSSSLOT no\r\n"), STORE_TROUBLE_CLUSTER},
        {"EXEC", SLICE("-EXECABORT no\r\n"), STORE_TROUBLE_PROTOCOL},
        {"EXEC", SLICE("*4\r\n:0\r\n:1\r\n-OOM no\r\n:0\r\n"), STORE_TROUBLE_OOM},
    };
    struct fake_world *world = *state;
    const struct store_field field = {S("f"), S("v")};
    start_and_wait(world);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct fake_line script[] = {{cases[i].command, cases[i].reply},
                                           {"EXEC", SLICE("-EXECABORT no\r\n")},
                                           {NULL, SLICE("")}};
        world->fake.script = script;
        store_call_create_hash(world->call, S("k"), &field, 1);
        assert_unknown(world->call, cases[i].trouble);
        assert_int_equal(world->fake.accepted, 1);
    }
}

/* ---- silence and ends ---- */

static void test_never_answers(void **state) {
    static const struct fake_line mute[] = {{"HELLO", SLICE("")}, {NULL, SLICE("")}};
    struct fake_world *world = *state;
    world->fake.script = mute;
    start(world);
    test_loop_run_for(&world->loop, 1500);
    assert_int_equal(world->fake.accepted, 1);
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_DISCONNECTED);
    store_call_get(world->call, S("k"));
    assert_int_equal(world->call->progress, PROGRESS_DONE);
    assert_unknown(world->call, STORE_TROUBLE_DISCONNECTED);
    world->fake.script = NULL;
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 1500));
    assert_int_equal(world->fake.accepted, 2);
}

/* A deadline of the caller's own, before the store's and behind it, and one that is past. */
static void test_deadlines_of_the_caller(void **state) {
    static const struct fake_line mute[] = {{"GET", SLICE("")}, {NULL, SLICE("")}};
    static const unsigned waits_ms[] = {0, 100, 300, 50, 0, 150};
    enum { COUNT = sizeof waits_ms / sizeof waits_ms[0] };
    struct fake_world *world = *state;
    struct store_call *calls[COUNT];
    start_and_wait(world);
    world->fake.script = mute;
    struct lag lag;
    lag_start(&lag, &world->loop);
    uint64_t begun_ns = clock_monotonic_ns();
    for (unsigned i = 0; i < COUNT; i++) {
        calls[i] = store_call_new(&world->loop, world->store);
        calls[i]->deadline_ns = waits_ms[i] == 0 ? 0 : begun_ns + waits_ms[i] * 1000000u;
        store_call_get(calls[i], S("k"));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned wanted_ms = waits_ms[i] == 0 ? TIMEOUT_MS : waits_ms[i];
        assert_unknown(calls[i], STORE_TROUBLE_TIMEOUT);
        assert_in_range((calls[i]->ended_ns - begun_ns) / 1000000, wanted_ms - 1,
                        wanted_ms + stretched_ms(40) + lag.longest_ns / 1000000);
        assert_in_range(calls[i]->operation.deadline_ns, begun_ns + (wanted_ms - 1) * 1000000u,
                        begun_ns + (wanted_ms + 10) * 1000000u + lag.longest_ns);
        store_call_free(calls[i]);
    }
    lag_stop(&lag);
    unsigned commands = world->fake.commands;
    world->call->deadline_ns = begun_ns;
    store_call_get(world->call, S("k"));
    assert_int_equal(world->call->progress, PROGRESS_DONE);
    assert_unknown(world->call, STORE_TROUBLE_TIMEOUT);
    test_loop_run_for(&world->loop, 20);
    assert_int_equal(world->fake.commands, commands);
}

static void test_silent_once_up(void **state) {
    static const struct fake_line mute[] = {
        {"HELLO", SLICE("")}, {"GET", SLICE("")}, {NULL, SLICE("")}};
    struct fake_world *world = *state;
    start_and_wait(world);
    world->fake.script = mute;
    store_call_get(world->call, S("k"));
    assert_unknown(world->call, STORE_TROUBLE_TIMEOUT);
    uint64_t begun_ns = clock_monotonic_ns();
    assert_true(test_loop_run_until(&world->loop, store_is_away, world->store, 3000));
    assert_in_range((clock_monotonic_ns() - begun_ns) / 1000000, 900, stretched_ms(2300));
    world->fake.script = NULL;
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 1000));
}

static void test_idle_link_stays(void **state) {
    struct fake_world *world = *state;
    start_and_wait(world);
    unsigned commands = world->fake.commands;
    test_loop_run_for(&world->loop, 3500);
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_NONE);
    assert_int_equal(world->fake.accepted, 1);
    assert_int_equal(world->fake.commands, commands);
    assert_in_range(world->fake.questions, 2, 6);
    assert_int_equal(counter_read(&world->metrics.answers[STORE_FOUND]), 0);
    assert_int_equal(counter_read(&world->metrics.answers[STORE_UNKNOWN]), 0);
}

static bool was_hung_up_on(void *context) {
    const struct fake_redis *fake = context;
    return fake->accepted == 1 && fake->connections == NULL;
}

static void ask_and_be_cut(struct fake_world *world, const char *command) {
    start_and_wait(world);
    if (strcmp(command, "GET") == 0) {
        store_call_get(world->call, S("k"));
    } else {
        store_call_read_hash(world->call, S("k"));
    }
    assert_unknown(world->call, STORE_TROUBLE_DISCONNECTED);
}

/* The reply to each command is cut at each of its bytes. */
static void test_closed_at_every_byte(void **state) {
    static const struct {
        const char *command;
        size_t size; /* of its reply */
    } cases[] = {{"HELLO", 41}, {"SCHEMA", 7}, {"GET", 13}, {"HGETALL", 33}};
    for (unsigned c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        for (size_t cut = 0; cut < cases[c].size; cut++) {
            struct fake_world *world = fake_world_fresh(state);
            world->fake.script = good;
            world->fake.drop_command = cases[c].command;
            world->fake.drop_after = cut;
            if (c < 2) {
                start(world);
            } else {
                ask_and_be_cut(world, cases[c].command);
            }
            assert_true(test_loop_run_until(&world->loop, was_hung_up_on, &world->fake, 1000));
            world->fake.drop_command = NULL;
            assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 2000));
            assert_all_is_well(world);
            assert_int_equal(world->fake.accepted, 2);
        }
    }
}

static void test_error_first_then_close(void **state) {
    static const struct {
        struct slice words;
        enum store_trouble trouble;
    } cases[] = {
        {SLICE("-ERR max number of clients reached\r\n"), STORE_TROUBLE_DISCONNECTED},
        {SLICE("-DENIED Redis is running in protected mode\r\n"), STORE_TROUBLE_NOAUTH},
        {SLICE("-LOADING wait\r\n"), STORE_TROUBLE_LOADING},
        {SLICE("-NOAUTH HELLO must be called with the client already authenticated\r\n"),
         STORE_TROUBLE_NOAUTH},
        {SLICE("+what?\r\n"), STORE_TROUBLE_PROTOCOL},
        {SLICE("garbage"), STORE_TROUBLE_PROTOCOL},
    };
    struct fake_world *world = *state;
    world->fake.drop_at_once = true;
    start(world);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world->fake.first_words = cases[i].words;
        assert_true(store_wait_for(&world->loop, world->store, cases[i].trouble, 3000));
    }
    world->fake.drop_at_once = false;
    world->fake.first_words = S("");
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 2000));
}

static void test_schema_of_another_version(void **state) {
    static const struct fake_line script[] = {{"SCHEMA", SLICE("$1\r\n2\r\n")}, {NULL, SLICE("")}};
    struct fake_world *world = *state;
    world->fake.script = script;
    start(world);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_SCHEMA, 2000));
    store_call_get(world->call, S("k"));
    assert_int_equal(world->call->progress, PROGRESS_DONE);
    assert_unknown(world->call, STORE_TROUBLE_SCHEMA);
    assert_int_equal(counter_read(&world->metrics.link_up), 0);
    world->fake.script = NULL; /* looked at again every 5 s, on the same connection */
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_NONE, 6000));
    assert_int_equal(world->fake.accepted, 1);
    assert_int_equal(counter_read(&world->metrics.link_up), 1);
}

/* ---- from inside on_done, while the link is torn down ---- */

struct again {
    struct store_operation operation;
    struct store *store;
    unsigned answers;
    enum progress second;
    enum store_answer second_answer;
};

static void on_lost(struct store_operation *operation) {
    struct again *again = container_of(operation, struct again, operation);
    again->answers++;
    assert_int_equal(operation->answer, STORE_UNKNOWN);
    assert_int_equal(operation->trouble, STORE_TROUBLE_DISCONNECTED);
    again->second = store_get(again->store, S("k"), operation);
    again->second_answer = operation->answer;
}

static void test_verb_while_torn_down(void **state) {
    static const struct fake_line mute[] = {{"GET", SLICE("")}, {NULL, SLICE("")}};
    struct fake_world *world = *state;
    struct again again[8];
    start_and_wait(world);
    world->fake.script = mute;
    for (unsigned i = 0; i < 8; i++) {
        again[i] = (struct again){.operation.on_done = on_lost, .store = world->store};
        assert_int_equal(store_get(world->store, S("k"), &again[i].operation), PROGRESS_PENDING);
    }
    test_loop_run_for(&world->loop, 20);
    fake_redis_drop(&world->fake);
    assert_true(test_loop_run_until(&world->loop, store_is_away, world->store, 1000));
    test_loop_run_for(&world->loop, 1);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(again[i].answers, 1);
        assert_int_equal(again[i].second, PROGRESS_DONE);
        assert_int_equal(again[i].second_answer, STORE_UNKNOWN);
    }
}

/* ---- what the log says ---- */

/* Old servers repeat an unknown command with its arguments; ours hold the password. */
static void test_password_stays_out_of_the_log(void **state) {
    static const struct fake_line script[] = {
        {"HELLO", SLICE("-ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` "
                        "`svc` `hunter2-secret` \r\n")},
        {"AUTH", SLICE("-ERR unknown command `AUTH`, with args beginning with: `svc` "
                       "`hunter2-secret` \r\n")},
        {NULL, SLICE("")},
    };
    struct fake_world *world = *state;
    caught_log_start(LOG_DEBUG);
    world->fake.script = script;
    start(world);
    test_loop_run_for(&world->loop, 700);
    const char *log = caught_log_end();
    assert_non_null(strstr(log, "refused the greeting"));
    assert_null(strstr(log, "hunter2"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_world_open, fake_world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_reads_of_a_turn_share_a_command),
        TEST(test_read_after_another_is_asked_after_it),
        TEST(test_commands_gather_while_the_loop_is_busy),
        TEST(test_reads_gather_while_the_loop_is_busy),
        TEST(test_a_lone_command_leaves_at_once),
        TEST(test_replies_byte_by_byte),
        TEST(test_replies_of_resp2),
        TEST(test_pushes_between_replies),
        TEST(test_nonsense_drops_the_link),
        TEST(test_giant_text_is_bounded),
        TEST(test_too_big_to_hand_out),
        TEST(test_errors_by_their_first_word),
        TEST(test_readonly_again_and_again_backs_off),
        TEST(test_errors_inside_a_transaction),
        TEST(test_never_answers),
        TEST(test_deadlines_of_the_caller),
        TEST(test_silent_once_up),
        TEST(test_idle_link_stays),
        TEST(test_closed_at_every_byte),
        TEST(test_error_first_then_close),
        TEST(test_schema_of_another_version),
        TEST(test_verb_while_torn_down),
        TEST(test_password_stays_out_of_the_log),
    };
    return cmocka_run_group_tests(tests, fake_world_start_log, fake_world_stop_log);
}
