/* flights.h: reads that are under way, by their keys, so that a key that many ask for at once is
 * asked for once.
 *
 * An operation that wants what a flight brings joins it. One that has not taken off yet (its
 * command gathers with others) may be joined by anybody: it asks later than all of them.
 * One that is in the air may be joined where an answer of a moment ago will do. A flight is spoiled
 * once its key is known to have changed: those who wait still get what it brings, since they asked
 * before, but nobody joins it any more, and what it brings is not remembered. */
#ifndef MINTD_STORE_FLIGHTS_H
#define MINTD_STORE_FLIGHTS_H

#include "mintd/hash.h"
#include "mintd/store.h"

#define FLIGHTS_BUCKETS 1024u

struct flight {
    struct flight *next; /* in its bucket */
    void *owner;
    uint64_t hash;
    uint64_t started_ns; /* the owner's: when it was asked, */
    uint64_t started_ms; /* and in loop time */
    uint64_t number;     /* counts all flights, in the order in which they ask */
    unsigned turn;       /* of flights_take_off(): which one it waits for */
    unsigned verb;       /* only the same one may join */
    bool spoiled;
    struct store_operation *first, *last; /* that wait for it */
    void *followers;                      /* the owner's: reads that are to come after it */
    struct store_way way;                 /* the owner's: of its command */
    size_t key_size;
    char key[];
};

struct flights {
    struct hash_seed seed;
    unsigned count;
    uint64_t added; /* of all that ever were */
    unsigned turn;  /* counts flights_take_off() */
    struct flight *buckets[FLIGHTS_BUCKETS];
};

static inline struct slice flight_key(const struct flight *flight) {
    return slice_of(flight->key, flight->key_size);
}

/* One that may be joined; NULL: none. */
struct flight *flights_find(const struct flights *flights, unsigned verb, struct slice key);
/* The one that this operation waits for; NULL: none, or no operation. */
static inline struct flight *flight_of(const struct store_operation *operation) {
    return operation == NULL ? NULL : operation->waits_for;
}
bool flight_is_in_the_air(const struct flights *flights, const struct flight *flight);
/* The commands that have gathered are sent. */
void flights_take_off(struct flights *flights);
/* A new one, which nobody waits for yet. NULL: no memory. */
struct flight *flights_add(struct flights *flights, void *owner, unsigned verb, struct slice key);
/* It has landed, or was not sent: frees it. */
void flights_remove(struct flights *flights, struct flight *flight);
void flights_spoil(struct flights *flights, struct slice key);
void flights_spoil_all(struct flights *flights);

void flight_join(struct flight *flight, struct store_operation *operation);
void flight_leave(struct flight *flight, struct store_operation *operation);
/* The one that has waited longest, taken out; NULL: nobody is left. */
struct store_operation *flight_next(struct flight *flight);

#endif
