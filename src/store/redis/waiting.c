/* How an operation waits and ends.
 *
 * It waits in two places: in `deadlines` for its time, and for what it asked: in the link's ring
 * for its reply, behind it for replicas (durable.c), with others for a read that is under way
 * (reads.c), or for the other workers (copies.c). Whichever comes first takes it out of the other
 * and ends it. */
#include "store/redis/redis_store_internal.h"

#include "mintd/clock.h"
#include "store/link/error.h"
#include "store/redis/call.h"
#include "store/store_answer.h"

/* ---- an operation's end ---- */

/* What a command of its own has with it: a notice to the other workers, or questions besides. */
static void drop_what_follows(struct store_operation *operation) {
    if (operation->waits_for != NULL && operation->kind == REDIS_SET) {
        confirm_abandon(operation);
    } else if (operation->waits_for != NULL) {
        cache_notice_drop(operation->waits_for);
    }
}

enum progress redis_done_unknown(struct redis_store *store, struct store_operation *operation,
                                 enum store_trouble trouble) {
    store_operation_set(operation, store->metrics, STORE_UNKNOWN, trouble);
    return PROGRESS_DONE;
}

void redis_finish(struct redis_store *store, struct store_operation *operation,
                  enum store_answer answer, enum store_trouble trouble) {
    counter_set(&store->metrics->pending, store->deadlines.count);
    store_operation_set(operation, store->metrics, answer, trouble);
    operation->on_done(operation);
}

/* Nobody waits for it. But if it is no reply to that command, the order of replies is lost. */
static void on_late_reply(void *context, const struct link_result *result) {
    const struct late_replies *late = context;
    struct redis_store *store = late->node->store;
    struct store_operation nobodys = {.trouble = STORE_TROUBLE_NONE};
    bool can_tell =
        late->verb != REDIS_CALL && result->reply != NULL && result->trouble == STORE_TROUBLE_NONE;
    if (can_tell && !redis_answer(late->verb, result->reply, &store->fields, &nobodys)) {
        link_fail(late->node->link, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
    }
}

static void abandon_command(struct store_operation *operation) {
    struct redis_node *node = operation->way.node;
    if (operation->way.awaits_replicas) {
        durable_leave(operation);
        return;
    }
    route_abandon(&operation->way, on_late_reply,
                  node != NULL ? &node->late[operation->kind] : NULL);
}

static void on_expired(void *context, struct store_operation *operation) {
    struct redis_store *store = context;
    enum store_trouble trouble =
        operation->way.awaits_replicas ? STORE_TROUBLE_NOREPLICAS : STORE_TROUBLE_TIMEOUT;
    switch (operation->kind) {
    case WAITS_FOR_FLIGHT:
        flight_leave(operation->waits_for, operation);
        break;
    case WAITS_FOR_TURN:
        reads_leave_turn(operation);
        break;
    case WAITS_FOR_PARTS:
        confirm_abandon(operation);
        break;
    case WAITS_FOR_SIBLINGS:
        cache_notice_drop(operation->waits_for);
        break;
    default:
        abandon_command(operation);
        drop_what_follows(operation);
    }
    redis_finish(store, operation, STORE_UNKNOWN, trouble);
}

/* A Redis that may no longer be written to is not the one behind this address any more, or not for
 * long: a new connection finds the right one. */
void redis_leave_if_no_master(struct redis_node *node, enum store_trouble trouble) {
    const char *reason = redis_error_no_master(trouble);
    if (reason != NULL && node->batch != NULL) {
        node = node->batch->of;
    }
    if (reason != NULL) {
        link_fail(node->link, trouble, reason);
    }
}

void redis_judge_identity(const struct redis_store *store, struct store_operation *answer) {
    answer->is_doubtful = identity_is_unwatched(&store->identity);
    if (answer->answer != STORE_UNKNOWN && !identity_is_right(&store->identity)) {
        answer->answer = STORE_UNKNOWN;
        answer->trouble = STORE_TROUBLE_IDENTITY;
    }
}

/* A confirmation is FOUND, or UNKNOWN. */
static void take_identity(struct redis_store *store, struct store_operation *operation) {
    if (operation->answer != STORE_UNKNOWN) {
        identity_take_word(&store->identity, operation->value);
        operation->answer = STORE_FOUND;
        operation->value = SLICE_ABSENT;
    }
}

/* Behind a deletion, the other workers have to forget the key before anybody is told. */
void redis_end_with_answer(struct redis_store *store, struct store_operation *operation) {
    if (operation->waits_for == NULL) {
        redis_finish(store, operation, operation->answer, operation->trouble);
    } else if (operation->kind == REDIS_SET) {
        confirm_take_reply(operation);
    } else if (operation->answer == STORE_FOUND) {
        copies_forget_everywhere(store, operation);
    } else {
        cache_notice_drop(operation->waits_for);
        redis_finish(store, operation, operation->answer, operation->trouble);
    }
}

static struct link_handler handler_of(struct store_operation *operation,
                                      void (*on_reply)(void *context,
                                                       const struct link_result *result)) {
    return (struct link_handler){
        .on_reply = on_reply, .context = operation, .replies = operation->way.replies};
}

/* False: it is over, or goes on to another node. */
static bool take_reply(struct store_operation *operation, const struct link_result *result,
                       void (*on_reply)(void *context, const struct link_result *result)) {
    struct redis_store *store = operation->store;
    struct redis_node *node = operation->way.node;
    if (result->trouble == STORE_TROUBLE_CLUSTER) {
        const struct link_handler handler = handler_of(operation, on_reply);
        if (route_goes_on(store, &handler, &operation->way, result)) {
            return false;
        }
    }
    deadlines_remove(&store->deadlines, operation);
    if (result->reply != NULL) {
        histogram_record(&store->metrics->round_trip, clock_monotonic_ns() - operation->started_ns);
    }
    if (operation->kind == REDIS_CALL) {
        redis_finish(store, operation, redis_call_take(operation, result), result->trouble);
        return false;
    }
    if (result->trouble != STORE_TROUBLE_NONE) {
        redis_leave_if_no_master(node, result->trouble);
        operation->trouble = result->trouble;
    } else if (!redis_answer(operation->kind, result->reply, &store->fields, operation)) {
        link_fail(node->link, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
    }
    if (operation->kind == REDIS_CONFIRM_IDENTITY) {
        take_identity(store, operation);
    }
    redis_judge_identity(store, operation);
    if (operation->kind == REDIS_SET || operation->kind == REDIS_CONFIRM ||
        operation->kind == REDIS_CONFIRM_IDENTITY) {
        copies_judge_premises(store, operation);
    }
    return true;
}

static void on_reply(void *context, const struct link_result *result) {
    struct store_operation *operation = context;
    if (take_reply(operation, result, on_reply)) {
        redis_end_with_answer(operation->store, operation);
    }
}

/* A WAIT stands behind its command. */
static void on_reply_to_wait(void *context, const struct link_result *result) {
    struct store_operation *operation = context;
    if (take_reply(operation, result, on_reply_to_wait) &&
        (operation->answer == STORE_UNKNOWN || !durable_wait(operation, result->command))) {
        redis_end_with_answer(operation->store, operation);
    }
}

/* ---- verbs ---- */

bool redis_verb_may_start(struct redis_store *store, struct slice key, bool fits,
                          struct store_operation *operation) {
    store_operation_reset(operation);
    struct redis_node *node = route_of(store, key);
    enum store_trouble trouble = route_trouble(store, node);
    operation->way.node = node;
    if (trouble == STORE_TROUBLE_NONE && (key.size > STORE_KEY_MAX || !fits)) {
        trouble = STORE_TROUBLE_PROTOCOL;
    }
    if (trouble == STORE_TROUBLE_NONE && operation->deadline_ns != 0 &&
        operation->deadline_ns <= clock_monotonic_ns()) {
        trouble = STORE_TROUBLE_TIMEOUT; /* nobody waits: not sent at all */
    }
    if (trouble != STORE_TROUBLE_NONE) {
        redis_done_unknown(store, operation, trouble);
    }
    return trouble == STORE_TROUBLE_NONE;
}

struct output *redis_verb_begin(struct redis_store *store, struct slice key, bool fits,
                                struct store_operation *operation) {
    if (!redis_verb_may_start(store, key, fits, operation)) {
        return NULL;
    }
    struct output *out = link_begin(((struct redis_node *)operation->way.node)->link);
    if (out == NULL) {
        redis_done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    return out;
}

void redis_wait(struct redis_store *store, unsigned kind, struct store_operation *operation) {
    operation->kind = kind;
    operation->store = store;
    store->waits++;
    deadlines_add(&store->deadlines, operation);
    counter_set(&store->metrics->pending, store->deadlines.count);
}

static enum progress end_command(struct redis_store *store, enum redis_verb verb, unsigned replies,
                                 void (*when_replied)(void *context,
                                                      const struct link_result *result),
                                 struct store_operation *operation) {
    operation->way.replies = replies;
    const struct link_handler handler = handler_of(operation, when_replied);
    if (!route_end(operation->way.node, &handler, &operation->way)) {
        return redis_done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    redis_wait(store, verb, operation);
    return PROGRESS_PENDING;
}

enum progress redis_verb_end(struct redis_store *store, enum redis_verb verb, unsigned replies,
                             struct store_operation *operation) {
    return end_command(store, verb, replies, on_reply, operation);
}

enum progress redis_verb_end_to_wait(struct redis_store *store, enum redis_verb verb,
                                     struct store_operation *operation) {
    return end_command(store, verb, 1, on_reply_to_wait, operation);
}

void redis_waiting_init(struct redis_store *store, unsigned timeout_ms) {
    deadlines_init(&store->deadlines, store->loop, timeout_ms);
    store->deadlines.on_expired = on_expired;
    store->deadlines.context = store;
}
