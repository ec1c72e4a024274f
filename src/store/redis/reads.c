/* The verbs that read: from memory, else by asking Redis.
 *
 * Happy path: the copy is there, and trusted: the answer, at once, no command. Else one flight a
 * key asks Redis, all who want the key meanwhile wait for it, and what it brings is remembered in
 * the very moment that its reply is read: replies and invalidations come in one order, so nothing
 * that is remembered can be older than an invalidation that has been seen.
 *
 * Failure modes: whoever's time is up leaves the flight, which lands without him; a flight whose
 * connection is lost ends as UNKNOWN for all who wait; one whose key changes meanwhile is spoiled:
 * it answers those who asked before and is not remembered. Where nothing may be remembered only
 * those of one turn share a flight, which asks after the last of them; and a read that has to come
 * after another one shares none that asks before that. */
#include "store/redis/redis_store_internal.h"

#include "mintd/clock.h"
#include "store/store_answer.h"

/* Of what was asked for before its read began, and is not kept: nobody hears of its changes, and it
 * may be older than the read. It is the copy that has gone already. */
#define COPY_GONE UINT64_MAX

static enum cache_kind kind_of(enum redis_verb verb) {
    return verb == REDIS_GET ? CACHE_TEXT : CACHE_HASH;
}

static void put_command(struct redis_store *store, enum redis_verb verb, struct slice key,
                        struct output *out) {
    output_command(out, 2);
    output_argument(out, verb == REDIS_GET ? S("GET") : S("HGETALL"));
    output_joined(out, store->prefix, key);
}

/* ---- a flight ---- */

/* The reply as an answer; the link fails where it is none to this command. */
static void take_reply(struct redis_store *store, enum redis_verb verb,
                       const struct link_result *result, struct store_operation *answer) {
    if (result->trouble != STORE_TROUBLE_NONE) {
        redis_leave_if_no_master(store, result->trouble);
        answer->trouble = result->trouble;
    } else if (!redis_answer(verb, result->reply, &store->fields, answer)) {
        link_fail(store->link, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
    }
    redis_judge_identity(store, answer);
}

static void hand_out(struct redis_store *store, struct store_operation *operation,
                     const struct store_operation *answer) {
    deadlines_remove(&store->deadlines, operation);
    operation->value = answer->value;
    operation->fields = answer->fields;
    operation->field_count = answer->field_count;
    operation->copy = answer->copy;
    operation->is_doubtful = answer->is_doubtful;
    if (answer->copy.number == 0 && operation->from_memory) {
        operation->copy.number = COPY_GONE;
    }
    redis_finish(store, operation, answer->answer, answer->trouble);
}

static void on_landed(void *context, const struct link_result *result) {
    struct flight *flight = context;
    struct redis_store *store = flight->owner;
    struct copies *copies = &store->copies;
    struct store_operation answer = {.answer = STORE_UNKNOWN, .trouble = STORE_TROUBLE_NONE};
    if (result->reply != NULL) {
        histogram_record(&store->metrics->round_trip, clock_monotonic_ns() - flight->started_ns);
    }
    take_reply(store, flight->verb, result, &answer);
    if (answer.answer != STORE_UNKNOWN && !flight->spoiled && copies->is_tracked) {
        cache_put(copies->cache, kind_of(flight->verb), flight_key(flight), uv_now(store->loop),
                  &answer);
    }
    flight->spoiled = true; /* who asks again from inside its callback gets another one */
    struct store_operation *operation;
    while ((operation = flight_next(flight)) != NULL) {
        hand_out(store, operation, &answer);
    }
    flights_remove(&copies->flights, flight);
}

static bool take_off(struct redis_store *store, enum redis_verb verb, struct slice key,
                     struct flight *flight) {
    const struct link_handler handler = {.on_reply = on_landed, .context = flight, .replies = 1};
    unsigned slot;
    struct output *out = link_begin(store->link);
    if (out == NULL) {
        return false;
    }
    put_command(store, verb, key, out);
    flight->started_ns = clock_monotonic_ns();
    flight->started_ms = uv_now(store->loop);
    return link_end(store->link, &handler, &slot);
}

/* NULL: no room or no memory. */
static struct flight *new_flight(struct redis_store *store, enum redis_verb verb,
                                 struct slice key) {
    struct flights *flights = &store->copies.flights;
    struct flight *flight = flights_add(flights, store, verb, key);
    if (flight != NULL && !take_off(store, verb, key, flight)) {
        flights_remove(flights, flight);
        return NULL;
    }
    return flight;
}

/* Who is told of changes hears of one that comes between the two. */
static bool asks_too_early(const struct copies *copies, const struct flight *flight,
                           const struct flight *after) {
    return !copies->is_tracked && after != NULL && flight->number < after->number;
}

/* One to join; whether it asked before, so that what it brings may be older than this question:
 * then it is as good as a copy of that age, and no better. */
static struct flight *find_flight(struct redis_store *store, enum redis_verb verb, struct slice key,
                                  const struct flight *after, bool *asked_before) {
    const struct copies *copies = &store->copies;
    struct flight *flight = flights_find(&copies->flights, verb, key);
    bool in_the_air = flight != NULL && flight_is_in_the_air(&copies->flights, flight);
    *asked_before = in_the_air;
    if (in_the_air && (!copies->is_tracked || !copies_is_recent(flight->started_ms))) {
        return NULL;
    }
    return flight == NULL || asks_too_early(copies, flight, after) ? NULL : flight;
}

static enum progress read_through(struct redis_store *store, enum redis_verb verb, struct slice key,
                                  const struct flight *after, struct store_operation *operation) {
    struct cache_metrics *metrics = &store->metrics->cache;
    if (!redis_verb_may_start(store, key, true, operation)) {
        return PROGRESS_DONE;
    }
    struct flight *flight = find_flight(store, verb, key, after, &operation->from_memory);
    counter_add(flight != NULL ? &metrics->joined : &metrics->misses, 1);
    if (flight == NULL) {
        operation->from_memory = false;
        flight = new_flight(store, verb, key);
    }
    if (flight == NULL) {
        return redis_done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    flight_join(flight, operation);
    redis_wait(store, WAITS_FOR_FLIGHT, operation);
    return PROGRESS_PENDING;
}

/* ---- the verbs ---- */

static bool read_from_memory(struct redis_store *store, enum redis_verb verb, struct slice key,
                             struct store_operation *operation) {
    if (!copies_is_trusted(store)) {
        return false;
    }
    store_operation_reset(operation);
    if (!cache_find(store->copies.cache, kind_of(verb), key, uv_now(store->loop), operation)) {
        return false;
    }
    operation->from_memory = true;
    counter_add(&store->metrics->cache.hits, 1);
    store_operation_set(operation, store->metrics, operation->answer, STORE_TROUBLE_NONE);
    return true;
}

static enum progress read_key(struct redis_store *store, enum redis_verb verb, struct slice key,
                              const struct store_operation *after,
                              struct store_operation *operation) {
    if (read_from_memory(store, verb, key, operation)) {
        return PROGRESS_DONE;
    }
    return read_through(store, verb, key, flight_of(after), operation);
}

enum progress redis_verb_get(struct store *base, struct slice key,
                             struct store_operation *operation) {
    return read_key(redis_store_of(base), REDIS_GET, key, NULL, operation);
}

enum progress redis_verb_read_hash(struct store *base, struct slice key,
                                   const struct store_operation *after,
                                   struct store_operation *operation) {
    return read_key(redis_store_of(base), REDIS_READ_HASH, key, after, operation);
}

enum progress redis_verb_confirm(struct store *base, const struct store_premise *premises,
                                 unsigned count, struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = redis_verb_begin(store, S(""), count <= STORE_PREMISES_MAX, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    copies_rest_on(operation, premises, count);
    if (identity_is_unwatched(&store->identity)) {
        identity_put_question(&store->identity, out);
        return redis_verb_end(store, REDIS_CONFIRM_IDENTITY, 1, operation);
    }
    output_command(out, 1);
    output_argument(out, S("PING"));
    return redis_verb_end(store, REDIS_CONFIRM, 1, operation);
}
