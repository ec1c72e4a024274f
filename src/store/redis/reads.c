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
#include <stdlib.h>

/* Of what was asked for before its read began, and is not kept: nobody hears of its changes, and it
 * may be older than the read. It is the copy that has gone already. */
#define COPY_GONE UINT64_MAX

static enum cache_kind kind_of(enum redis_verb verb) {
    return verb == REDIS_GET ? CACHE_TEXT : CACHE_HASH;
}

static void put_command(struct redis_store *store, enum redis_verb verb, struct slice key,
                        struct output *out) {
    output_command(out, 2);
    output_argument(out, verb == REDIS_GET      ? S("GET")
                         : verb == REDIS_EXISTS ? S("EXISTS")
                                                : S("HGETALL"));
    output_joined(out, store->prefix, key);
}

/* ---- a flight ---- */

/* The reply as an answer; the link fails where it is none to this command. */
static void take_reply(struct redis_store *store, const struct flight *flight,
                       const struct link_result *result, struct store_operation *answer) {
    struct redis_node *node = flight->way.node;
    if (result->trouble != STORE_TROUBLE_NONE) {
        redis_leave_if_no_master(node, result->trouble);
        answer->trouble = result->trouble;
    } else if (!redis_answer(flight->verb, result->reply, &store->fields, answer)) {
        link_fail(node->link, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
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
    if (answer->copy.number == 0 && (operation->from_memory || operation->is_unordered)) {
        operation->copy.number = COPY_GONE;
    }
    redis_finish(store, operation, answer->answer, answer->trouble);
}

/* Nobody waits for a turn that has come. */
static void start_followers(struct redis_store *store, struct flight *flight);

static void on_landed(void *context, const struct link_result *result);
static enum progress read_through(struct redis_store *store, enum redis_verb verb, struct slice key,
                                  const struct flight *after, struct store_operation *operation);

/* False: it goes on elsewhere. */
static bool is_over(struct redis_store *store, struct flight *flight,
                    const struct link_result *result) {
    const struct link_handler handler = {
        .on_reply = on_landed, .context = flight, .replies = flight->way.replies};
    if (result->trouble != STORE_TROUBLE_CLUSTER ||
        !route_goes_on(store, &handler, &flight->way, result)) {
        return true;
    }
    flight->started_ns = clock_monotonic_ns();
    if (flight->way.is_aside) { /* whoever answers does not speak for the slot */
        copies_forget_key(store, flight_key(flight));
    }
    return false;
}

/* What may be kept: it is of now, and of the node that has the slot and tells of changes. */
static bool may_be_kept(const struct flight *flight, const struct store_operation *answer) {
    const struct redis_node *node = flight->way.node;
    return answer->answer != STORE_UNKNOWN && !flight->spoiled && node != NULL &&
           node->is_tracked && !flight->way.is_aside && flight->verb != REDIS_EXISTS;
}

static void on_landed(void *context, const struct link_result *result) {
    struct flight *flight = context;
    struct redis_store *store = flight->owner;
    struct copies *copies = &store->copies;
    if (!is_over(store, flight, result)) {
        return;
    }
    struct store_operation answer = {.answer = STORE_UNKNOWN, .trouble = STORE_TROUBLE_NONE};
    if (result->reply != NULL) {
        histogram_record(&store->metrics->round_trip, clock_monotonic_ns() - flight->started_ns);
    }
    take_reply(store, flight, result, &answer);
    if (may_be_kept(flight, &answer)) {
        answer.origin = (uint8_t)((struct redis_node *)flight->way.node)->index;
        cache_put(copies->cache, kind_of(flight->verb), flight_key(flight), uv_now(store->loop),
                  &answer);
    }
    flight->spoiled = true; /* who asks again from inside its callback gets another one */
    struct store_operation *operation;
    while ((operation = flight_next(flight)) != NULL) {
        hand_out(store, operation, &answer);
    }
    start_followers(store, flight);
    flights_remove(&copies->flights, flight);
}

static bool take_off(struct redis_store *store, struct redis_node *node, enum redis_verb verb,
                     struct slice key, struct flight *flight) {
    const struct link_handler handler = {.on_reply = on_landed, .context = flight, .replies = 1};
    struct output *out = link_begin(node->link);
    if (out == NULL) {
        return false;
    }
    put_command(store, verb, key, out);
    flight->started_ns = clock_monotonic_ns();
    flight->started_ms = uv_now(store->loop);
    flight->way.replies = 1;
    return route_end(node, &handler, &flight->way);
}

/* NULL: no room or no memory. */
static struct flight *new_flight(struct redis_store *store, struct redis_node *node,
                                 enum redis_verb verb, struct slice key) {
    struct flights *flights = &store->copies.flights;
    struct flight *flight = flights_add(flights, store, verb, key);
    if (flight != NULL && !take_off(store, node, verb, key, flight)) {
        flights_remove(flights, flight);
        return NULL;
    }
    return flight;
}

/* Who is told of changes hears of one that comes between the two. */
static bool asks_too_early(const struct redis_node *node, const struct flight *flight,
                           const struct flight *after) {
    return !node->is_tracked && after != NULL && flight->number < after->number;
}

/* One to join; whether it asked before, so that what it brings may be older than this question:
 * then it is as good as a copy of that age, and no better. */
static struct flight *find_flight(const struct redis_store *store, const struct redis_node *node,
                                  enum redis_verb verb, struct slice key,
                                  const struct flight *after, bool *asked_before) {
    const struct copies *copies = &store->copies;
    struct flight *flight = flights_find(&copies->flights, verb, key);
    bool in_the_air = flight != NULL && flight_is_in_the_air(&copies->flights, flight);
    *asked_before = in_the_air;
    bool may_be_joined = node->is_tracked && verb != REDIS_EXISTS && flight != NULL &&
                         copies_is_recent(flight->started_ms);
    if (in_the_air && !may_be_joined) {
        return NULL;
    }
    return flight == NULL || asks_too_early(node, flight, after) ? NULL : flight;
}

static enum progress read_through(struct redis_store *store, enum redis_verb verb, struct slice key,
                                  const struct flight *after, struct store_operation *operation) {
    struct cache_metrics *metrics = &store->metrics->cache;
    if (!redis_verb_may_start(store, key, true, operation)) {
        return PROGRESS_DONE;
    }
    struct redis_node *node = operation->way.node;
    struct flight *flight = find_flight(store, node, verb, key, after, &operation->from_memory);
    counter_add(flight != NULL ? &metrics->joined : &metrics->misses, 1);
    if (flight == NULL) {
        operation->from_memory = false;
        flight = new_flight(store, node, verb, key);
    }
    if (flight == NULL) {
        return redis_done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    flight_join(flight, operation);
    redis_wait(store, WAITS_FOR_FLIGHT, operation);
    return PROGRESS_PENDING;
}

/* ---- a read that is to come after another one ---- */

/* Waits until a flight has landed. */
struct follower {
    struct follower *next;
    struct store_operation *operation; /* NULL: nobody waits any more */
    enum redis_verb verb;
    size_t key_size;
    char key[];
};

static void start_followers(struct redis_store *store, struct flight *flight) {
    struct follower *follower = flight->followers;
    flight->followers = NULL;
    while (follower != NULL) {
        struct follower *next = follower->next;
        struct store_operation *operation = follower->operation;
        struct slice key = slice_of(follower->key, follower->key_size);
        if (operation != NULL) {
            deadlines_remove(&store->deadlines, operation);
            if (read_through(store, follower->verb, key, NULL, operation) == PROGRESS_DONE) {
                operation->on_done(operation);
            }
        }
        free(follower);
        follower = next;
    }
}

void reads_leave_turn(struct store_operation *operation) {
    ((struct follower *)operation->waits_for)->operation = NULL;
}

static enum progress follow(struct redis_store *store, enum redis_verb verb, struct slice key,
                            struct flight *after, struct store_operation *operation) {
    struct follower *follower = malloc(sizeof *follower + key.size);
    store_operation_reset(operation);
    if (follower == NULL) {
        return redis_done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    *follower = (struct follower){
        .next = after->followers, .operation = operation, .verb = verb, .key_size = key.size};
    memcpy(follower->key, key.data, key.size);
    after->followers = follower;
    operation->waits_for = follower;
    redis_wait(store, WAITS_FOR_TURN, operation);
    return PROGRESS_PENDING;
}

/* Two nodes are asked at once, in no order. Where both tell of changes that is as good, as long as
 * what is found is kept: it is a premise then, and no premise otherwise. Where they do not, one
 * comes after the other. */
static enum progress read_after(struct redis_store *store, enum redis_verb verb, struct slice key,
                                struct flight *after, struct store_operation *operation) {
    const struct redis_node *node = route_of(store, key);
    if (store->cluster == NULL || after == NULL || node == NULL) {
        return read_through(store, verb, key, after, operation);
    }
    if (!node->is_tracked) {
        return follow(store, verb, key, after, operation);
    }
    enum progress progress = read_through(store, verb, key, NULL, operation);
    operation->is_unordered = true;
    return progress;
}

/* ---- the verbs ---- */

static bool read_from_memory(struct redis_store *store, enum redis_verb verb, struct slice key,
                             struct store_operation *operation) {
    if (store->copies.cache == NULL) {
        return false;
    }
    store_operation_reset(operation);
    if (!cache_find(store->copies.cache, kind_of(verb), key, uv_now(store->loop), operation) ||
        !copies_is_trusted(store->nodes[operation->origin])) {
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
    if (store->is_spared) {
        return redis_done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    return read_after(store, verb, key, flight_of(after), operation);
}

enum progress redis_ask_exists(struct redis_store *store, struct slice key,
                               struct store_operation *operation) {
    return read_through(store, REDIS_EXISTS, key, NULL, operation);
}

/* Nobody shares it, and nothing of it is kept: sets change often, and few ask. */
enum progress redis_verb_read_members(struct store *base, struct slice key,
                                      struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = redis_verb_begin(store, key, true, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 3);
    output_argument(out, S("SRANDMEMBER"));
    output_joined(out, store->prefix, key);
    output_number(out, STORE_MEMBERS_MAX);
    return redis_verb_end(store, REDIS_READ_MEMBERS, 1, operation);
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
