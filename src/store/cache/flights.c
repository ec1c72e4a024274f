#include "store/cache/flights.h"

#include <stdlib.h>

static unsigned bucket_of(uint64_t hash) {
    return (unsigned)(hash % FLIGHTS_BUCKETS);
}

static bool is_of(const struct flight *flight, struct slice key, uint64_t hash) {
    return flight->hash == hash && slice_equal(flight_key(flight), key);
}

struct flight *flights_find(const struct flights *flights, unsigned verb, struct slice key) {
    uint64_t hash = hash_bytes(key, &flights->seed);
    struct flight *flight = flights->buckets[bucket_of(hash)];
    while (flight != NULL &&
           (flight->spoiled || flight->verb != verb || !is_of(flight, key, hash))) {
        flight = flight->next;
    }
    return flight;
}

struct flight *flights_add(struct flights *flights, void *owner, unsigned verb, struct slice key) {
    struct flight *flight = malloc(sizeof *flight + key.size);
    if (flight == NULL) {
        return NULL;
    }
    *flight = (struct flight){.owner = owner,
                              .hash = hash_bytes(key, &flights->seed),
                              .number = ++flights->added,
                              .turn = flights->turn,
                              .verb = verb,
                              .key_size = key.size};
    memcpy(flight->key, key.data, key.size);
    struct flight **bucket = &flights->buckets[bucket_of(flight->hash)];
    flight->next = *bucket;
    *bucket = flight;
    flights->count++;
    return flight;
}

bool flight_is_in_the_air(const struct flights *flights, const struct flight *flight) {
    return flight->turn != flights->turn;
}

void flights_take_off(struct flights *flights) {
    flights->turn++;
}

void flights_remove(struct flights *flights, struct flight *flight) {
    struct flight **place = &flights->buckets[bucket_of(flight->hash)];
    while (*place != flight) {
        place = &(*place)->next;
    }
    *place = flight->next;
    flights->count--;
    free(flight);
}

void flights_spoil(struct flights *flights, struct slice key) {
    if (flights->count == 0) {
        return;
    }
    uint64_t hash = hash_bytes(key, &flights->seed);
    for (struct flight *flight = flights->buckets[bucket_of(hash)]; flight != NULL;
         flight = flight->next) {
        if (is_of(flight, key, hash)) {
            flight->spoiled = true;
        }
    }
}

void flights_spoil_all(struct flights *flights) {
    for (unsigned i = 0; i < FLIGHTS_BUCKETS && flights->count != 0; i++) {
        for (struct flight *flight = flights->buckets[i]; flight != NULL; flight = flight->next) {
            flight->spoiled = true;
        }
    }
}

void flight_join(struct flight *flight, struct store_operation *operation) {
    operation->next_waiting = NULL;
    *(flight->first == NULL ? &flight->first : &flight->last->next_waiting) = operation;
    flight->last = operation;
    operation->waits_for = flight;
}

struct store_operation *flight_next(struct flight *flight) {
    struct store_operation *operation = flight->first;
    if (operation != NULL) {
        flight->first = operation->next_waiting;
        operation->next_waiting = NULL;
    }
    return operation;
}

/* Mostly the first: those who came first have the first deadlines. */
void flight_leave(struct flight *flight, struct store_operation *operation) {
    struct store_operation *before = NULL;
    struct store_operation *at = flight->first;
    while (at != operation) {
        before = at;
        at = at->next_waiting;
    }
    *(before == NULL ? &flight->first : &before->next_waiting) = operation->next_waiting;
    if (flight->last == operation) {
        flight->last = before;
    }
    operation->next_waiting = NULL;
}
