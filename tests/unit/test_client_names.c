/* Clients that are counted by name: the first ones, the same for all threads. */
#include "mintd/client_names.h"
#include "mintd/oauth.h"
#include "support/fault.h"
#include "unit/unit.h"
#include <pthread.h>
#include <stdio.h>

#define THREADS 4u
#define ROUNDS 50u

static const struct hash_seed seed = {{1, 2}};

static struct slice name_of(unsigned number, char storage[32]) {
    return slice_of(storage, (size_t)snprintf(storage, 32, "client-%u", number));
}

static void the_first_ones_have_names(void **state) {
    (void)state;
    struct client_names *names = client_names_new(3, &seed);
    char storage[32];
    assert_non_null(names);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5; i++) {
            unsigned expected = i < 3 ? i : CLIENT_NAMES_MAX;
            assert_int_equal(client_names_find(names, name_of(i, storage)), expected);
        }
    }
    assert_int_equal(client_names_count(names), 3);
    assert_true(slice_equal(client_names_at(names, 1), S("client-1")));
    client_names_free(names);
}

static void other_is_no_name(void **state) {
    (void)state;
    struct client_names *names = client_names_new(CLIENT_NAMES_MAX, &seed);
    assert_int_equal(client_names_find(names, S(CLIENT_NAMES_OTHER)), CLIENT_NAMES_MAX);
    assert_int_equal(client_names_count(names), 0);
    client_names_free(names);
}

static void the_longest_name_fits(void **state) {
    (void)state;
    struct client_names *names = client_names_new(1, &seed);
    char id[OAUTH_CLIENT_ID_MAX];
    memset(id, 'x', sizeof id);
    assert_int_equal(client_names_find(names, slice_of(id, sizeof id)), 0);
    assert_int_equal(client_names_find(names, slice_of(id, sizeof id - 1)), CLIENT_NAMES_MAX);
    assert_int_equal(client_names_at(names, 0).size, sizeof id);
    client_names_free(names);
}

struct seeker {
    pthread_t thread;
    struct client_names *names;
    pthread_barrier_t *barrier;
    unsigned found[CLIENT_NAMES_MAX + 10];
};

static void *seek(void *context) {
    struct seeker *seeker = context;
    char storage[32];
    pthread_barrier_wait(seeker->barrier);
    for (unsigned i = 0; i < COUNT_OF(seeker->found); i++) {
        seeker->found[i] = client_names_find(seeker->names, name_of(i, storage));
    }
    return NULL;
}

/* Each thread finds the same, and no name is there twice. */
static void threads_agree(void **state) {
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        static struct seeker seekers[THREADS];
        struct client_names *names = client_names_new(CLIENT_NAMES_MAX, &seed);
        pthread_barrier_t barrier;
        pthread_barrier_init(&barrier, NULL, THREADS);
        for (unsigned i = 0; i < THREADS; i++) {
            seekers[i].names = names;
            seekers[i].barrier = &barrier;
            assert_int_equal(pthread_create(&seekers[i].thread, NULL, seek, &seekers[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(seekers[i].thread, NULL);
        }
        pthread_barrier_destroy(&barrier);
        assert_int_equal(client_names_count(names), CLIENT_NAMES_MAX);
        char storage[32];
        for (unsigned i = 0; i < COUNT_OF(seekers[0].found); i++) {
            unsigned index = client_names_find(names, name_of(i, storage));
            assert_true(index == CLIENT_NAMES_MAX ||
                        slice_equal(client_names_at(names, index), name_of(i, storage)));
            for (unsigned t = 0; t < THREADS; t++) {
                assert_int_equal(seekers[t].found[i], index);
            }
        }
        client_names_free(names);
    }
}

static void without_memory_there_is_none(void **state) {
    (void)state;
    fault_fail_at(1);
    assert_null(client_names_new(5, &seed));
    fault_disarm();
    client_names_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_ones_have_names),    cmocka_unit_test(other_is_no_name),
        cmocka_unit_test(the_longest_name_fits),        cmocka_unit_test(threads_agree),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
