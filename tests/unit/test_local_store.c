/* What the contract test does not ask of the store in memory: a clock of our own, its bound,
 * threads, and a heap that fails. */
#include "mintd/local_store.h"
#include "support/fault.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t now_ms;

static uint64_t now(void) {
    return now_ms;
}

struct world {
    struct memory_data *data;
    struct store_metrics metrics;
    struct store *store;
    struct store_operation operation;
};

static void world_open(struct world *world, size_t max_keys) {
    *world = (struct world){.data = memory_data_new(max_keys, now)};
    now_ms = 1000000;
    assert_non_null(world->data);
    world->store = local_store_new(world->data, &world->metrics);
    assert_non_null(world->store);
}

static void world_close(struct world *world) {
    store_free(world->store);
    memory_data_free(world->data);
}

static struct slice key_of(unsigned i, char text[16]) {
    return slice_of(text, (size_t)snprintf(text, 16, "key %u", i));
}

static enum store_answer set(struct world *world, unsigned i, unsigned ttl_s) {
    char text[16];
    struct slice key = key_of(i, text);
    assert_int_equal(store_set(world->store, key, key, ttl_s, &world->operation), PROGRESS_DONE);
    return world->operation.answer;
}

static enum store_answer get(struct world *world, unsigned i) {
    char text[16];
    assert_int_equal(store_get(world->store, key_of(i, text), &world->operation), PROGRESS_DONE);
    return world->operation.answer;
}

static void test_expires_to_the_millisecond(void **state) {
    struct world world;
    (void)state;
    world_open(&world, 100);
    set(&world, 1, 5);
    now_ms += 4999;
    assert_int_equal(get(&world, 1), STORE_FOUND);
    now_ms += 1;
    assert_int_equal(get(&world, 1), STORE_ABSENT);
    set(&world, 1, 5);
    now_ms += 4000;
    set(&world, 1, 5); /* begins anew */
    now_ms += 4000;
    assert_int_equal(get(&world, 1), STORE_FOUND);
    world_close(&world);
}

static void test_longest_time_to_live(void **state) {
    struct world world;
    (void)state;
    world_open(&world, 100);
    assert_int_equal(set(&world, 1, UINT32_MAX), STORE_FOUND);
    now_ms += (uint64_t)UINT32_MAX * 1000 - 1;
    assert_int_equal(get(&world, 1), STORE_FOUND);
    now_ms += 1;
    assert_int_equal(get(&world, 1), STORE_ABSENT);
    world_close(&world);
}

static void test_bound_of_keys(void **state) {
    const struct store_field field = {S("f"), S("v")};
    struct world world;
    (void)state;
    world_open(&world, 10);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(set(&world, i, 60), STORE_FOUND);
    }
    assert_int_equal(set(&world, 10, 60), STORE_UNKNOWN);
    assert_int_equal(world.operation.trouble, STORE_TROUBLE_OOM);
    store_create_hash(world.store, S("h"), &field, 1, &world.operation);
    assert_int_equal(world.operation.trouble, STORE_TROUBLE_OOM);
    store_add_member(world.store, S("s"), S("m"), &world.operation);
    assert_int_equal(world.operation.trouble, STORE_TROUBLE_OOM);
    store_count(world.store, S("c"), 60, &world.operation);
    assert_int_equal(world.operation.trouble, STORE_TROUBLE_OOM);
    assert_int_equal(set(&world, 3, 60), STORE_FOUND); /* no new key */
    assert_int_equal(counter_read(&world.metrics.troubles[STORE_TROUBLE_OOM]), 4);
    now_ms += 60000;
    assert_int_equal(set(&world, 10, 60), STORE_FOUND); /* the others are swept out */
    world_close(&world);
}

/* Many that expire and that nobody asks for again never fill it. */
static void test_expired_are_swept(void **state) {
    struct world world;
    (void)state;
    world_open(&world, 1000);
    for (unsigned i = 0; i < 100000; i++) {
        now_ms += 10; /* 100 a second, each for 5 s: 500 alive */
        assert_int_equal(set(&world, i, 5), STORE_FOUND);
    }
    world_close(&world);
}

/* A set that loses its last member leaves no room taken. */
static void test_set_goes_with_its_last_member(void **state) {
    struct world world;
    char text[16];
    (void)state;
    world_open(&world, 10);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 8; i++) {
            store_add_member(world.store, S("s"), key_of(i, text), &world.operation);
        }
        for (unsigned i = 0; i < 8; i++) {
            store_remove_member(world.store, S("s"), key_of(i, text), &world.operation);
            assert_int_equal(world.operation.answer, STORE_FOUND);
            assert_int_equal(world.operation.number, 1);
        }
        for (unsigned i = 0; i < 10; i++) { /* all of it */
            assert_int_equal(set(&world, i, 60), STORE_FOUND);
        }
        now_ms += 60000;
    }
    world_close(&world);
}

static void test_members_go_with_their_set(void **state) {
    struct world world;
    (void)state;
    world_open(&world, 10);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 9; i++) { /* and the set itself: full */
            char text[16];
            store_add_member(world.store, S("s"), key_of(i, text), &world.operation);
            assert_int_equal(world.operation.answer, i < 8 ? STORE_FOUND : STORE_UNKNOWN);
        }
        store_delete(world.store, S("s"), &world.operation);
        assert_int_equal(world.operation.number, 1);
    }
    world_close(&world);
}

/* What was handed out stays until this store's next verb, whatever another does. */
static void test_result_outlives_the_key(void **state) {
    struct world world;
    struct store_operation other_operation;
    (void)state;
    world_open(&world, 10);
    struct store *other = local_store_new(world.data, NULL);
    set(&world, 1, 60);
    get(&world, 1);
    store_delete(other, S("key 1"), &other_operation);
    store_set(other, S("key 1"), S("xxxxxxxxxxxxxxx"), 60, &other_operation);
    assert_int_equal(world.operation.value.size, 5);
    assert_memory_equal(world.operation.value.data, "key 1", 5);
    store_free(other);
    world_close(&world);
}

static void *use_it(void *context) {
    struct memory_data *data = context;
    struct store *store = local_store_new(data, NULL);
    struct store_operation operation;
    for (unsigned i = 0; i < 20000; i++) {
        char text[16];
        struct slice key = key_of(i % 50, text);
        store_count(store, S("all"), 60, &operation);
        store_set(store, key, key, 60, &operation);
        store_get(store, key, &operation);
        if (operation.answer == STORE_FOUND && !slice_equal(operation.value, key)) {
            store_free(store);
            return context;
        }
        store_delete(store, key, &operation);
    }
    store_free(store);
    return NULL;
}

static void test_threads(void **state) {
    pthread_t threads[4];
    struct world world;
    (void)state;
    world_open(&world, 100);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_it, world.data), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    store_get(world.store, S("all"), &world.operation);
    assert_int_equal(world.operation.value.size, 5);
    assert_memory_equal(world.operation.value.data, "80000", 5);
    world_close(&world);
}

static void all_verbs(struct store *store) {
    const struct store_field fields[] = {{S("a"), S("1")}, {S("b"), S("2")}};
    struct store_operation operation;
    store_set(store, S("t"), S("v"), 60, &operation);
    store_set(store, S("t"), S("w"), 60, &operation);
    store_get(store, S("t"), &operation);
    store_create_hash(store, S("h"), fields, 2, &operation);
    store_set_field(store, S("h"), S("a"), (struct store_field){S("c"), S("3")}, &operation);
    store_remove_field(store, S("h"), S("b"), &operation);
    store_read_hash(store, S("h"), &operation);
    store_add_member(store, S("s"), S("m"), &operation);
    store_count(store, S("c"), 60, &operation);
    store_delete(store, S("s"), &operation);
}

/* Each allocation fails once: nothing leaks, and what fails is UNKNOWN (OOM) and changes nothing.
 */
static void test_failing_heap(void **state) {
    bool done = false;
    (void)state;
    for (unsigned n = 1; !done; n++) {
        struct store_metrics metrics = {0};
        struct store *store = NULL;
        fault_fail_at(n);
        struct memory_data *data = memory_data_new(100, now);
        store = data != NULL ? local_store_new(data, &metrics) : NULL;
        if (store != NULL) {
            all_verbs(store);
        }
        done = fault_count() < n;
        fault_disarm();
        if (store != NULL) {
            uint64_t failed = counter_read(&metrics.answers[STORE_UNKNOWN]) +
                              counter_read(&metrics.answers[STORE_ABSENT]);
            assert_in_range(failed, done ? 0 : 1, done ? 0 : 3);
            assert_int_equal(counter_read(&metrics.troubles[STORE_TROUBLE_OOM]), done ? 0 : 1);
            all_verbs(store);
            store_free(store);
        }
        if (data != NULL) {
            memory_data_free(data);
        }
    }
}

static void on_closed(void *context) {
    ++*(unsigned *)context;
}

static void test_closed_by_flush(void **state) {
    struct world world;
    unsigned closed = 0;
    (void)state;
    world_open(&world, 10);
    store_close(world.store, on_closed, &closed);
    assert_int_equal(closed, 0);
    store_flush(world.store);
    store_flush(world.store);
    assert_int_equal(closed, 1);
    world_close(&world);
}

static void test_names_of_troubles(void **state) {
    (void)state;
    assert_string_equal(store_trouble_name(STORE_TROUBLE_NONE), "none");
    assert_string_equal(store_trouble_name(STORE_TROUBLE_PROTOCOL), "protocol");
    assert_string_equal(store_trouble_name(STORE_TROUBLE_COUNT), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expires_to_the_millisecond),
        cmocka_unit_test(test_longest_time_to_live),
        cmocka_unit_test(test_bound_of_keys),
        cmocka_unit_test(test_expired_are_swept),
        cmocka_unit_test(test_set_goes_with_its_last_member),
        cmocka_unit_test(test_members_go_with_their_set),
        cmocka_unit_test(test_result_outlives_the_key),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_failing_heap),
        cmocka_unit_test(test_closed_by_flush),
        cmocka_unit_test(test_names_of_troubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
