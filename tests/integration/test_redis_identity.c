/* The identity of a Redis that says anything at all of it: refusals, nothing, too much, another
 * type. No answer is not a no: the data is called gone or foreign only where Redis said so. */
#include "store/link/reply.h"
#include "store/redis/redis_store_internal.h"
#include "support/fake_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define NIL "_\r\n"
#define WRONGTYPE "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"

/* What the store told of the identity, in order: "refused <reply>;" and the like. */
struct news {
    char text[1024];
};

static void on_identity(void *context, enum redis_identity_news what, struct slice before,
                        struct slice now) {
    static const char *const names[] = {"changed", "wrong", "refused"};
    struct news *news = context;
    struct buffer text = buffer_of(news->text, sizeof news->text - 1);
    text.size = strlen(news->text);
    buffer_append_format(&text, "%s", names[what]);
    buffer_append(&text, S(" "));
    buffer_append(&text, slice_is_absent(before) ? S("-") : before);
    buffer_append(&text, S(" > "));
    buffer_append(&text, now);
    buffer_append(&text, S(";"));
    news->text[text.size] = '\0';
}

static void start(struct fake_world *world, struct news *news, struct slice pinned) {
    struct redis_store_options options = fake_world_options(world);
    options.identity_seed = S("seed");
    options.identity = pinned;
    options.on_identity = on_identity;
    options.identity_context = news;
    news->text[0] = '\0';
    fake_world_start(world, &options);
}

static void assert_told(const struct news *news, const char *text) {
    assert_string_equal(news->text, text);
}

static void lose_the_link(struct fake_world *world) {
    fake_redis_drop(&world->fake);
    assert_true(test_loop_run_until(&world->loop, store_is_away, world->store, 5000));
}

/* One that has none is given one, and asked again: another instance may have been quicker. */
static void test_one_is_made(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line without[] = {
        {"IDENTITY", SLICE(NIL)}, {"SET", SLICE("")}, {NULL, SLICE("")}};
    struct news news;
    world->fake.script = without;
    start(world, &news, SLICE_ABSENT);
    while (world->fake.sets == 0) {
        test_loop_run_for(&world->loop, 1);
    }
    assert_string_equal(world->fake.last_command, "SET mintd:identity seed-0 NX");
    world->fake.script = NULL; /* from now on it has one, of another instance */
    fake_redis_say(&world->fake, S(NIL));
    fake_world_wait_until_up(world);
    assert_int_equal(world->fake.sets, 1);
    assert_told(&news, "");
}

/* SET NX says nil, and the key is gone again at each look: it has none then, and is served. */
static void test_nil_after_set(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line gone[] = {
        {"IDENTITY", SLICE(NIL)}, {"SET", SLICE(NIL)}, {NULL, SLICE("")}};
    struct news news;
    world->fake.script = gone;
    start(world, &news, SLICE_ABSENT);
    fake_world_wait_until_up(world);
    assert_int_equal(world->fake.sets, 3);
    assert_told(&news, "");
    world->fake.script = NULL; /* then it has one: that is no change */
    lose_the_link(world);
    fake_world_wait_until_up(world);
    assert_told(&news, "");
}

/* It may not be made, for a reason that says nothing of the link. */
static void test_set_is_refused(void **state) {
    static const struct {
        struct slice reply;
        const char *told;
    } table[] = {
        {SLICE("-OOM command not allowed when used memory > 'maxmemory'.\r\n"),
         "refused - > OOM command not allowed when used memory > 'maxmemory'.;"},
        {SLICE("-NOPERM no\r\n"), "refused - > NOPERM no;"},
        {SLICE("-MISCONF no\r\n"), "refused - > MISCONF no;"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fake_world *world = fake_world_fresh(state);
        const struct fake_line script[] = {
            {"IDENTITY", SLICE(NIL)}, {"SET", table[i].reply}, {NULL, SLICE("")}};
        struct news news;
        world->fake.script = script;
        start(world, &news, SLICE_ABSENT);
        fake_world_wait_until_up(world);
        assert_told(&news, table[i].told);
        lose_the_link(world);
        fake_world_wait_until_up(world);
        assert_told(&news, table[i].told); /* once */
        assert_int_equal(world->fake.sets, 2);
        world->fake.script = NULL;
    }
}

/* Who may not be written to is not the master: the link is left, and nothing is known. */
static void test_set_is_readonly(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line script[] = {
        {"IDENTITY", SLICE(NIL)},
        {"SET", SLICE("-READONLY You can't write against a read only replica.\r\n")},
        {NULL, SLICE("")}};
    struct news news;
    world->fake.script = script;
    start(world, &news, SLICE_ABSENT);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_READONLY, 5000));
    assert_int_equal(counter_read(&world->metrics.connects), 0);
    world->fake.script = NULL;
    fake_world_wait_until_up(world);
    assert_told(&news, "");
}

/* A key of another type is told once; it is served, as long as no identity is wanted. */
static void test_wrongtype(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line script[] = {{"IDENTITY", SLICE(WRONGTYPE)}, {NULL, SLICE("")}};
    struct news news;
    static const char told[] =
        "refused - > WRONGTYPE Operation against a key holding the wrong kind of value;";
    world->fake.script = script;
    start(world, &news, SLICE_ABSENT);
    fake_world_wait_until_up(world);
    assert_told(&news, told);
    lose_the_link(world);
    fake_world_wait_until_up(world);
    assert_told(&news, told);
    assert_int_equal(world->fake.sets, 0);
}

static void test_wrongtype_where_one_is_wanted(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line script[] = {{"IDENTITY", SLICE(WRONGTYPE)}, {NULL, SLICE("")}};
    struct news news;
    world->fake.script = script;
    start(world, &news, S("identity"));
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_IDENTITY, 5000));
    assert_told(&news, "refused - > WRONGTYPE Operation against a key holding the wrong kind of "
                       "value;wrong identity > ;");
    world->fake.script = NULL; /* it can be read now */
    fake_world_wait_until_up(world);
}

/* What was known stays where it cannot be read: no change is told. */
static void test_what_was_known_stays(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line script[] = {{"IDENTITY", SLICE("-NOPERM no\r\n")},
                                              {NULL, SLICE("")}};
    struct news news;
    start(world, &news, SLICE_ABSENT);
    fake_world_wait_until_up(world);
    world->fake.script = script;
    lose_the_link(world);
    fake_world_wait_until_up(world);
    world->fake.script = NULL;
    lose_the_link(world);
    fake_world_wait_until_up(world);
    assert_told(&news, "refused - > NOPERM no;");
}

/* Redis may be another one, and cannot say so now: that is no word about it, and no refusal. */
static void test_a_doubt_stays_until_it_is_answered(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line busy[] = {
        {"IDENTITY", SLICE("-BUSY Redis is busy running a script.\r\n")}, {NULL, SLICE("")}};
    struct news news;
    start(world, &news, S("identity"));
    fake_world_wait_until_up(world);
    unsigned before = world->fake.commands;
    world->fake.script = busy;
    identity_doubt(&redis_store_of(world->store)->identity);
    fake_world_wait_for_commands(world, before + 2); /* and the next look */
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_IDENTITY);
    assert_told(&news, "");
    world->fake.script = NULL;
    fake_world_wait_until_up(world);
    assert_told(&news, "");
}

/* No reply to a GET: those that follow would be off by one. */
static void test_another_type_of_reply(void **state) {
    static const struct slice replies[] = {
        SLICE(":1\r\n"),
        SLICE("*0\r\n"),
        SLICE("*1\r\n$1\r\na\r\n"),
        SLICE("%0\r\n"),
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct fake_world *world = fake_world_fresh(state);
        const struct fake_line script[] = {{"IDENTITY", replies[i]}, {NULL, SLICE("")}};
        struct news news;
        world->fake.script = script;
        start(world, &news, SLICE_ABSENT);
        assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_PROTOCOL, 5000));
        assert_int_equal(counter_read(&world->metrics.connects), 0);
        assert_told(&news, "");
        world->fake.script = NULL;
        fake_world_wait_until_up(world);
    }
}

/* The longest that is kept, and one that is longer: only its first bytes are. */
static void test_long_ones(void **state) {
    struct fake_world *world = *state;
    char longest[REDIS_IDENTITY_MAX + 1], reply[128], longer[256], told[256];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    snprintf(reply, sizeof reply, "$%u\r\n%s\r\n", REDIS_IDENTITY_MAX, longest);
    snprintf(longer, sizeof longer, "$%u\r\n%sy\r\n", REDIS_IDENTITY_MAX + 1, longest);
    snprintf(told, sizeof told, "changed %s > identity;", longest);
    const struct fake_line first[] = {{"IDENTITY", slice_of_string(reply)}, {NULL, SLICE("")}};
    const struct fake_line second[] = {{"IDENTITY", slice_of_string(longer)}, {NULL, SLICE("")}};
    struct news news;
    world->fake.script = first;
    start(world, &news, SLICE_ABSENT);
    fake_world_wait_until_up(world);
    world->fake.script = second;
    lose_the_link(world);
    fake_world_wait_until_up(world);
    assert_told(&news, "");
    world->fake.script = NULL;
    lose_the_link(world);
    fake_world_wait_until_up(world);
    assert_told(&news, told);
}

/* More than a reply may have: the link is left, and the reason names what it was about. */
static void test_oversized_reply(void **state) {
    struct fake_world *world = *state;
    enum { SIZE = REPLY_BUFFERED_MAX + 1 };
    static char text[SIZE + 32];
    int head = snprintf(text, 32, "$%d\r\n", SIZE);
    memset(text + head, 'x', SIZE);
    memcpy(text + head + SIZE, "\r\n", 2);
    const struct fake_line script[] = {{"IDENTITY", slice_of(text, (size_t)head + SIZE + 2)},
                                       {NULL, SLICE("")}};
    struct news news;
    world->fake.script = script;
    start(world, &news, SLICE_ABSENT);
    assert_true(store_wait_for(&world->loop, world->store, STORE_TROUBLE_PROTOCOL, 5000));
    assert_non_null(strstr(redis_store_reason(world->store), "identity is too big"));
    assert_told(&news, "");
    world->fake.script = NULL;
    fake_world_wait_until_up(world);
}

/* ---- where one is pinned ---- */

#define EMPTIED ">2\r\n$10\r\ninvalidate\r\n_\r\n"
#define CHANGED_KEY ">2\r\n$10\r\ninvalidate\r\n*1\r\n$14\r\nmintd:identity\r\n"

/* Without memory nothing tells: an answer is doubtful, and who confirms it asks for the identity.
 * Once that is another one, all is unknown. */
static void test_answers_that_nothing_guards_are_doubtful(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line nothing[] = {
        {"GET", SLICE(NIL)}, {"DEL", SLICE(":0\r\n")}, {NULL, SLICE("")}};
    static const struct fake_line other[] = {
        {"IDENTITY", SLICE("$5\r\nother\r\n")}, {"GET", SLICE(NIL)}, {NULL, SLICE("")}};
    struct news news;
    struct store_call *call;
    start(world, &news, S("identity"));
    fake_world_wait_until_up(world);
    call = world->call;
    world->fake.script = nothing;
    store_call_get(call, S("k"));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
    assert_true(call->operation.is_doubtful);
    store_call_delete(call, S("k"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_true(call->operation.is_doubtful);
    store_call_fence(call);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_true(call->operation.holds);
    assert_string_equal(world->fake.last_command, "GET mintd:identity");
    world->fake.script = other;
    store_call_get(call, S("k"));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
    unsigned before = world->fake.commands;
    store_call_fence(call);
    assert_unknown(call, STORE_TROUBLE_IDENTITY);
    store_call_get(call, S("k"));
    assert_unknown(call, STORE_TROUBLE_IDENTITY);
    fake_world_wait_for_commands(world, before + 2); /* the question, and a look */
    world->fake.script = NULL;
    fake_world_wait_until_up(world);
    assert_told(&news, "changed identity > other;wrong identity > other;changed other > identity;");
}

/* That there is none is another one too; and what says nothing of it is no word about it. */
static void test_what_a_confirmation_gets(void **state) {
    static const struct {
        struct slice reply;
        enum store_trouble trouble;
    } table[] = {
        {SLICE(NIL), STORE_TROUBLE_IDENTITY},
        {SLICE("$0\r\n\r\n"), STORE_TROUBLE_IDENTITY},
        {SLICE("-BUSY Redis is busy running a script.\r\n"), STORE_TROUBLE_PROTOCOL},
        {SLICE("-NOPERM no\r\n"), STORE_TROUBLE_NOPERM},
        {SLICE(":1\r\n"), STORE_TROUBLE_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fake_world *world = fake_world_fresh(state);
        const struct fake_line script[] = {{"IDENTITY", table[i].reply}, {NULL, SLICE("")}};
        struct news news;
        start(world, &news, S("identity"));
        fake_world_wait_until_up(world);
        world->fake.script = script;
        store_call_fence(world->call);
        assert_unknown(world->call, table[i].trouble);
        world->fake.script = NULL;
    }
}

/* Where none is pinned nothing is doubtful, and a confirmation asks for no identity. */
static void test_where_none_is_pinned(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line nothing[] = {{"GET", SLICE(NIL)}, {NULL, SLICE("")}};
    struct news news;
    start(world, &news, SLICE_ABSENT);
    fake_world_wait_until_up(world);
    world->fake.script = nothing;
    store_call_get(world->call, S("k"));
    assert_int_equal(store_call_wait(world->call), STORE_ABSENT);
    assert_false(world->call->operation.is_doubtful);
    store_call_fence(world->call);
    assert_int_equal(store_call_wait(world->call), STORE_FOUND);
    assert_string_equal(world->fake.last_command, "PING");
    world->fake.script = NULL;
}

static void start_with_memory(struct fake_world *world, struct news *news, struct slice pinned) {
    struct redis_store_options options = fake_world_options(world);
    options.identity_seed = S("seed");
    options.identity = pinned;
    options.on_identity = on_identity;
    options.identity_context = news;
    options.cache_size = 65536;
    news->text[0] = '\0';
    fake_world_start(world, &options);
    fake_world_wait_until_up(world);
}

static void ask_without_a_reply(struct fake_world *world) {
    static const struct fake_line silent[] = {{"GET", SLICE("")}, {NULL, SLICE("")}};
    world->fake.script = silent;
    store_call_get(world->call, S("k"));
    while (strcmp(world->fake.last_command, "GET mintd:k") != 0) {
        test_loop_run_for(&world->loop, 1);
    }
}

/* With memory Redis tells: what comes behind that is no answer before the identity is looked at,
 * also where it was asked for ahead of it. */
static void test_a_reply_behind_the_push_is_no_answer(void **state) {
    struct fake_world *world = *state;
    struct news news;
    start_with_memory(world, &news, S("identity"));
    ask_without_a_reply(world);
    fake_redis_say(&world->fake, S(EMPTIED NIL));
    assert_unknown(world->call, STORE_TROUBLE_IDENTITY);
    world->fake.script = NULL;
    fake_world_wait_until_up(world); /* it is the right one still */
    assert_told(&news, "");
}

/* The key alone has changed, or Redis has no room to watch it: all goes on, and a no is doubtful
 * until the look has ended. */
static void test_a_reply_behind_a_change_of_the_key_is_doubtful(void **state) {
    struct fake_world *world = *state;
    static const struct fake_line nothing[] = {{"GET", SLICE(NIL)}, {NULL, SLICE("")}};
    struct news news;
    struct store_call *call;
    start_with_memory(world, &news, S("identity"));
    call = world->call;
    ask_without_a_reply(world);
    unsigned before = world->fake.commands;
    world->fake.script = nothing;
    fake_redis_say(&world->fake, S(CHANGED_KEY NIL));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
    assert_true(call->operation.is_doubtful);
    fake_world_wait_for_commands(world, before + 1); /* the look, */
    store_call_fence(call);                          /* which is answered ahead of this */
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_fence(call);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_string_equal(world->fake.last_command, "PING"); /* it is watched again */
    store_call_get(call, S("other"));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
    assert_false(call->operation.is_doubtful);
    assert_told(&news, "");
    world->fake.script = NULL;
}

static void test_a_reply_ahead_of_the_push_is_an_answer(void **state) {
    struct fake_world *world = *state;
    struct news news;
    start_with_memory(world, &news, S("identity"));
    ask_without_a_reply(world);
    fake_redis_say(&world->fake, S(NIL EMPTIED));
    assert_int_equal(store_call_wait(world->call), STORE_ABSENT);
    assert_false(world->call->operation.is_doubtful);
    world->fake.script = NULL;
}

/* Where none is pinned it is an answer; and the change of the key is looked at at once. */
static void test_a_push_where_none_is_pinned(void **state) {
    struct fake_world *world = *state;
    struct news news;
    start_with_memory(world, &news, SLICE_ABSENT);
    ask_without_a_reply(world);
    unsigned before = world->fake.commands;
    fake_redis_say(&world->fake, S(CHANGED_KEY NIL));
    assert_int_equal(store_call_wait(world->call), STORE_ABSENT);
    world->fake.script = NULL;
    fake_world_wait_for_commands(world, before + 1);
    assert_string_equal(world->fake.last_command, "GET mintd:identity");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_world_open, fake_world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_one_is_made),
        TEST(test_nil_after_set),
        TEST(test_set_is_refused),
        TEST(test_set_is_readonly),
        TEST(test_wrongtype),
        TEST(test_wrongtype_where_one_is_wanted),
        TEST(test_what_was_known_stays),
        TEST(test_a_doubt_stays_until_it_is_answered),
        TEST(test_another_type_of_reply),
        TEST(test_long_ones),
        TEST(test_oversized_reply),
        TEST(test_answers_that_nothing_guards_are_doubtful),
        TEST(test_what_a_confirmation_gets),
        TEST(test_where_none_is_pinned),
        TEST(test_a_reply_behind_the_push_is_no_answer),
        TEST(test_a_reply_behind_a_change_of_the_key_is_doubtful),
        TEST(test_a_reply_ahead_of_the_push_is_an_answer),
        TEST(test_a_push_where_none_is_pinned),
    };
    return cmocka_run_group_tests(tests, fake_world_start_log, fake_world_stop_log);
}
