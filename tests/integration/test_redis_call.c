/* Any command of the operator's tool: what comes back, whole and in pieces, and when. */
#include "mintd/redis_store.h"
#include "support/fake_redis.h"
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

#define TIMEOUT_MS 600u
#define TREE_MAX 4096u

struct world {
    struct test_loop loop;
    struct store_crew crew;
    struct fake_redis fake;
    struct test_redis redis;
    struct store_metrics metrics;
    struct store *store;
    struct redis_call call;
    unsigned answered;
    bool in_call;
    struct buffer tree; /* the reply as text */
    char storage[TREE_MAX];
};

static int open_world(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    test_loop_open(&world->loop);
    store_crew_open(&world->crew, &world->loop);
    fake_redis_open(&world->fake, &world->loop.loop);
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    store_crew_close(&world->crew);
    fake_redis_close(&world->fake);
    test_loop_close(&world->loop);
    if (world->redis.pid != 0) {
        test_redis_stop(&world->redis);
    }
    free(world);
    return 0;
}

static void start(struct world *world, const char *path, enum store_trouble trouble) {
    struct redis_store_options options = {
        .url = {.is_unix = true},
        .prefix = S("mintd:"),
        .name = S("test"),
        .timeout_ms = TIMEOUT_MS,
        .metrics = &world->metrics,
    };
    snprintf(options.url.host, sizeof options.url.host, "%s", path);
    world->store = store_crew_add(&world->crew, redis_store_new(&world->loop.loop, &options));
    assert_true(store_wait_for(&world->loop, world->store, trouble, 5000));
}

static void start_real(struct world *world) {
    test_redis_start(&world->redis, NULL);
    start(world, world->redis.socket, STORE_TROUBLE_NONE);
}

/* ---- a call, waited for ---- */

/* The tree as text: nil, "text", 12, !error, [a b]. */
static void write_tree(const struct redis_value *value, struct buffer *out) {
    switch (redis_value_kind(value)) {
    case REDIS_VALUE_NIL:
        buffer_append(out, S("nil"));
        break;
    case REDIS_VALUE_TEXT:
        buffer_append_format(out, "\"%.*s\"", (int)redis_value_text(value).size,
                             redis_value_text(value).data);
        break;
    case REDIS_VALUE_NUMBER:
        buffer_append_format(out, "%lld", (long long)redis_value_number(value));
        break;
    case REDIS_VALUE_ERROR:
        buffer_append_format(out, "!%.*s", (int)redis_value_text(value).size,
                             redis_value_text(value).data);
        break;
    case REDIS_VALUE_LIST:
        buffer_append(out, S("["));
        const struct redis_value *item =
            redis_value_count(value) == 0 ? NULL : redis_value_first(value);
        for (size_t i = 0; i < redis_value_count(value); i++) {
            buffer_append(out, i == 0 ? S("") : S(" "));
            write_tree(item, out);
            item = i + 1 < redis_value_count(value) ? redis_value_next(item) : NULL;
        }
        buffer_append(out, S("]"));
    }
}

static void on_done(struct redis_call *call) {
    struct world *world = container_of(call, struct world, call);
    assert_false(world->in_call); /* later is never now */
    world->answered++;
    if (call->reply != NULL) {
        write_tree(call->reply, &world->tree);
    }
}

static bool has_answer(void *context) {
    return ((struct world *)context)->answered != 0;
}

static enum progress begin(struct world *world, const struct redis_command *commands,
                           size_t count) {
    world->answered = 0;
    world->tree = buffer_of(world->storage, sizeof world->storage - 1);
    world->call.on_done = on_done;
    world->in_call = true;
    enum progress progress = redis_store_call(world->store, commands, count, &world->call);
    world->in_call = false;
    return progress;
}

static const char *wait_for_tree(struct world *world) {
    assert_true(test_loop_run_until(&world->loop, has_answer, world, 5000));
    assert_int_equal(world->answered, 1);
    world->storage[world->tree.size] = '\0';
    return world->storage;
}

/* One command, its words separated by spaces. */
static const char *ask(struct world *world, const char *text) {
    struct slice words[16], rest = slice_of_string(text);
    size_t count = 0;
    while (count < 16 && slice_next_word(&rest, &words[count])) {
        count++;
    }
    const struct redis_command command = {words, count};
    assert_int_equal(begin(world, &command, 1), PROGRESS_PENDING);
    return wait_for_tree(world);
}

/* ---- replies ---- */

static void test_replies_of_a_real_server(void **state) {
    struct world *world = *state;
    start_real(world);
    assert_string_equal(ask(world, "PING"), "\"PONG\"");
    assert_string_equal(ask(world, "GET mintd:x"), "nil");
    assert_string_equal(ask(world, "SET mintd:x text"), "\"OK\"");
    assert_string_equal(ask(world, "GET mintd:x"), "\"text\""); /* the key is given whole */
    assert_string_equal(ask(world, "INCR mintd:n"), "1");
    assert_string_equal(ask(world, "HSET mintd:h a 1"), "1");
    assert_string_equal(ask(world, "HGETALL mintd:h"), "[\"a\" \"1\"]"); /* a map, flat */
    assert_string_equal(ask(world, "SMEMBERS mintd:none"), "[]");
    assert_string_equal(ask(world, "ROLE"), "[\"master\" 0 []]");
    assert_int_equal(world->call.trouble, STORE_TROUBLE_NONE);
    assert_true(slice_starts_with(slice_of_string(ask(world, "INFO server")), S("\"# Server")));
}

static void test_an_error_is_a_reply_too(void **state) {
    struct world *world = *state;
    start_real(world);
    ask(world, "SET mintd:x text");
    assert_string_equal(ask(world, "HGETALL mintd:x"),
                        "!WRONGTYPE Operation against a key holding the wrong kind of value");
    assert_int_equal(world->call.trouble, STORE_TROUBLE_WRONGTYPE);
    assert_int_equal(store_trouble_now(world->store), STORE_TROUBLE_NONE); /* the link goes on */
    assert_string_equal(ask(world, "PING"), "\"PONG\"");
}

static void test_commands_together(void **state) {
    struct world *world = *state;
    const struct slice multi[] = {S("MULTI")}, exec[] = {S("EXEC")};
    const struct slice set[] = {S("SET"), S("mintd:x"), S("1")};
    const struct slice wrong[] = {S("HSET"), S("mintd:x"), S("a"), S("b")};
    const struct redis_command good[] = {{multi, 1}, {set, 3}, {set, 3}, {exec, 1}};
    const struct redis_command inside[] = {{multi, 1}, {set, 3}, {wrong, 4}, {exec, 1}};
    const struct redis_command refused[] = {{multi, 1}, {wrong, 2}, {exec, 1}};
    start_real(world);
    assert_int_equal(begin(world, good, 4), PROGRESS_PENDING);
    assert_string_equal(wait_for_tree(world), "[\"OK\" \"OK\"]");
    assert_int_equal(begin(world, inside, 4), PROGRESS_PENDING);
    assert_string_equal(
        wait_for_tree(world),
        "[\"OK\" !WRONGTYPE Operation against a key holding the wrong kind of value]");
    assert_int_equal(begin(world, refused, 3), PROGRESS_PENDING);
    assert_string_equal(wait_for_tree(world),
                        "!EXECABORT Transaction discarded because of previous errors.");
    assert_int_equal(world->call.trouble, STORE_TROUBLE_PROTOCOL); /* of the first error */
}

static void test_a_set_of_512_numbers_is_one_reply(void **state) {
    struct world *world = *state;
    start_real(world);
    for (int i = 0; i < 512; i++) {
        test_redis_command(&world->redis, "SADD mintd:clients %d", i);
    }
    assert_true(slice_starts_with(slice_of_string(ask(world, "SSCAN mintd:clients 0 COUNT 100")),
                                  S("[\"0\" [")));
}

static void test_a_reply_byte_by_byte(void **state) {
    static const struct fake_line script[] = {
        {"X", SLICE("%1\r\n+a\r\n*3\r\n:7\r\n_\r\n*2\r\n$1\r\nb\r\n-ERR c\r\n")},
        {NULL, {NULL, 0}},
    };
    struct world *world = *state;
    world->fake.script = script;
    world->fake.bytewise = true;
    start(world, world->fake.path, STORE_TROUBLE_NONE);
    assert_string_equal(ask(world, "X"), "[\"a\" [7 nil [\"b\" !ERR c]]]");
}

/* ---- none ---- */

static void test_no_reply_in_time(void **state) {
    static const struct fake_line script[] = {{"X", SLICE("")}, {NULL, {NULL, 0}}};
    struct world *world = *state;
    world->fake.script = script;
    start(world, world->fake.path, STORE_TROUBLE_NONE);
    for (int i = 0; i < 2; i++) { /* each has the whole time */
        assert_string_equal(ask(world, "X"), "");
        assert_null(world->call.reply);
        assert_int_equal(world->call.trouble, STORE_TROUBLE_TIMEOUT);
    }
}

static void test_the_connection_is_lost(void **state) {
    static const struct fake_line script[] = {{"X", SLICE("$100\r\nabc")}, {NULL, {NULL, 0}}};
    struct world *world = *state;
    world->fake.script = script;
    world->fake.drop_command = "X";
    world->fake.drop_after = 3;
    start(world, world->fake.path, STORE_TROUBLE_NONE);
    assert_string_equal(ask(world, "X"), "");
    assert_null(world->call.reply);
    assert_int_equal(world->call.trouble, STORE_TROUBLE_DISCONNECTED);
    assert_string_not_equal(redis_store_reason(world->store), "");
}

static void test_without_a_connection_it_is_done(void **state) {
    struct world *world = *state;
    const struct slice ping[] = {S("PING")};
    const struct redis_command command = {ping, 1};
    start(world, "/nonexistent/socket", STORE_TROUBLE_DISCONNECTED);
    assert_int_equal(begin(world, &command, 1), PROGRESS_DONE);
    assert_null(world->call.reply);
    assert_int_equal(world->call.trouble, STORE_TROUBLE_DISCONNECTED);
    test_loop_run_for(&world->loop, 20);
    assert_int_equal(world->answered, 0);
}

static void test_a_command_beyond_all_bounds(void **state) {
    struct world *world = *state;
    size_t size = 8u * 1024 * 1024;
    char *text = calloc(1, size);
    assert_non_null(text);
    const struct slice words[] = {S("SET"), S("mintd:x"), slice_of(text, size)};
    const struct redis_command command = {words, 3};
    start(world, world->fake.path, STORE_TROUBLE_NONE);
    assert_int_equal(begin(world, &command, 1), PROGRESS_DONE);
    assert_int_equal(world->call.trouble, STORE_TROUBLE_OVERLOADED);
    assert_string_equal(ask(world, "PING"), "\"PONG\""); /* nothing of it was sent */
    free(text);
}

static void test_it_works_where_the_layout_is_not_ours(void **state) {
    static const struct fake_line script[] = {{"SCHEMA", SLICE("$1\r\n9\r\n")}, {NULL, {NULL, 0}}};
    struct world *world = *state;
    world->fake.script = script;
    start(world, world->fake.path, STORE_TROUBLE_SCHEMA);
    assert_string_equal(ask(world, "PING"), "\"PONG\"");
    assert_int_equal(world->call.trouble, STORE_TROUBLE_NONE);
}

static void test_closing_answers_it(void **state) {
    static const struct fake_line script[] = {{"X", SLICE("")}, {NULL, {NULL, 0}}};
    struct world *world = *state;
    const struct slice words[] = {S("X")};
    const struct redis_command command = {words, 1};
    world->fake.script = script;
    start(world, world->fake.path, STORE_TROUBLE_NONE);
    assert_int_equal(begin(world, &command, 1), PROGRESS_PENDING);
    store_crew_drop(&world->crew, world->store);
    assert_int_equal(world->answered, 1);
    assert_null(world->call.reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_replies_of_a_real_server),    TEST(test_an_error_is_a_reply_too),
        TEST(test_commands_together),           TEST(test_a_set_of_512_numbers_is_one_reply),
        TEST(test_a_reply_byte_by_byte),        TEST(test_no_reply_in_time),
        TEST(test_the_connection_is_lost),      TEST(test_without_a_connection_it_is_done),
        TEST(test_a_command_beyond_all_bounds), TEST(test_it_works_where_the_layout_is_not_ours),
        TEST(test_closing_answers_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
