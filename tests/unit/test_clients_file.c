/* A clients file and memory:, with a heap that fails: no verdict is changed by that. */
#include "mintd/clients_file.h"
#include "mintd/clock.h"
#include "mintd/crypto.h"
#include "mintd/oauth.h"
#include "support/fault.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define HASH "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
#define ENTRY(id, more) "{\"id\": \"" id "\", \"secrets\": [\"$sha256$" HASH "\"]" more "}"

struct world {
    char path[64];
    struct memory_data *data;
    struct store_metrics metrics;
    struct store *store;
    struct clients_stopper *stopper;
    struct clients_file_result result;
};

static void write_file(const struct world *world, const char *text) {
    FILE *file = fopen(world->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void world_open(struct world *world, const char *text) {
    *world = (struct world){.path = "/tmp/clients-file-XXXXXX"};
    int fd = mkstemp(world->path);
    assert_true(fd >= 0);
    close(fd);
    write_file(world, text);
    world->data = memory_data_new(100, clock_monotonic_ms);
    world->stopper = clients_stopper_new();
    assert_non_null(world->data);
    assert_non_null(world->stopper);
    world->store = local_store_new(world->data, &world->metrics);
    assert_non_null(world->store);
}

static void world_close(struct world *world) {
    unlink(world->path);
    store_free(world->store);
    clients_stopper_free(world->stopper);
    memory_data_free(world->data);
}

static enum clients_file_end apply(struct world *world) {
    const struct clients_place place = {.memory = world->data};
    clients_file_apply(world->path, &place, world->stopper, &world->result);
    return world->result.end;
}

/* A field of a client; absent: neither. Valid until the next one. */
static struct slice field(struct world *world, const char *key, const char *name) {
    struct store_operation operation = {.on_done = NULL};
    store_read_hash(world->store, slice_of_string(key), &operation);
    assert_int_not_equal(operation.answer, STORE_UNKNOWN);
    for (size_t i = 0; i < operation.field_count; i++) {
        if (slice_equal(operation.fields[i].name, slice_of_string(name))) {
            return operation.fields[i].value;
        }
    }
    return SLICE_ABSENT;
}

static void assert_field(struct world *world, const char *key, const char *name,
                         const char *wanted) {
    struct slice value = field(world, key, name);
    assert_true(wanted == NULL
                    ? slice_is_absent(value)
                    : !slice_is_absent(value) && slice_equal(value, slice_of_string(wanted)));
}

/* ---- memory: ---- */

static void test_clients_of_memory(void **state) {
    struct world world;
    (void)state;
    world_open(&world, "{\"clients\": [" ENTRY("a", ", \"scope\": \"x\", \"ttl\": \"2m\"") "]}");
    assert_int_equal(apply(&world), CLIENTS_FILE_APPLIED);
    assert_true(world.result.made == 1 && world.result.changed == 0 && world.result.same == 0);
    assert_field(&world, "client:a", "ttl", "120");
    assert_field(&world, "client:a", "secret:1", "$sha256$" HASH);
    assert_int_equal(apply(&world), CLIENTS_FILE_APPLIED);
    assert_true(world.result.made == 0 && world.result.same == 1);
    write_file(&world, "{\"clients\": [" ENTRY("a", ", \"scope\": \"y\"") "," ENTRY("b", "") "]}");
    assert_int_equal(apply(&world), CLIENTS_FILE_APPLIED);
    assert_true(world.result.made == 1 && world.result.changed == 1);
    assert_field(&world, "client:a", "scope", "y");
    assert_field(&world, "client:a", "ttl", NULL);
    world_close(&world);
}

/* A hash without a secret is what is left of a client that was removed. */
static void test_remains_make_room(void **state) {
    const struct store_field late = {S("secret:1:used"), S("5")};
    struct store_operation operation = {.on_done = NULL};
    struct world world;
    (void)state;
    world_open(&world, "{\"clients\": [" ENTRY("a", "") "]}");
    store_create_hash(world.store, S("client:a"), &late, 1, &operation);
    assert_int_equal(apply(&world), CLIENTS_FILE_APPLIED);
    assert_int_equal(world.result.made, 1);
    assert_field(&world, "client:a", "secret:1:used", NULL);
    assert_field(&world, "client:a", "secret:1", "$sha256$" HASH);
    world_close(&world);
}

static void test_one_without_a_secret_holds_all_back(void **state) {
    struct world world;
    (void)state;
    world_open(&world, "{\"clients\": [" ENTRY("a", "") ", {\"id\": \"b\"}]}");
    assert_int_equal(apply(&world), CLIENTS_FILE_WRONG);
    assert_string_equal(world.result.problem,
                        "b: it is not there yet: it needs secrets or secret_file");
    assert_field(&world, "client:a", "secret:1", NULL);
    world_close(&world);
}

static void test_a_key_of_another_kind(void **state) {
    struct store_operation operation = {.on_done = NULL};
    struct world world;
    (void)state;
    world_open(&world, "{\"clients\": [" ENTRY("a", "") "]}");
    store_set(world.store, S("client:a"), S("text"), 60, &operation);
    assert_int_equal(apply(&world), CLIENTS_FILE_REFUSED);
    assert_true(world.result.problem[0] != '\0');
    world_close(&world);
}

/* ---- a heap that fails ---- */

static void *allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) {
        errno = ENOMEM;
    }
    return memory;
}

static void test_a_heap_that_fails_while_checking(void **state) {
    char storage[SAY_LINE_MAX];
    struct world world;
    bool done = false;
    (void)state;
    world_open(&world, "{\"clients\": [" ENTRY("a", ", \"scope\": \"x\"") "," ENTRY("b", "") "]}");
    for (unsigned n = 1; !done; n++) {
        struct buffer error = buffer_of(storage, sizeof storage);
        bool no_memory = false;
        fault_fail_at(n);
        bool good = clients_file_check(world.path, &error, &no_memory);
        done = fault_count() < n;
        fault_disarm();
        assert_true(done ? good : !good && no_memory);
    }
    world_close(&world);
}

static void test_a_heap_that_fails_while_applying(void **state) {
    struct world world;
    bool done = false;
    (void)state;
    world_open(&world, "");
    for (unsigned n = 1; !done; n++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"clients\": [" ENTRY("a", ", \"ttl\": %u") "," ENTRY("new-%u", "") "]}", n + 1,
                 n);
        write_file(&world, text);
        fault_fail_at(n);
        enum clients_file_end end = apply(&world);
        done = fault_count() < n;
        fault_disarm();
        assert_int_equal(end, done ? CLIENTS_FILE_APPLIED : CLIENTS_FILE_REFUSED);
        assert_true(done || world.result.problem[0] != '\0');
        if (!done) { /* applying again does the rest */
            assert_int_equal(apply(&world), CLIENTS_FILE_APPLIED);
        }
        snprintf(text, sizeof text, "%u", n + 1);
        assert_field(&world, "client:a", "ttl", text);
    }
    world_close(&world);
}

static void test_no_stopper_without_memory(void **state) {
    (void)state;
    fault_fail_at(1);
    assert_null(clients_stopper_new());
    fault_disarm();
    clients_stopper_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_of_memory),
        cmocka_unit_test(test_remains_make_room),
        cmocka_unit_test(test_one_without_a_secret_holds_all_back),
        cmocka_unit_test(test_a_key_of_another_kind),
        cmocka_unit_test(test_a_heap_that_fails_while_checking),
        cmocka_unit_test(test_a_heap_that_fails_while_applying),
        cmocka_unit_test(test_no_stopper_without_memory),
    };
    cJSON_InitHooks(&(cJSON_Hooks){allocate, free});
    return crypto_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
