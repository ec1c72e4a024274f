/* What a decision rests on, confirmed (the laws of premises in docs/store.md).
 *
 * Happy path: one node has all keys: its reply to any command that was sent after the call has
 * behind it all that it had to tell, so PING will do, or the SETEX of a mint; but PING besides,
 * where that goes over the node's second link, which tells of nothing. In a cluster only the node
 * that has a slot can speak for it, and only by its reply to a command that names a key: so each
 * premise is asked for by EXISTS, besides the command itself, all at once. Mints of one turn that
 * rest on the same key share one question.
 *
 * Failure modes: a node that cannot be asked, or does not answer in time: nobody can tell, UNKNOWN.
 * One that answers for a slot that it did not have: its copies were forgotten when that was heard.
 * No memory for the questions: the command they stand beside is not sent, UNKNOWN. (To decide again
 * without them would be to decide by what memory says, of which nobody has heard anything new.) */
#include "store/redis/redis_store_internal.h"

#include "store/store_answer.h"
#include <stdlib.h>

#define PARTS_MAX (STORE_PREMISES_MAX + 1u) /* premises, and the identity */

struct confirmation {
    struct redis_store *store;
    struct store_operation *operation; /* NULL: nobody waits any more */
    bool is_own;                       /* the operation has no command of its own */
    unsigned missing;                  /* replies, that to its own command too */
    enum store_trouble trouble;        /* of the parts, the first */
    struct confirmed_part {
        struct confirmation *all;
        struct store_operation operation;
    } parts[PARTS_MAX];
};

/* The last reply is there. */
static void conclude(struct confirmation *c) {
    struct store_operation *operation = c->operation;
    struct redis_store *store = c->store;
    enum store_trouble trouble = c->trouble;
    free(c);
    if (operation == NULL) {
        return;
    }
    operation->waits_for = NULL;
    if (operation->kind == WAITS_FOR_PARTS) { /* its own reply is not the last */
        deadlines_remove(&store->deadlines, operation);
    }
    if (operation->answer == STORE_FOUND && trouble != STORE_TROUBLE_NONE) {
        operation->answer = STORE_UNKNOWN;
        operation->trouble = trouble;
    }
    redis_judge_identity(store, operation);
    copies_judge_premises(store, operation);
    redis_finish(store, operation, operation->answer, operation->trouble);
}

static void take_part(struct confirmation *c, const struct store_operation *part) {
    if (part->answer == STORE_UNKNOWN && c->trouble == STORE_TROUBLE_NONE) {
        c->trouble = part->trouble;
    }
    c->missing--;
}

static void on_part(struct store_operation *operation) {
    struct confirmation *c = container_of(operation, struct confirmed_part, operation)->all;
    take_part(c, operation);
    if (c->missing == 0) {
        conclude(c);
    }
}

/* Where nothing that its node has is remembered, nothing old can have been taken. */
static bool needs_question(const struct redis_store *store, struct slice key) {
    const struct redis_node *node = route_of(store, key);
    return node == NULL || node->is_tracked;
}

static enum progress ask_identity(struct redis_store *store, struct store_operation *part) {
    struct output *out = redis_verb_begin(store, S(REDIS_IDENTITY_KEY), true, part);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    identity_put_question(&store->identity, out);
    return redis_verb_end(store, REDIS_CONFIRM_IDENTITY, 1, part);
}

/* Of one node, which has all keys. */
static enum progress ask_node(struct redis_store *store, struct store_operation *part) {
    struct output *out = redis_verb_begin(store, S(""), true, part);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 1);
    output_argument(out, S("PING"));
    return redis_verb_end(store, REDIS_CONFIRM, 1, part);
}

static enum progress ask_about(struct redis_store *store, struct slice key,
                               struct store_operation *part) {
    return store->cluster != NULL ? redis_ask_exists(store, key, part) : ask_node(store, part);
}

static void ask_part(struct confirmation *c, unsigned number, struct slice key,
                     uint64_t deadline_ns) {
    struct confirmed_part *part = &c->parts[number];
    part->all = c;
    part->operation.on_done = on_part;
    part->operation.deadline_ns = deadline_ns;
    c->missing++;
    enum progress progress = slice_is_absent(key) ? ask_identity(c->store, &part->operation)
                                                  : ask_about(c->store, key, &part->operation);
    if (progress == PROGRESS_DONE) {
        take_part(c, &part->operation);
    }
}

/* NULL: nothing is to be asked, or (`failed`) there is no memory. */
static struct confirmation *begin(struct redis_store *store, const struct store_premise *premises,
                                  unsigned count, struct store_operation *operation, bool is_own,
                                  bool *failed) {
    bool asks = is_own && identity_is_unwatched(&store->identity);
    for (unsigned i = 0; i < count; i++) {
        asks = asks || needs_question(store, premises[i].key);
    }
    struct confirmation *c = asks ? calloc(1, sizeof *c) : NULL;
    *failed = asks && c == NULL;
    if (c != NULL) {
        c->store = store;
        c->operation = operation;
        c->is_own = is_own;
        c->missing = 1; /* until all questions are put */
    }
    return c;
}

static void ask(struct confirmation *c, const struct store_premise *premises, unsigned count,
                uint64_t deadline_ns) {
    unsigned questions = c->store->cluster != NULL || count == 0 ? count : 1;
    for (unsigned i = 0; i < questions; i++) {
        if (needs_question(c->store, premises[i].key)) {
            ask_part(c, i, premises[i].key, deadline_ns);
        }
    }
    if (c->is_own && identity_is_unwatched(&c->store->identity)) {
        ask_part(c, STORE_PREMISES_MAX, SLICE_ABSENT, deadline_ns);
    }
}

/* ---- beside a command of its own ---- */

bool confirm_prepare(struct redis_store *store, const struct store_premise *premises,
                     unsigned count, struct store_operation *operation) {
    bool failed;
    operation->waits_for = begin(store, premises, count, operation, false, &failed);
    return !failed;
}

void confirm_ask(const struct store_premise *premises, unsigned count,
                 struct store_operation *operation) {
    if (operation->waits_for != NULL) {
        ask(operation->waits_for, premises, count, operation->deadline_ns);
    }
}

void confirm_drop(struct store_operation *operation) {
    free(operation->waits_for);
    operation->waits_for = NULL;
}

void confirm_take_reply(struct store_operation *operation) {
    struct confirmation *c = operation->waits_for;
    if (--c->missing == 0) {
        conclude(c);
    } else {
        redis_wait(c->store, WAITS_FOR_PARTS, operation);
    }
}

void confirm_abandon(struct store_operation *operation) {
    struct confirmation *c = operation->waits_for;
    bool has_own_reply = operation->kind == WAITS_FOR_PARTS;
    c->operation = NULL;
    if (!has_own_reply && --c->missing == 0) { /* its own will not be counted */
        free(c);
    }
}

/* ---- the verb ---- */

static enum progress confirm_over_nodes(struct redis_store *store,
                                        const struct store_premise *premises, unsigned count,
                                        struct store_operation *operation) {
    bool failed;
    store_operation_reset(operation);
    copies_rest_on(operation, premises, count);
    struct confirmation *c = begin(store, premises, count, operation, true, &failed);
    if (failed) {
        return redis_done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    if (c == NULL) {
        operation->answer = STORE_FOUND;
        redis_judge_identity(store, operation);
        copies_judge_premises(store, operation);
        store_operation_set(operation, store->metrics, operation->answer, operation->trouble);
        return PROGRESS_DONE;
    }
    operation->answer = STORE_FOUND;
    operation->waits_for = c;
    redis_wait(store, WAITS_FOR_PARTS, operation); /* it gets its deadline here */
    ask(c, premises, count, operation->deadline_ns);
    if (--c->missing == 0) { /* none could be asked */
        enum store_trouble trouble = c->trouble;
        deadlines_remove(&store->deadlines, operation);
        operation->waits_for = NULL;
        free(c);
        return redis_done_unknown(store, operation, trouble);
    }
    return PROGRESS_PENDING;
}

enum progress redis_verb_confirm(struct store *base, const struct store_premise *premises,
                                 unsigned count, struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    if (store->cluster != NULL && count <= STORE_PREMISES_MAX) {
        return confirm_over_nodes(store, premises, count, operation);
    }
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
