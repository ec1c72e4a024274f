/* Writes that wait for replicas, before a scripted Redis: WAIT that is short, late, refused,
 * unblocked or lost; and what goes on meanwhile over the other link. */
#include "support/fake_world.h"
#include "support/fault.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CROWD 50u
#define END                                                                                        \
    { NULL, SLICE("") }
#define TOKEN S("token:1")
#define ROLE(replicas) "*3\r\n$6\r\nmaster\r\n:0\r\n" replicas
#define REPLICA "*3\r\n$9\r\n127.0.0.1\r\n$1\r\n1\r\n$1\r\n0\r\n"

static const struct fake_line enough[] = {
    {"DEL", SLICE(":1\r\n")}, {"WAIT", SLICE(":1\r\n")}, {"GET", SLICE("$1\r\nv\r\n")}, END};
static const struct fake_line silent[] = {
    {"DEL", SLICE(":1\r\n")}, {"WAIT", SLICE("")}, {"GET", SLICE("$1\r\nv\r\n")}, END};

static bool second_is_up(void *context) {
    const struct fake_world *world = context;
    return counter_read(&world->metrics.durable_up) == 1;
}

static bool second_is_down(void *context) {
    return !second_is_up(context);
}

static void run_until(struct fake_world *world, bool (*is_so)(void *)) {
    assert_true(test_loop_run_until(&world->loop, is_so, world, 5000));
}

static void start_with(struct fake_world *world, struct redis_wait wait,
                       const struct fake_line *script) {
    struct redis_store_options options = fake_world_options(world);
    options.wait = wait;
    options.cache_size = 65536;
    world->fake.script = script;
    fake_world_start(world, &options);
    fake_world_wait_until_up(world);
}

static void start(struct fake_world *world, const struct fake_line *script) {
    start_with(world, (struct redis_wait){.replicas = 1}, script);
    run_until(world, second_is_up);
}

/* On the other link, with its answer at once. */
static void others_go_on(struct fake_world *world) {
    struct store_call *other = store_call_new(&world->loop, world->store);
    store_call_set(other, S("other"), S("v"), 60);
    assert_int_equal(store_call_wait(other), STORE_FOUND);
    store_call_get(other, TOKEN);
    assert_int_equal(store_call_wait(other), STORE_FOUND);
    store_call_free(other);
}

static bool a_wait_is_there(void *context) {
    const struct fake_world *world = context;
    return world->fake.waits != 0;
}

/* One whose WAIT is under way. */
static void begin_delete(struct fake_world *world) {
    world->fake.waits = 0;
    store_call_delete(world->call, TOKEN);
    run_until(world, a_wait_is_there);
    assert_false(store_call_has_ended(world->call));
}

static void deletes(struct fake_world *world) {
    store_call_delete(world->call, TOKEN);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
}

/* ---- WAIT is answered ---- */

static void test_enough(void **state) {
    struct fake_world *world = *state;
    start(world, enough);
    deletes(world);
    assert_int_equal(world->call->operation.number, 1);
    assert_int_equal(world->fake.waits, 1);
    assert_int_equal(world->fake.accepted, 2);
    unsigned ms = 0;
    assert_int_equal(sscanf(world->fake.last_wait, "WAIT 1 %u", &ms), 1);
    assert_in_range(ms, 50, 600);
    assert_int_equal(counter_read(&world->metrics.waits), 1);
    assert_int_equal(counter_read(&world->metrics.waits_short), 0);
}

static void test_too_few(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line few[] = {
        {"DEL", SLICE(":1\r\n")}, {"WAIT", SLICE(":1\r\n")}, {"GET", SLICE("$1\r\nv\r\n")}, END};
    start_with(world, (struct redis_wait){.replicas = 2}, few);
    run_until(world, second_is_up);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_NOREPLICAS);
    assert_int_equal(counter_read(&world->metrics.waits_short), 1);
    others_go_on(world);
    static const struct fake_line then[] = {
        {"DEL", SLICE(":1\r\n")}, {"WAIT", SLICE(":2\r\n")}, END};
    world->fake.script = then;
    deletes(world); /* on the same connection */
    assert_int_equal(world->fake.accepted, 2);
}

/* A WAIT may take longer than its time: its operation does not. */
static void test_late(void **state) {
    struct fake_world *world = *state;
    start(world, silent);
    begin_delete(world);
    others_go_on(world);
    assert_unknown(world->call, STORE_TROUBLE_NOREPLICAS);
    fake_redis_answer(&world->fake, S(":1\r\n"));
    world->fake.script = enough;
    deletes(world);
    assert_int_equal(world->fake.accepted, 2);
}

/* What the node itself does not answer in time is not known to be done. */
static void test_its_own_reply_is_late(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line mute[] = {{"DEL", SLICE("")}, {"WAIT", SLICE("")}, END};
    start(world, mute);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_TIMEOUT);
    fake_redis_answer(&world->fake, S(":1\r\n:1\r\n"));
    world->fake.script = enough;
    deletes(world);
    assert_int_equal(world->fake.accepted, 2);
}

static void test_its_own_reply_is_an_error(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line full[] = {
        {"DEL", SLICE("-OOM no\r\n")}, {"WAIT", SLICE("")}, END};
    start(world, full);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_OOM); /* ahead of WAIT's */
    fake_redis_answer(&world->fake, S(":1\r\n"));
}

/* ---- a deletion that found nothing ---- */

static const struct fake_line nothing[] = {
    {"DEL", SLICE(":0\r\n")}, {"WAIT", SLICE(":1\r\n")}, {"GET", SLICE("$1\r\nv\r\n")}, END};
static const struct fake_line nothing_and_silent[] = {
    {"DEL", SLICE(":0\r\n")}, {"WAIT", SLICE("")}, {"GET", SLICE("$1\r\nv\r\n")}, END};

/* It has written nothing: what WAIT says is about what this connection wrote last. */
static void test_a_mark_stands_for_it(void **state) {
    struct fake_world *world = *state;
    start(world, nothing);
    unsigned before = world->fake.commands;
    deletes(world);
    assert_int_equal(world->call->operation.number, 0);
    assert_int_equal(world->fake.commands - before, 4); /* DEL, WAIT; SETEX, WAIT */
    assert_int_equal(world->fake.waits, 2);
    world->fake.script = enough;
    deletes(world); /* none for this one */
    assert_int_equal(world->fake.commands - before, 6);
}

/* They share one, and none of them waits for those that did change something. */
static void test_some_of_a_batch_found_nothing(void **state) {
    struct fake_world *world = *state;
    struct store_call *crowd[3];
    start(world, nothing);
    unsigned before = world->fake.commands;
    for (unsigned i = 0; i < 3; i++) {
        crowd[i] = store_call_new(&world->loop, world->store);
        store_call_delete(crowd[i], TOKEN);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(store_call_wait(crowd[i]), STORE_FOUND);
        store_call_free(crowd[i]);
    }
    assert_int_equal(world->fake.commands - before, 3 + 1 + 2);
}

static void test_its_mark_is_refused(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line full[] = {
        {"DEL", SLICE(":0\r\n")}, {"WAIT", SLICE(":1\r\n")}, {"SETEX", SLICE("-OOM no\r\n")}, END};
    start(world, full);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_OOM);
    world->fake.script = enough;
    deletes(world);
    assert_int_equal(world->fake.accepted, 2); /* on the same connection */
}

static void test_its_mark_is_lost(void **state) {
    struct fake_world *world = *state;
    start(world, nothing);
    world->fake.drop_command = "SETEX";
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_DISCONNECTED);
    world->fake.drop_command = NULL;
    others_go_on(world);
    run_until(world, second_is_up);
    deletes(world);
}

static void test_the_mark_meets_a_replica(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line demoted[] = {{"DEL", SLICE(":0\r\n")},
                                               {"WAIT", SLICE(":1\r\n")},
                                               {"SETEX", SLICE("-READONLY no\r\n")},
                                               END};
    start(world, demoted);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_READONLY);
    world->fake.script = nothing;
    fake_world_wait_until_up(world);
    run_until(world, second_is_up);
    deletes(world);
    assert_int_equal(world->fake.accepted, 4); /* both were left */
}

static bool two_waits_are_there(void *context) {
    const struct fake_world *world = context;
    return world->fake.waits == 2;
}

/* Behind its mark, or ahead of it. */
static void test_it_is_late(void **state) {
    struct fake_world *world = *state;
    start(world, nothing_and_silent);
    begin_delete(world);
    assert_unknown(world->call, STORE_TROUBLE_NOREPLICAS);
    world->fake.script = nothing;
    fake_redis_answer(&world->fake, S(":1\r\n"));
    deletes(world);

    world->fake.script = nothing_and_silent;
    begin_delete(world);
    fake_redis_answer(&world->fake, S(":1\r\n"));
    run_until(world, two_waits_are_there);
    assert_unknown(world->call, STORE_TROUBLE_NOREPLICAS);
    world->fake.script = nothing;
    fake_redis_answer(&world->fake, S(":1\r\n"));
    deletes(world);
    assert_int_equal(world->fake.accepted, 2);
}

/* ---- batches ---- */

static void test_those_that_gather_share_one(void **state) {
    struct fake_world *world = *state;
    struct store_call *crowd[CROWD];
    start(world, silent);
    begin_delete(world);
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = store_call_new(&world->loop, world->store);
        store_call_delete(crowd[i], TOKEN);
    }
    others_go_on(world);
    assert_int_equal(world->fake.deletes, 1); /* these have not left */
    world->fake.script = enough;
    fake_redis_answer(&world->fake, S(":1\r\n"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(store_call_wait(crowd[i]), STORE_FOUND);
        store_call_free(crowd[i]);
    }
    assert_int_equal(world->fake.deletes, 1 + CROWD);
    assert_int_equal(world->fake.waits, 2);
}

/* One of a batch runs out of time: the others still have theirs. */
static void test_one_of_a_batch_is_late(void **state) {
    struct fake_world *world = *state;
    struct store_call *crowd[3];
    start(world, silent);
    begin_delete(world);
    for (unsigned i = 0; i < 3; i++) {
        crowd[i] = store_call_new(&world->loop, world->store);
    }
    fake_redis_answer(&world->fake, S(":1\r\n"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    for (unsigned i = 0; i < 3; i++) {
        crowd[i]->deadline_ns = i == 1 ? uv_hrtime() + 100000000u : uv_hrtime() + 5000000000u;
        store_call_delete(crowd[i], TOKEN);
    }
    assert_unknown(crowd[1], STORE_TROUBLE_NOREPLICAS);
    assert_false(store_call_has_ended(crowd[0]));
    unsigned ms = 0;
    assert_int_equal(sscanf(world->fake.last_wait, "WAIT 1 %u", &ms), 1);
    assert_in_range(ms, 50, 100);
    fake_redis_answer(&world->fake, S(":1\r\n"));
    assert_int_equal(store_call_wait(crowd[0]), STORE_FOUND);
    assert_int_equal(store_call_wait(crowd[2]), STORE_FOUND);
    for (unsigned i = 0; i < 3; i++) {
        store_call_free(crowd[i]);
    }
}

/* However much time there is: a link that is silent for 2 s is lost. */
static void test_no_wait_is_longer_than_silence_may_be(void **state) {
    struct fake_world *world = *state;
    start(world, enough);
    world->call->deadline_ns = uv_hrtime() + 9000000000u;
    deletes(world);
    unsigned ms = 0;
    assert_int_equal(sscanf(world->fake.last_wait, "WAIT 1 %u", &ms), 1);
    assert_int_equal(ms, 1500);
}

/* ---- the second link is lost ---- */

static void test_lost(void **state) {
    struct fake_world *world = *state;
    start(world, silent);
    begin_delete(world);
    fake_redis_drop_owing(&world->fake);
    assert_unknown(world->call, STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_NONE);
    others_go_on(world);
    world->fake.script = enough;
    run_until(world, second_is_up);
    deletes(world);
    assert_int_equal(counter_read(&world->metrics.connects), 1); /* the first is what it was */
}

static void test_while_it_is_away_others_go_on(void **state) {
    struct fake_world *world = *state;
    start(world, silent);
    begin_delete(world);
    static const struct fake_line then[] = {
        {"TRY", SLICE("-NOPERM no\r\n")}, {"GET", SLICE("$1\r\nv\r\n")}, END};
    world->fake.script = then;
    fake_redis_drop_owing(&world->fake);
    assert_unknown(world->call, STORE_TROUBLE_DISCONNECTED);
    run_until(world, second_is_down);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(world->call->progress, PROGRESS_DONE); /* at once */
    others_go_on(world);
}

/* Both go to the same Redis: where the first is lost, so is the second. */
static void test_the_first_is_lost(void **state) {
    struct fake_world *world = *state;
    start(world, silent);
    begin_delete(world);
    world->fake.drop_command = "GET";
    struct store_call *other = store_call_new(&world->loop, world->store);
    store_call_get(other, TOKEN);
    assert_unknown(other, STORE_TROUBLE_DISCONNECTED);
    assert_unknown(world->call, STORE_TROUBLE_DISCONNECTED);
    world->fake.drop_command = NULL;
    world->fake.script = enough;
    fake_world_wait_until_up(world);
    run_until(world, second_is_up);
    deletes(world);
    store_call_free(other);
}

static void test_unblocked(void **state) {
    struct fake_world *world = *state;
    start(world, silent);
    begin_delete(world);
    fake_redis_answer(&world->fake, S("-UNBLOCKED force unblock from blocking operation\r\n"));
    assert_unknown(world->call, STORE_TROUBLE_READONLY);
    assert_int_not_equal(store_trouble_now(world->store), STORE_TROUBLE_NONE); /* both are left */
    world->fake.script = enough;
    fake_world_wait_until_up(world);
    run_until(world, second_is_up);
    deletes(world);
    assert_int_equal(world->fake.accepted, 4);
}

static void test_readonly(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line replica[] = {
        {"DEL", SLICE("-READONLY no\r\n")}, {"WAIT", SLICE("-ERR WAIT cannot\r\n")}, END};
    start(world, replica);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_READONLY);
    assert_int_not_equal(store_trouble_now(world->store), STORE_TROUBLE_NONE);
}

/* An answer that is none: the link is made anew. */
static void test_nonsense(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line nonsense[] = {
        {"DEL", SLICE(":1\r\n")}, {"WAIT", SLICE("+OK\r\n")}, {"GET", SLICE("$1\r\nv\r\n")}, END};
    start(world, nonsense);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_PROTOCOL);
    static const struct fake_line then[] = {{"DEL", SLICE(":1\r\n")},
                                            {"WAIT", SLICE("-ERR no\r\n")},
                                            {"GET", SLICE("$1\r\nv\r\n")},
                                            END};
    world->fake.script = then;
    others_go_on(world);
    run_until(world, second_is_up);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_PROTOCOL);
}

static void test_the_store_closes(void **state) {
    struct fake_world *world = *state;
    start(world, silent);
    begin_delete(world);
    struct store_call *gathered = store_call_new(&world->loop, world->store);
    store_call_delete(gathered, TOKEN);
    store_crew_drop(&world->crew, world->store);
    assert_unknown(world->call, STORE_TROUBLE_DISCONNECTED);
    assert_unknown(gathered, STORE_TROUBLE_DISCONNECTED);
    store_call_free(gathered);
}

/* ---- a greeting ---- */

static void assert_refused(void **state, struct redis_wait wait, struct slice reply,
                           enum store_trouble trouble) {
    struct fake_world *world = fake_world_fresh(state);
    const struct fake_line script[] = {{"TRY", reply}, {"GET", SLICE("$1\r\nv\r\n")}, END};
    start_with(world, wait, script);
    test_loop_run_for(&world->loop, 100);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, trouble);
    others_go_on(world);
    assert_int_equal(world->fake.deletes, 0);
    world->fake.script = NULL;
}

static void test_refused(void **state) {
    const struct redis_wait one = {.replicas = 1}, files = {.files = true};
    assert_refused(state, one, S("-NOPERM no\r\n"), STORE_TROUBLE_NOPERM);
    assert_refused(state, one, S("+OK\r\n"), STORE_TROUBLE_PROTOCOL);
    assert_refused(state, files, S("-ERR unknown command 'WAITAOF'\r\n"), STORE_TROUBLE_PROTOCOL);
    assert_refused(state, files, S(":1\r\n"), STORE_TROUBLE_PROTOCOL);
}

/* ---- auto ---- */

static const struct fake_line none[] = {{"DEL", SLICE(":1\r\n")}, {"WAIT", SLICE("")}, END};
static const struct fake_line two[] = {{"ROLE", SLICE(ROLE("*2\r\n" REPLICA REPLICA))},
                                       {"DEL", SLICE(":1\r\n")},
                                       {"WAIT", SLICE(":2\r\n")},
                                       END};

static bool waits_by_now(void *context) {
    struct fake_world *world = context;
    deletes(world);
    return world->fake.waits != 0;
}

static void test_auto(void **state) {
    struct fake_world *world = *state;
    start_with(world, (struct redis_wait){.is_auto = true}, none);
    run_until(world, second_is_up);
    deletes(world); /* no replica, no WAIT */
    assert_int_equal(world->fake.waits, 0);
    world->fake.script = two; /* which is looked at now and then */
    for (unsigned i = 0; i < 100 && !waits_by_now(world); i++) {
        test_loop_run_for(&world->loop, 50);
    }
    unsigned ms;
    assert_int_equal(sscanf(world->fake.last_wait, "WAIT 2 %u", &ms), 1);
}

static void test_auto_from_the_greeting_on(void **state) {
    struct fake_world *world = *state;
    start_with(world, (struct redis_wait){.is_auto = true}, two);
    run_until(world, second_is_up);
    deletes(world);
    assert_int_equal(world->fake.waits, 1);
}

static void test_auto_without_the_right_to_role(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line refused[] = {
        {"ROLE", SLICE("-NOPERM no\r\n")}, {"GET", SLICE("$1\r\nv\r\n")}, END};
    start_with(world, (struct redis_wait){.is_auto = true}, refused);
    test_loop_run_for(&world->loop, 100);
    store_call_delete(world->call, TOKEN);
    assert_unknown(world->call, STORE_TROUBLE_NOPERM);
    others_go_on(world);
}

/* ---- files ---- */

static void assert_files(void **state, struct slice reply, unsigned replicas,
                         enum store_trouble trouble) {
    struct fake_world *world = fake_world_fresh(state);
    const struct fake_line script[] = {{"DEL", SLICE(":1\r\n")}, {"WAITAOF", reply}, END};
    start_with(world, (struct redis_wait){.replicas = replicas, .files = true}, script);
    run_until(world, second_is_up);
    store_call_delete(world->call, TOKEN);
    if (trouble == STORE_TROUBLE_NONE) {
        assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    } else {
        assert_unknown(world->call, trouble);
    }
    unsigned number, ms;
    assert_int_equal(sscanf(world->fake.last_wait, "WAITAOF 1 %u %u", &number, &ms), 2);
    assert_int_equal(number, replicas);
    world->fake.script = NULL;
}

static void test_files(void **state) {
    assert_files(state, S("*2\r\n:1\r\n:0\r\n"), 0, STORE_TROUBLE_NONE);
    assert_files(state, S("*2\r\n:0\r\n:2\r\n"), 0, STORE_TROUBLE_NOREPLICAS);
    assert_files(state, S("*2\r\n:1\r\n:0\r\n"), 1, STORE_TROUBLE_NOREPLICAS);
    assert_files(state, S("*2\r\n:1\r\n:1\r\n"), 1, STORE_TROUBLE_NONE);
    assert_files(state, S(":1\r\n"), 1, STORE_TROUBLE_PROTOCOL);
}

/* ---- mints ---- */

static void start_to_mint(struct fake_world *world, bool mints, const struct fake_line *script) {
    start_with(world, (struct redis_wait){.replicas = 1, .mints = mints}, script);
    run_until(world, second_is_up);
}

/* The copy of a client's record. */
static struct store_premise read_premise(struct fake_world *world) {
    store_call_get(world->call, S("client:1"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    store_call_get(world->call, S("client:1"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    assert_true(world->call->operation.from_memory);
    return (struct store_premise){S("client:1"), world->call->operation.copy};
}

static void test_mints_wait_where_they_are_to(void **state) {
    for (unsigned mints = 0; mints <= 1; mints++) {
        struct fake_world *world = fake_world_fresh(state);
        start_to_mint(world, mints, enough);
        const struct store_premise premise = read_premise(world);
        unsigned pings = world->fake.pings;
        store_call_set_on_premises(world->call, TOKEN, S("v"), 60, &premise, 1);
        assert_int_equal(store_call_wait(world->call), STORE_FOUND);
        assert_true(world->call->operation.holds);
        assert_int_equal(world->fake.waits, mints);
        assert_int_equal(world->fake.pings - pings, mints); /* the first link confirms */
        store_call_set(world->call, S("sign of life"), S("v"), 60);
        assert_int_equal(store_call_wait(world->call), STORE_FOUND);
        assert_int_equal(world->fake.waits, mints);
    }
}

/* What the first link brought counts, not when the second had its answer. */
static void test_a_premise_that_changes(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line held[] = {
        {"WAIT", SLICE(":1\r\n")}, {"GET", SLICE("$1\r\nv\r\n")}, {"PING", SLICE("")}, END};
    start_to_mint(world, true, held);
    const struct store_premise premise = read_premise(world);
    world->fake.waits = 0;
    store_call_set_on_premises(world->call, TOKEN, S("v"), 60, &premise, 1);
    run_until(world, a_wait_is_there);
    test_loop_run_for(&world->loop, 50);
    assert_false(store_call_has_ended(world->call));
    fake_redis_answer(&world->fake, S(">2\r\n$10\r\ninvalidate\r\n*1\r\n$14\r\nmintd:client:1\r\n"
                                      "+PONG\r\n"));
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    assert_false(world->call->operation.holds);
}

static void test_the_first_link_does_not_confirm(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line held[] = {
        {"WAIT", SLICE(":1\r\n")}, {"GET", SLICE("$1\r\nv\r\n")}, {"PING", SLICE("")}, END};
    start_to_mint(world, true, held);
    const struct store_premise premise = read_premise(world);
    store_call_set_on_premises(world->call, TOKEN, S("v"), 60, &premise, 1);
    assert_unknown(world->call, STORE_TROUBLE_TIMEOUT);
}

static void test_too_few_have_a_mint(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line few[] = {
        {"WAIT", SLICE(":0\r\n")}, {"GET", SLICE("$1\r\nv\r\n")}, END};
    start_to_mint(world, true, few);
    const struct store_premise premise = read_premise(world);
    store_call_set_on_premises(world->call, TOKEN, S("v"), 60, &premise, 1);
    assert_unknown(world->call, STORE_TROUBLE_NOREPLICAS);
    world->fake.script = silent;
    store_call_set_on_premises(world->call, TOKEN, S("v"), 60, &premise, 1);
    assert_unknown(world->call, STORE_TROUBLE_NOREPLICAS); /* by its own deadline */
}

/* ---- law L6 ---- */

static void test_what_is_deleted_is_forgotten(void **state) {
    struct fake_world *world = *state;
    start(world, enough);
    store_call_get(world->call, TOKEN);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    deletes(world);
    static const struct fake_line then[] = {{"GET", SLICE("$-1\r\n")}, END};
    world->fake.script = then;
    store_call_get(world->call, TOKEN);
    assert_int_equal(store_call_wait(world->call), STORE_ABSENT);
}

/* ---- no memory ---- */

/* A good answer, OVERLOADED, or a link that is lost; and never a mint that holds by mistake. */
static void test_any_allocation_may_fail(void **state) {
    unsigned failures = 0;
    for (unsigned n = 1; n < 12; n++) {
        struct fake_world *world = fake_world_fresh(state);
        start_to_mint(world, true, enough);
        const struct store_premise premise = read_premise(world);
        struct store_call *deletion = store_call_new(&world->loop, world->store);
        fault_fail_at(n);
        store_call_delete(deletion, TOKEN);
        store_call_set_on_premises(world->call, TOKEN, S("v"), 60, &premise, 1);
        store_flush(world->store);
        fault_disarm();
        bool deleted = store_call_wait(deletion) == STORE_FOUND;
        bool minted = store_call_wait(world->call) == STORE_FOUND && world->call->operation.holds;
        failures += !deleted || !minted;
        store_call_free(deletion);
        run_until(world, second_is_up);
        deletes(world);
    }
    assert_in_range(failures, 1, 11);
}

static void test_store_without_memory(void **state) {
    struct fake_world *world = *state;
    struct redis_store_options options = fake_world_options(world);
    options.wait = (struct redis_wait){.replicas = 1};
    bool done = false;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_world_open, fake_world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_enough),
        TEST(test_too_few),
        TEST(test_late),
        TEST(test_its_own_reply_is_late),
        TEST(test_its_own_reply_is_an_error),
        TEST(test_a_mark_stands_for_it),
        TEST(test_some_of_a_batch_found_nothing),
        TEST(test_its_mark_is_refused),
        TEST(test_its_mark_is_lost),
        TEST(test_the_mark_meets_a_replica),
        TEST(test_it_is_late),
        TEST(test_those_that_gather_share_one),
        TEST(test_one_of_a_batch_is_late),
        TEST(test_no_wait_is_longer_than_silence_may_be),
        TEST(test_lost),
        TEST(test_while_it_is_away_others_go_on),
        TEST(test_the_first_is_lost),
        TEST(test_unblocked),
        TEST(test_readonly),
        TEST(test_nonsense),
        TEST(test_the_store_closes),
        TEST(test_refused),
        TEST(test_auto),
        TEST(test_auto_from_the_greeting_on),
        TEST(test_auto_without_the_right_to_role),
        TEST(test_files),
        TEST(test_mints_wait_where_they_are_to),
        TEST(test_a_premise_that_changes),
        TEST(test_the_first_link_does_not_confirm),
        TEST(test_too_few_have_a_mint),
        TEST(test_what_is_deleted_is_forgotten),
        TEST(test_any_allocation_may_fail),
        TEST(test_store_without_memory),
    };
    return cmocka_run_group_tests(tests, fake_world_start_log, fake_world_stop_log);
}
