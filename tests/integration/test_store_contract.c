/* What every store promises, asked of each: in memory, and a real Redis over a unix socket, TCP
 * and, by a name to resolve, TCP in another database. */
#include "mintd/clock.h"
#include "mintd/local_store.h"
#include "mintd/log.h"
#include "mintd/redis_store.h"
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

enum where { MEMORY, REDIS_UNIX, REDIS_TCP, REDIS_NAME };

static struct test_redis redis; /* one for all: each test has a database without keys */

struct world {
    enum where where;
    struct test_loop loop;
    struct store_crew crew;
    struct memory_data *data;
    struct store_metrics metrics[2];
    struct store *store, *other; /* two on the same data */
    struct store_call *call;
};

static struct redis_url url_of(enum where where) {
    char text[160];
    char words[160];
    struct redis_url url;
    struct buffer error = buffer_of(words, sizeof words);
    if (where == REDIS_UNIX) {
        snprintf(text, sizeof text, "unix://%s", redis.socket);
    } else {
        snprintf(text, sizeof text,
                 where == REDIS_TCP ? "redis://127.0.0.1:%d" : "redis://localhost:%d/3",
                 redis.port);
    }
    assert_true(redis_url_parse(slice_of_string(text), &url, &error));
    return url;
}

static struct store *open_store(struct world *world, unsigned index) {
    if (world->where == MEMORY) {
        return store_crew_add(&world->crew, local_store_new(world->data, &world->metrics[index]));
    }
    struct redis_store_options options = {
        .url = url_of(world->where),
        .prefix = S("mintd:"),
        .name = S("contract test/1"),
        .timeout_ms = 5000,
        .pending_max = 0,
        .metrics = &world->metrics[index],
    };
    struct store *store =
        store_crew_add(&world->crew, redis_store_new(&world->loop.loop, &options));
    assert_int_not_equal(store_trouble_now(store), STORE_TROUBLE_NONE);
    assert_true(store_wait_for(&world->loop, store, STORE_TROUBLE_NONE, 10000));
    return store;
}

static int open_world(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->where = *(enum where *)*state;
    test_loop_open(&world->loop);
    store_crew_open(&world->crew, &world->loop);
    if (world->where == MEMORY) {
        world->data = memory_data_new(100000, clock_wall_ms);
        assert_non_null(world->data);
    } else {
        test_redis_command(&redis, "FLUSHALL");
    }
    world->store = open_store(world, 0);
    world->other = open_store(world, 1);
    world->call = store_call_new(&world->loop, world->store);
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    store_call_free(world->call);
    store_crew_close(&world->crew);
    test_loop_close(&world->loop);
    if (world->data != NULL) {
        memory_data_free(world->data);
    }
    free(world);
    return 0;
}

static void assert_slice(struct slice given, struct slice wanted) {
    assert_false(slice_is_absent(given));
    assert_int_equal(given.size, wanted.size);
    assert_memory_equal(given.data, wanted.data, wanted.size);
}

/* ---- texts ---- */

static void test_text_is_absent_then_found(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    store_call_get(call, S("token:1"));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
    assert_true(slice_is_absent(call->value));
    store_call_set(call, S("token:1"), S("{\"client\":\"a\"}"), 100);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_get(call, S("token:1"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_slice(call->value, S("{\"client\":\"a\"}"));
}

static void test_text_is_seen_by_another_store(void **state) {
    struct world *world = *state;
    struct store_call *other = store_call_new(&world->loop, world->other);
    store_call_set(world->call, S("k"), S("v"), 100);
    store_call_wait(world->call);
    store_call_get(other, S("k"));
    assert_int_equal(store_call_wait(other), STORE_FOUND);
    assert_slice(other->value, S("v"));
    store_call_free(other);
}

static void test_text_is_replaced(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    store_call_set(call, S("k"), S("first"), 100);
    store_call_wait(call);
    store_call_set(call, S("k"), S("second, and longer"), 100);
    store_call_wait(call);
    store_call_get(call, S("k"));
    store_call_wait(call);
    assert_slice(call->value, S("second, and longer"));
}

static void test_any_bytes_come_back(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    char all[512];
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (char)i;
    }
    struct slice key = S("k\0\r\n*1\r\n$4\r\nPING\r\n \xff");
    store_call_set(call, key, slice_of(all, sizeof all), 100);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_get(call, key);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_slice(call->value, slice_of(all, sizeof all));
    store_call_get(call, S("k"));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
}

static void test_empty_text_is_found(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    store_call_set(call, S("empty"), S(""), 100);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_get(call, S("empty"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_slice(call->value, S(""));
}

static void test_longest_value_and_key(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    char *long_value = malloc(STORE_VALUE_MAX + 1);
    char long_key[STORE_KEY_MAX + 1];
    assert_non_null(long_value);
    memset(long_value, 'v', STORE_VALUE_MAX + 1);
    memset(long_key, 'k', sizeof long_key);
    struct slice key = slice_of(long_key, STORE_KEY_MAX);
    store_call_set(call, key, slice_of(long_value, STORE_VALUE_MAX), 100);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_get(call, key);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_slice(call->value, slice_of(long_value, STORE_VALUE_MAX));
    store_call_set(call, key, slice_of(long_value, STORE_VALUE_MAX + 1), 100);
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_PROTOCOL);
    free(long_value);
}

static void test_key_too_long_is_unknown(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    const struct store_field field = {S("f"), S("v")};
    char text[STORE_KEY_MAX + 1];
    memset(text, 'k', sizeof text);
    struct slice key = slice_of(text, sizeof text);
    for (int verb = 0; verb < 10; verb++) {
        switch (verb) {
        case 0:
            store_call_get(call, key);
            break;
        case 1:
            store_call_set(call, key, S("v"), 1);
            break;
        case 2:
            store_call_delete(call, key);
            break;
        case 3:
            store_call_read_hash(call, key);
            break;
        case 4:
            store_call_create_hash(call, key, &field, 1);
            break;
        case 5:
            store_call_count(call, key, 1);
            break;
        case 6:
            store_call_set_field(call, key, S("f"), field);
            break;
        case 7:
            store_call_remove_field(call, key, S("f"));
            break;
        case 8:
            store_call_remove_member(call, key, S("m"));
            break;
        default:
            store_call_add_member(call, key, S("m"));
        }
        assert_int_equal(call->progress, PROGRESS_DONE);
        assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
        assert_int_equal(call->operation.trouble, STORE_TROUBLE_PROTOCOL);
    }
}

static void test_text_expires(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    uint64_t begun_ns = clock_monotonic_ns();
    store_call_set(call, S("brief"), S("v"), 1);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    do {
        store_call_get(call, S("brief"));
        store_call_wait(call);
        test_loop_run_for(&world->loop, 10);
    } while (call->operation.answer == STORE_FOUND);
    uint64_t lived_ms = (clock_monotonic_ns() - begun_ns) / 1000000;
    assert_int_equal(call->operation.answer, STORE_ABSENT);
    assert_in_range(lived_ms, 950, stretched_ms(3000));
}

static void test_ttl_of_nothing_is_unknown(void **state) {
    struct world *world = *state;
    store_call_set(world->call, S("k"), S("v"), 0);
    assert_int_equal(store_call_wait(world->call), STORE_UNKNOWN);
    store_call_get(world->call, S("k"));
    assert_int_equal(store_call_wait(world->call), STORE_ABSENT);
}

static void test_delete(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    store_call_delete(call, S("k"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 0);
    store_call_set(call, S("k"), S("v"), 100);
    store_call_wait(call);
    store_call_delete(call, S("k"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
    store_call_get(call, S("k"));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
}

/* ---- hashes ---- */

static const struct store_field awkward[] = {
    {SLICE("secret:1"), SLICE("$scrypt$ln=15,r=8,p=1$AAAA$BBBB")},
    {SLICE("empty"), SLICE("")},
    {SLICE("lines\r\nand\0more"), SLICE("\0\r\n$-1\r\n\xff\xfe")},
    {SLICE(""), SLICE("a field without a name")},
    {SLICE("gen"), SLICE("18446744073709551615")},
};
#define AWKWARD_COUNT (sizeof awkward / sizeof awkward[0])

static void test_hash_round_trip(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    store_call_read_hash(call, S("client:a"));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
    store_call_create_hash(call, S("client:a"), awkward, AWKWARD_COUNT);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
    store_call_read_hash(call, S("client:a"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.field_count, AWKWARD_COUNT);
    for (size_t i = 0; i < AWKWARD_COUNT; i++) {
        assert_slice(store_call_field(call, awkward[i].name), awkward[i].value);
    }
    store_call_delete(call, S("client:a"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
    store_call_read_hash(call, S("client:a"));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
}

static void test_hash_is_not_made_twice(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    const struct store_field later[] = {{S("gen"), S("2")}, {S("new"), S("x")}};
    store_call_create_hash(call, S("client:a"), awkward, AWKWARD_COUNT);
    store_call_wait(call);
    store_call_create_hash(call, S("client:a"), later, 2);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 0);
    store_call_read_hash(call, S("client:a"));
    store_call_wait(call);
    assert_int_equal(call->operation.field_count, AWKWARD_COUNT);
    assert_slice(store_call_field(call, S("gen")), S("18446744073709551615"));
}

/* Over and over: exactly one of the two makes it, and it has that one's fields alone. */
static void test_hash_made_by_two_at_once(void **state) {
    struct world *world = *state;
    struct store_call *a = world->call;
    struct store_call *b = store_call_new(&world->loop, world->other);
    const struct store_field of_a[] = {{S("by"), S("a")}, {S("only-a"), S("1")}};
    const struct store_field of_b[] = {{S("by"), S("b")}, {S("only-b"), S("1")}};
    for (unsigned i = 0; i < 200; i++) {
        char text[32];
        struct slice key = slice_of(text, (size_t)snprintf(text, sizeof text, "client:%u", i));
        store_call_create_hash(a, key, of_a, 2);
        store_call_create_hash(b, key, of_b, 2);
        assert_int_equal(store_call_wait(a), STORE_FOUND);
        assert_int_equal(store_call_wait(b), STORE_FOUND);
        assert_int_equal(a->operation.number + b->operation.number, 1);
        bool by_a = a->operation.number == 1;
        store_call_read_hash(a, key);
        assert_int_equal(store_call_wait(a), STORE_FOUND);
        assert_int_equal(a->operation.field_count, 2);
        assert_slice(store_call_field(a, S("by")), by_a ? S("a") : S("b"));
        assert_slice(store_call_field(a, by_a ? S("only-a") : S("only-b")), S("1"));
    }
    store_call_free(b);
}

static void test_field_of_a_hash(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    const struct store_field first = {S("one"), S("1")};
    store_call_create_hash(call, S("h"), &first, 1);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_set_field(call, S("h"), S("one"), (struct store_field){S("two\r\n"), S("")});
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_set_field(call, S("h"), S("two\r\n"),
                         (struct store_field){S("one"), S("first\0\r\n")});
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_read_hash(call, S("h"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.field_count, 2);
    assert_slice(store_call_field(call, S("one")), S("first\0\r\n"));
    assert_slice(store_call_field(call, S("two\r\n")), S(""));
    store_call_set(call, S("text"), S("v"), 100);
    store_call_wait(call);
    store_call_set_field(call, S("text"), S("f"), (struct store_field){S("f"), S("v")});
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_WRONGTYPE);
    store_call_remove_field(call, S("text"), S("f"));
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_WRONGTYPE);
}

/* Whether the field is there after ABSENT is the store's affair; once it is removed, nothing is
 * left of it, nor of a hash that had nothing else. */
static void test_field_beside_one_that_is_gone(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    const struct store_field used = {S("secret:1:used"), S("9")};
    const struct store_field other = {S("scope"), S("read")};
    store_call_create_hash(call, S("there"), &other, 1);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    const struct slice keys[] = {S("there"), S("gone")};
    for (size_t i = 0; i < 2; i++) {
        store_call_set_field(call, keys[i], S("secret:1"), used);
        assert_int_equal(store_call_wait(call), STORE_ABSENT);
        store_call_remove_field(call, keys[i], used.name);
        assert_int_equal(store_call_wait(call), STORE_FOUND);
        store_call_remove_field(call, keys[i], used.name);
        assert_int_equal(store_call_wait(call), STORE_FOUND);
        assert_int_equal(call->operation.number, 0);
        store_call_read_hash(call, keys[i]);
        assert_int_equal(store_call_wait(call), i == 0 ? STORE_FOUND : STORE_ABSENT);
    }
    store_call_read_hash(call, S("there"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.field_count, 1);
    assert_slice(store_call_field(call, S("scope")), S("read"));
}

static void test_removed_field(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    const struct store_field fields[] = {{S("a"), S("1")}, {S("b"), S("2")}, {S("c"), S("3")}};
    store_call_create_hash(call, S("h"), fields, 3);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    for (size_t i = 0; i < 3; i++) {
        store_call_remove_field(call, S("h"), fields[i].name);
        assert_int_equal(store_call_wait(call), STORE_FOUND);
        assert_int_equal(call->operation.number, 1);
        store_call_read_hash(call, S("h"));
        assert_int_equal(store_call_wait(call), i == 2 ? STORE_ABSENT : STORE_FOUND);
        assert_int_equal(call->operation.field_count, 2 - i);
    }
}

static void test_hash_of_most_fields(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    struct store_field fields[STORE_FIELDS_MAX + 1];
    char names[STORE_FIELDS_MAX + 1][8];
    for (size_t i = 0; i <= STORE_FIELDS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "f%zu", i);
        fields[i] = (struct store_field){slice_of_string(names[i]), S("v")};
    }
    store_call_create_hash(call, S("h"), fields, STORE_FIELDS_MAX);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_read_hash(call, S("h"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.field_count, STORE_FIELDS_MAX);
    store_call_create_hash(call, S("g"), fields, STORE_FIELDS_MAX + 1);
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    store_call_create_hash(call, S("g"), fields, 0);
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    store_call_read_hash(call, S("g"));
    assert_int_equal(store_call_wait(call), STORE_ABSENT);
}

static void test_key_with_braces(void **state) {
    static const char *const keys[] = {"{a}:b", "a}b", "{", "}", "{}a"};
    struct world *world = *state;
    struct store_call *call = world->call;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        store_call_create_hash(call, slice_of_string(keys[i]), awkward, AWKWARD_COUNT);
        assert_int_equal(store_call_wait(call), STORE_FOUND);
        assert_int_equal(call->operation.number, 1);
        store_call_read_hash(call, slice_of_string(keys[i]));
        assert_int_equal(store_call_wait(call), STORE_FOUND);
    }
}

/* ---- sets and types ---- */

static void test_member(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    store_call_add_member(call, S("clients"), S("a\r\n\0b"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
    store_call_add_member(call, S("clients"), S("a\r\n\0b"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 0);
    store_call_add_member(call, S("clients"), S("b"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
    store_call_delete(call, S("clients"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
    store_call_add_member(call, S("clients"), S("b"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
}

static void test_removed_member(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    store_call_remove_member(call, S("names"), S("a"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 0);
    store_call_add_member(call, S("names"), S("a\r\n\0b"));
    store_call_wait(call);
    store_call_add_member(call, S("names"), S("b"));
    store_call_wait(call);
    for (int left = 1; left >= 0; left--) {
        store_call_remove_member(call, S("names"), S("a\r\n\0b"));
        assert_int_equal(store_call_wait(call), STORE_FOUND);
        assert_int_equal(call->operation.number, left);
    }
    store_call_remove_member(call, S("names"), S("b"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
    store_call_delete(call, S("names")); /* it went with its last member */
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 0);
    store_call_add_member(call, S("names"), S("b"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 1);
}

static void test_wrong_type_is_unknown(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    store_call_create_hash(call, S("hash"), awkward, AWKWARD_COUNT);
    store_call_wait(call);
    store_call_set(call, S("text"), S("v"), 100);
    store_call_wait(call);
    store_call_get(call, S("hash"));
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_WRONGTYPE);
    store_call_read_hash(call, S("text"));
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_WRONGTYPE);
    store_call_add_member(call, S("hash"), S("m"));
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_WRONGTYPE);
    store_call_remove_member(call, S("text"), S("m"));
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_WRONGTYPE);
    assert_int_equal(counter_read(&world->metrics[0].troubles[STORE_TROUBLE_WRONGTYPE]), 4);
    store_call_create_hash(call, S("text"), awkward, AWKWARD_COUNT);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_int_equal(call->operation.number, 0);
    store_call_set(call, S("hash"), S("now a text"), 100);
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    store_call_get(call, S("hash"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
}

/* ---- counters ---- */

static void test_counter(void **state) {
    struct world *world = *state;
    struct store_call *other = store_call_new(&world->loop, world->other);
    for (int i = 1; i <= 12; i++) {
        struct store_call *call = i % 2 == 0 ? world->call : other;
        store_call_count(call, S("fail:a"), 100);
        assert_int_equal(store_call_wait(call), STORE_FOUND);
        assert_int_equal(call->operation.number, i);
    }
    store_call_get(other, S("fail:a"));
    assert_int_equal(store_call_wait(other), STORE_FOUND);
    assert_slice(other->value, S("12"));
    store_call_count(other, S("fail:a"), 0);
    assert_int_equal(store_call_wait(other), STORE_UNKNOWN);
    store_call_free(other);
}

/* Counting on does not put the end off. */
static void test_counter_ends(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    uint64_t begun_ns = clock_monotonic_ns();
    int64_t before = 0;
    store_call_count(call, S("fail:a"), 1);
    store_call_wait(call);
    while (call->operation.number > before) {
        before = call->operation.number;
        test_loop_run_for(&world->loop, 20);
        store_call_count(call, S("fail:a"), 1);
        assert_int_equal(store_call_wait(call), STORE_FOUND);
    }
    assert_int_equal(call->operation.number, 1);
    assert_in_range((clock_monotonic_ns() - begun_ns) / 1000000, 950, stretched_ms(3000));
}

static void test_counter_of_what_is_none(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    store_call_set(call, S("text"), S("twelve"), 100);
    store_call_wait(call);
    store_call_create_hash(call, S("hash"), awkward, AWKWARD_COUNT);
    store_call_wait(call);
    store_call_count(call, S("text"), 100);
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_PROTOCOL);
    store_call_count(call, S("hash"), 100);
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_int_equal(call->operation.trouble, STORE_TROUBLE_WRONGTYPE);
    store_call_get(call, S("text"));
    assert_int_equal(store_call_wait(call), STORE_FOUND);
    assert_slice(call->value, S("twelve"));
}

/* ---- many, and the end ---- */

#define MANY 3000u

struct many {
    struct store_operation operation;
    unsigned index;
    unsigned *left;
};

static void on_many(struct store_operation *operation) {
    struct many *one = container_of(operation, struct many, operation);
    char text[32];
    struct slice wanted =
        slice_of(text, (size_t)snprintf(text, sizeof text, "value %u", one->index));
    assert_int_equal(operation->answer, STORE_FOUND);
    if (!slice_is_absent(operation->value)) {
        assert_slice(operation->value, wanted);
    }
    --*one->left;
}

static bool is_zero(void *context) {
    return *(unsigned *)context == 0;
}

/* Sets, then gets, each all in one turn: every value belongs to its key. */
static void test_thousands_in_one_turn(void **state) {
    struct world *world = *state;
    struct many *all = calloc(MANY, sizeof *all);
    assert_non_null(all);
    for (unsigned round = 0; round < 2; round++) {
        unsigned left = MANY;
        for (unsigned i = 0; i < MANY; i++) {
            char key[32], value[32];
            struct slice k = slice_of(key, (size_t)snprintf(key, sizeof key, "key %u", i));
            struct slice v = slice_of(value, (size_t)snprintf(value, sizeof value, "value %u", i));
            all[i] = (struct many){.operation.on_done = on_many, .index = i, .left = &left};
            enum progress progress = round == 0
                                         ? store_set(world->store, k, v, 1000, &all[i].operation)
                                         : store_get(world->store, k, &all[i].operation);
            if (progress == PROGRESS_DONE) {
                on_many(&all[i].operation);
            }
        }
        assert_true(test_loop_run_until(&world->loop, is_zero, &left, 20000));
    }
    assert_int_equal(counter_read(&world->metrics[0].answers[STORE_FOUND]), 2 * MANY);
    assert_int_equal(counter_read(&world->metrics[0].pending), 0);
    free(all);
}

struct chain {
    struct store_operation operation;
    struct store *store;
    unsigned left;
};

static void on_chain(struct store_operation *operation) {
    struct chain *chain = container_of(operation, struct chain, operation);
    if (--chain->left == 0) {
        return;
    }
    if (store_get(chain->store, S("none"), operation) == PROGRESS_DONE) {
        on_chain(operation);
    }
}

static void test_verb_from_inside_on_done(void **state) {
    struct world *world = *state;
    struct chain chain = {.operation.on_done = on_chain, .store = world->store, .left = 100};
    if (store_get(world->store, S("none"), &chain.operation) == PROGRESS_DONE) {
        on_chain(&chain.operation);
    }
    assert_true(test_loop_run_until(&world->loop, is_zero, &chain.left, 5000));
    assert_int_equal(chain.operation.answer, STORE_ABSENT);
}

static void on_closed(void *context) {
    *(unsigned *)context = 0;
}

static void test_verbs_after_close_are_unknown(void **state) {
    struct world *world = *state;
    struct store_call *before = store_call_new(&world->loop, world->other);
    unsigned open = 1;
    store_call_set(before, S("k"), S("v"), 100);
    store_close(world->other, on_closed, &open);
    assert_int_equal(open, 1);
    world->call->store = world->other;
    store_call_get(world->call, S("k"));
    assert_int_equal(world->call->progress, PROGRESS_DONE);
    assert_int_equal(world->call->operation.answer, STORE_UNKNOWN);
    assert_int_equal(world->call->operation.trouble, STORE_TROUBLE_DISCONNECTED);
    assert_true(test_loop_run_until(&world->loop, is_zero, &open, 5000));
    assert_true(store_call_has_ended(before));
    store_call_get(world->call, S("k"));
    assert_int_equal(world->call->operation.answer, STORE_UNKNOWN);
    assert_int_equal(store_trouble_now(world->other), STORE_TROUBLE_DISCONNECTED);
    world->crew.stores[1] = NULL;
    store_free(world->other);
    store_call_free(before);
}

/* ---- Redis alone: what people see with redis-cli ---- */

static void test_redis_has_what_was_written(void **state) {
    struct world *world = *state;
    struct store_call *call = world->call;
    if (world->where == MEMORY) {
        return;
    }
    test_redis_command(&redis, "SELECT %s", world->where == REDIS_NAME ? "3" : "0");
    store_call_set(call, S("token:1"), S("text"), 1000);
    store_call_wait(call);
    assert_in_range(test_redis_number(&redis, "TTL mintd:token:1"), 998, 1000);
    assert_string_equal(test_redis_command(&redis, "GET mintd:token:1"), "text");
    store_call_create_hash(call, S("client:a"), awkward, AWKWARD_COUNT);
    store_call_wait(call);
    assert_int_equal(test_redis_number(&redis, "TTL mintd:client:a"), -1);
    assert_int_equal(test_redis_number(&redis, "HLEN mintd:client:a"), AWKWARD_COUNT);
    assert_string_equal(test_redis_command(&redis, "HGET mintd:client:a empty"), "");
    store_call_add_member(call, S("clients"), S("a"));
    store_call_wait(call);
    assert_string_equal(test_redis_command(&redis, "SMEMBERS mintd:clients"), "a");
    assert_string_equal(test_redis_command(&redis, "GET mintd:schema"), REDIS_SCHEMA_VERSION);
    store_call_count(call, S("fail:a"), 60);
    store_call_wait(call);
    assert_in_range(test_redis_number(&redis, "TTL mintd:fail:a"), 59, 60);
    assert_int_equal(test_redis_number(&redis, "DBSIZE"), 5);
    assert_non_null(strstr(test_redis_command(&redis, "CLIENT LIST"), "name=contract-test-1 "));
    test_redis_command(&redis, "SELECT 0");
}

/* All commands of a turn leave in one write: Redis then reads them in few reads, as large as its
 * buffer. */
static void test_redis_gets_one_write_a_turn(void **state) {
    struct world *world = *state;
    struct many all[200];
    unsigned left = 200;
    if (world->where == MEMORY) {
        return;
    }
    long long before = 0, after = 0;
    const char *stat = "total_reads_processed:";
    before =
        strtoll(strstr(test_redis_command(&redis, "INFO stats"), stat) + strlen(stat), NULL, 10);
    for (unsigned i = 0; i < 200; i++) {
        all[i] = (struct many){.operation.on_done = on_many, .index = i, .left = &left};
        store_set(world->store, S("k"), S("v"), 1000, &all[i].operation);
    }
    assert_true(test_loop_run_until(&world->loop, is_zero, &left, 5000));
    after =
        strtoll(strstr(test_redis_command(&redis, "INFO stats"), stat) + strlen(stat), NULL, 10);
    assert_in_range(after - before, 1, 8);
}

#define CONTRACT(place, test)                                                                      \
    {                                                                                              \
#place ": " #test, test, open_world, close_world, &(enum where) {                          \
            place                                                                                  \
        }                                                                                          \
    }
#define CONTRACTS(place)                                                                           \
    CONTRACT(place, test_text_is_absent_then_found),                                               \
        CONTRACT(place, test_text_is_seen_by_another_store),                                       \
        CONTRACT(place, test_text_is_replaced), CONTRACT(place, test_any_bytes_come_back),         \
        CONTRACT(place, test_empty_text_is_found), CONTRACT(place, test_longest_value_and_key),    \
        CONTRACT(place, test_key_too_long_is_unknown), CONTRACT(place, test_text_expires),         \
        CONTRACT(place, test_ttl_of_nothing_is_unknown), CONTRACT(place, test_delete),             \
        CONTRACT(place, test_hash_round_trip), CONTRACT(place, test_hash_is_not_made_twice),       \
        CONTRACT(place, test_hash_made_by_two_at_once), CONTRACT(place, test_hash_of_most_fields), \
        CONTRACT(place, test_field_of_a_hash),                                                     \
        CONTRACT(place, test_field_beside_one_that_is_gone), CONTRACT(place, test_removed_field),  \
        CONTRACT(place, test_key_with_braces), CONTRACT(place, test_member),                       \
        CONTRACT(place, test_removed_member), CONTRACT(place, test_wrong_type_is_unknown),         \
        CONTRACT(place, test_counter), CONTRACT(place, test_counter_ends),                         \
        CONTRACT(place, test_counter_of_what_is_none),                                             \
        CONTRACT(place, test_thousands_in_one_turn),                                               \
        CONTRACT(place, test_verb_from_inside_on_done),                                            \
        CONTRACT(place, test_verbs_after_close_are_unknown),                                       \
        CONTRACT(place, test_redis_has_what_was_written),                                          \
        CONTRACT(place, test_redis_gets_one_write_a_turn)

static int start_redis(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    log_start(LOG_FORMAT_TEXT, LOG_ERROR);
    test_redis_start(&redis, NULL);
    return 0;
}

static int stop_redis(void **state) {
    (void)state;
    test_redis_stop(&redis);
    log_stop();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CONTRACTS(MEMORY),
        CONTRACTS(REDIS_UNIX),
        CONTRACTS(REDIS_TCP),
        CONTRACTS(REDIS_NAME),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
