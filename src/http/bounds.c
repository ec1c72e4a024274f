#include "http/bounds.h"
#include <stdatomic.h>
#include <stdlib.h>

#define TABLES 2u
#define PLACES_MIN 1024u
#define TELL_EVERY_MS 60000u
#define COUNT_BITS 24u /* of handshakes within a second */

struct http_bounds {
    struct http_bounds_options options;
    _Atomic unsigned open;
    _Atomic uint64_t untold;  /* turned away for their address, and not told */
    _Atomic uint64_t told_at; /* 0: never */
    uint32_t mask;
    _Atomic unsigned *counts[TABLES]; /* [mask + 1] each */
    /* [mask + 1] each: a second, and how many handshakes began in it */
    _Atomic uint64_t *handshakes[TABLES];
};

/* ---- its life ---- */

struct http_bounds *http_bounds_new(const struct http_bounds_options *options) {
    struct http_bounds *bounds = calloc(1, sizeof *bounds);
    if (bounds == NULL) {
        return NULL;
    }
    uint32_t places = PLACES_MIN;
    while (places < 2 * options->max_connections) {
        places *= 2;
    }
    bounds->options = *options;
    bounds->mask = places - 1;
    for (unsigned i = 0; i < TABLES; i++) {
        bounds->counts[i] = calloc(places, sizeof *bounds->counts[i]);
        bounds->handshakes[i] = calloc(places, sizeof *bounds->handshakes[i]);
    }
    if (bounds->counts[0] == NULL || bounds->counts[1] == NULL || bounds->handshakes[0] == NULL ||
        bounds->handshakes[1] == NULL) {
        http_bounds_free(bounds);
        return NULL;
    }
    return bounds;
}

void http_bounds_free(struct http_bounds *bounds) {
    if (bounds == NULL) {
        return;
    }
    free(bounds->counts[0]);
    free(bounds->counts[1]);
    free(bounds->handshakes[0]);
    free(bounds->handshakes[1]);
    free(bounds);
}

/* ---- counting ---- */

static unsigned add(_Atomic unsigned *count, unsigned n) {
    return atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

static void take(_Atomic unsigned *count) {
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}

static bool is_exempt(const struct http_bounds *bounds, const struct ip *peer) {
    return peer->size == 0 ||
           (bounds->options.exempt != NULL && networks_contain(bounds->options.exempt, peer));
}

static void choose_places(const struct http_bounds *bounds, const struct ip *peer,
                          struct bounds_place *place) {
    const struct ip counted = ip_network(peer, bounds->options.v6_prefix);
    uint64_t hash =
        hash_bytes(slice_of((const char *)counted.bytes, counted.size), &bounds->options.seed);
    place->at[0] = (uint32_t)hash & bounds->mask;
    place->at[1] = (uint32_t)(hash >> 32) & bounds->mask;
}

static bool enter_address(struct http_bounds *bounds, const struct ip *peer,
                          struct bounds_place *place) {
    choose_places(bounds, peer, place);
    unsigned first = add(&bounds->counts[0][place->at[0]], 1);
    unsigned second = add(&bounds->counts[1][place->at[1]], 1);
    place->has_address = true;
    return (first < second ? first : second) < bounds->options.max_per_address;
}

static enum bounds_answer note_full(struct http_bounds *bounds) {
    atomic_fetch_add_explicit(&bounds->untold, 1, memory_order_relaxed);
    return BOUNDS_ADDRESS_FULL;
}

enum bounds_answer bounds_enter(struct http_bounds *bounds, const struct ip *peer,
                                struct bounds_place *place) {
    *place = (struct bounds_place){0};
    if (bounds == NULL) {
        return BOUNDS_ADMITTED;
    }
    place->is_taken = true;
    if (add(&bounds->open, 1) >= bounds->options.max_connections) {
        bounds_leave(bounds, place);
        return BOUNDS_FULL;
    }
    if (bounds->options.max_per_address != 0 && !is_exempt(bounds, peer) &&
        !enter_address(bounds, peer, place)) {
        bounds_leave(bounds, place);
        return note_full(bounds);
    }
    return BOUNDS_ADMITTED;
}

/* Counts one in this second; how many there are now. A thread whose clock is behind counts in the
 * second that others are in already. */
static uint64_t count_in_second(_Atomic uint64_t *place, uint64_t second) {
    uint64_t old = atomic_load_explicit(place, memory_order_relaxed), counted;
    do {
        counted = old >> COUNT_BITS >= second ? old + 1 : (second << COUNT_BITS | 1);
    } while (!atomic_compare_exchange_weak_explicit(place, &old, counted, memory_order_relaxed,
                                                    memory_order_relaxed));
    return counted & ((UINT64_C(1) << COUNT_BITS) - 1);
}

enum bounds_answer bounds_begin_handshake(struct http_bounds *bounds, const struct ip *peer,
                                          uint64_t now_ms) {
    if (bounds == NULL || bounds->options.max_handshakes == 0 || is_exempt(bounds, peer)) {
        return BOUNDS_ADMITTED;
    }
    struct bounds_place place;
    choose_places(bounds, peer, &place);
    uint64_t first = count_in_second(&bounds->handshakes[0][place.at[0]], now_ms / 1000);
    uint64_t second = count_in_second(&bounds->handshakes[1][place.at[1]], now_ms / 1000);
    bool is_over = (first < second ? first : second) > bounds->options.max_handshakes;
    return is_over ? note_full(bounds) : BOUNDS_ADMITTED;
}

void bounds_leave(struct http_bounds *bounds, struct bounds_place *place) {
    if (place->is_taken) {
        take(&bounds->open);
    }
    if (place->has_address) {
        take(&bounds->counts[0][place->at[0]]);
        take(&bounds->counts[1][place->at[1]]);
    }
    *place = (struct bounds_place){0};
}

/* ---- the log ---- */

bool bounds_should_tell(struct http_bounds *bounds, uint64_t now_ms, uint64_t *count) {
    uint64_t told_at = atomic_load(&bounds->told_at);
    if ((told_at != 0 && now_ms < told_at + TELL_EVERY_MS) ||
        !atomic_compare_exchange_strong(&bounds->told_at, &told_at, now_ms)) {
        return false;
    }
    *count = atomic_exchange(&bounds->untold, 0);
    return true;
}
