/* redis_settle.c: a write that is on one machine alone is lost with it. */
#include "clients/redis.h"
#include "mintd/say.h"

#define SETTLE_MS "1000"

/* Who is asked: the nodes of these keys, or all. WAIT is about all that a node has written before
 * it: one that we wrote nothing to is not asked. */
struct settlement {
    struct redis_batch *batch;
    const struct slice *keys;
    unsigned count;
    bool is_by_key;
    bool has_replicas[REDIS_BATCH_MAX];
};

static void ask(struct settlement *s, unsigned place, const struct slice *words, size_t count) {
    const struct redis_command command = {words, count};
    if (s->is_by_key) {
        redis_batch_add(s->batch, s->keys[place], &command, 1);
    } else {
        redis_batch_add_at(s->batch, place, &command, 1);
    }
}

/* ROLE: "master", an offset, a list of replicas. Who may not ask is not troubled, nor told of a
 * node that does not answer: the write is done. */
static bool has_replicas(const struct value *role) {
    return value_is(role, REDIS_VALUE_LIST) && role->count == 3 &&
           slice_equal(role->items[0].text, S("master")) &&
           role->items[2].kind == REDIS_VALUE_LIST && role->items[2].count > 0;
}

static bool find_replicas(struct settlement *s) {
    const struct slice role[] = {S("ROLE")};
    bool some = false;
    redis_batch_start(s->batch);
    for (unsigned i = 0; i < s->count; i++) {
        ask(s, i, role, 1);
    }
    redis_batch_collect(s->batch);
    for (unsigned i = 0; i < s->count; i++) {
        struct value *reply = redis_batch_take(s->batch, i);
        s->has_replicas[i] = has_replicas(reply);
        some |= s->has_replicas[i];
        value_free(reply);
    }
    return some;
}

static void wait_for_replicas(struct settlement *s) {
    const struct slice wait[] = {S("WAIT"), S("1"), S(SETTLE_MS)};
    bool is_alone = false;
    redis_batch_start(s->batch);
    for (unsigned i = 0; i < s->count; i++) {
        if (s->has_replicas[i]) {
            ask(s, i, wait, 3);
        }
    }
    redis_batch_collect(s->batch);
    for (size_t i = 0; i < redis_batch_count(s->batch); i++) {
        struct value *reply = redis_batch_take(s->batch, i);
        is_alone |= value_is(reply, REDIS_VALUE_NUMBER) && reply->number == 0;
        value_free(reply);
    }
    if (is_alone) {
        say("warning: done, but no replica has it yet: a fail-over now would undo it");
    }
}

void redis_settle(struct redis *redis, const struct slice *keys, size_t count) {
    struct settlement s = {.batch = redis_batch_new(redis), .keys = keys};
    unsigned nodes = redis_node_count(redis);
    s.is_by_key = redis_is_cluster(redis) && count != 0;
    s.count = s.is_by_key ? (unsigned)count : nodes < REDIS_BATCH_MAX ? nodes : REDIS_BATCH_MAX;
    if (s.batch != NULL && find_replicas(&s)) {
        wait_for_replicas(&s);
    }
    redis_batch_free(s.batch);
}
