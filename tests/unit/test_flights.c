/* Reads that are under way. */
#include "store/cache/flights.h"
#include "support/fault.h"
#include "unit/unit.h"
#include <stdio.h>
#include <stdlib.h>

enum { GET = 1, READ_HASH };

static int owner;

static int set_up(void **state) {
    struct flights *flights = calloc(1, sizeof *flights);
    assert_non_null(flights);
    flights->seed = (struct hash_seed){{1, 2}};
    *state = flights;
    return 0;
}

static int tear_down(void **state) {
    struct flights *flights = *state;
    assert_int_equal(flights->count, 0);
    for (unsigned i = 0; i < FLIGHTS_BUCKETS; i++) {
        assert_null(flights->buckets[i]);
    }
    free(flights);
    return 0;
}

static struct flight *add(struct flights *flights, unsigned verb, const char *key) {
    struct flight *flight = flights_add(flights, &owner, verb, slice_of_string(key));
    assert_non_null(flight);
    return flight;
}

static void flight_is_found_by_verb_and_key(void **state) {
    struct flights *flights = *state;
    char key[] = "client:svc-a";
    struct flight *flight = flights_add(flights, &owner, GET, slice_of_string(key));
    assert_non_null(flight);
    memset(key, 'x', sizeof key - 1); /* copied */
    assert_ptr_equal(flight->owner, &owner);
    assert_slice(flight_key(flight), S("client:svc-a"));
    assert_ptr_equal(flights_find(flights, GET, S("client:svc-a")), flight);
    assert_null(flights_find(flights, READ_HASH, S("client:svc-a")));
    assert_null(flights_find(flights, GET, S("client:svc-")));
    assert_null(flights_find(flights, GET, S("")));
    assert_null(flight_next(flight));
    flights_remove(flights, flight);
    assert_null(flights_find(flights, GET, S("client:svc-a")));
}

/* The newest is found first: the one that may still be joined by all. */
static void flight_takes_off_with_its_turn(void **state) {
    struct flights *flights = *state;
    struct flight *old = add(flights, GET, "k");
    assert_false(flight_is_in_the_air(flights, old));
    flights_take_off(flights);
    assert_true(flight_is_in_the_air(flights, old));
    assert_ptr_equal(flights_find(flights, GET, S("k")), old);
    struct flight *new = add(flights, GET, "k");
    assert_false(flight_is_in_the_air(flights, new));
    assert_ptr_equal(flights_find(flights, GET, S("k")), new);
    flights_remove(flights, new);
    flights_remove(flights, old);
}

static void both_verbs_fly_apart(void **state) {
    struct flights *flights = *state;
    struct flight *get = add(flights, GET, "k"), *hash = add(flights, READ_HASH, "k");
    assert_ptr_equal(flights_find(flights, GET, S("k")), get);
    assert_ptr_equal(flights_find(flights, READ_HASH, S("k")), hash);
    flights_spoil(flights, S("k")); /* whatever it is read as */
    assert_true(get->spoiled && hash->spoiled);
    flights_remove(flights, get);
    flights_remove(flights, hash);
}

static void spoiled_flight_is_not_joined(void **state) {
    struct flights *flights = *state;
    struct flight *old = add(flights, GET, "k"), *other = add(flights, GET, "other");
    flights_spoil(flights, S("k"));
    assert_null(flights_find(flights, GET, S("k")));
    assert_false(other->spoiled);
    struct flight *fresh = add(flights, GET, "k");
    assert_ptr_equal(flights_find(flights, GET, S("k")), fresh);
    flights_remove(flights, old); /* the right one of two */
    assert_ptr_equal(flights_find(flights, GET, S("k")), fresh);
    flights_remove(flights, fresh);
    flights_remove(flights, other);
    flights_spoil(flights, S("k")); /* none there */
}

static void the_only_flight_is_spoiled(void **state) {
    struct flights *flights = *state;
    for (int all = 0; all < 2; all++) {
        struct flight *flight = add(flights, GET, "k");
        if (all) {
            flights_spoil_all(flights);
        } else {
            flights_spoil(flights, S("k"));
        }
        assert_true(flight->spoiled);
        assert_null(flights_find(flights, GET, S("k")));
        flights_remove(flights, flight);
    }
}

/* More flights than buckets, so that they share them. */
static void many_flights(void **state) {
    enum { MANY = 3 * FLIGHTS_BUCKETS };
    static struct flight *all[MANY];
    struct flights *flights = *state;
    char key[16];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "key:%u", i);
        all[i] = add(flights, GET, key);
    }
    assert_int_equal(flights->count, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "key:%u", i);
        assert_ptr_equal(flights_find(flights, GET, slice_of_string(key)), all[i]);
        if (i % 2 == 0) {
            flights_spoil(flights, slice_of_string(key));
        }
    }
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(all[i]->spoiled, i % 2 == 0);
    }
    flights_spoil_all(flights);
    for (unsigned i = 0; i < MANY; i++) {
        assert_true(all[i]->spoiled);
    }
    for (unsigned i = 0; i < MANY; i++) {
        flights_remove(flights, all[(i * 7) % MANY]);
    }
}

static void those_who_wait_come_in_order(void **state) {
    struct flights *flights = *state;
    struct flight *flight = add(flights, GET, "k");
    struct store_operation waiting[4];
    for (unsigned i = 0; i < 4; i++) {
        memset(&waiting[i], 0xa5, sizeof waiting[i]);
        flight_join(flight, &waiting[i]);
        assert_ptr_equal(waiting[i].waits_for, flight);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_ptr_equal(flight_next(flight), &waiting[i]);
    }
    assert_null(flight_next(flight));
    flights_remove(flights, flight);
}

/* Each set of four may leave in any way, in any order, and another one joins behind them. */
static void anybody_may_leave(void **state) {
    struct flights *flights = *state;
    for (unsigned leavers = 0; leavers < 16; leavers++) {
        for (int backwards = 0; backwards < 2; backwards++) {
            struct flight *flight = add(flights, GET, "k");
            struct store_operation waiting[5];
            for (unsigned i = 0; i < 4; i++) {
                flight_join(flight, &waiting[i]);
            }
            for (unsigned n = 0; n < 4; n++) {
                unsigned i = backwards ? 3 - n : n;
                if ((leavers & (1u << i)) != 0) {
                    flight_leave(flight, &waiting[i]);
                    assert_null(waiting[i].next_waiting);
                }
            }
            flight_join(flight, &waiting[4]);
            for (unsigned i = 0; i < 5; i++) {
                if ((leavers & (1u << i)) == 0) {
                    assert_ptr_equal(flight_next(flight), &waiting[i]);
                }
            }
            assert_null(flight_next(flight));
            flights_remove(flights, flight);
        }
    }
}

static void without_memory_none_takes_off(void **state) {
    struct flights *flights = *state;
    fault_fail_at(1);
    struct flight *flight = flights_add(flights, &owner, GET, S("k"));
    fault_disarm();
    assert_null(flight);
    assert_null(flights_find(flights, GET, S("k")));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(flight_is_found_by_verb_and_key),
        TEST(flight_takes_off_with_its_turn),
        TEST(both_verbs_fly_apart),
        TEST(spoiled_flight_is_not_joined),
        TEST(the_only_flight_is_spoiled),
        TEST(many_flights),
        TEST(those_who_wait_come_in_order),
        TEST(anybody_may_leave),
        TEST(without_memory_none_takes_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
