/* redis_settle.c: a write that is on one machine alone is lost with it. */
#include "output.h"
#include "redis.h"
#include <stdlib.h>

#define SETTLE_MS "1000"

/* ROLE: "master", an offset, a list of replicas. Who may not ask is not troubled, nor told of a
 * node that does not answer: the write is done. */
static bool has_replicas(const struct value *role) {
    return value_is(role, REDIS_VALUE_LIST) && role->count == 3 &&
           slice_equal(role->items[0].text, S("master")) &&
           role->items[2].kind == REDIS_VALUE_LIST && role->items[2].count > 0;
}

/* Asks each node whether it has replicas; all at once. */
static unsigned ask_roles(struct redis *redis, struct redis_batch *batch) {
    const struct slice role[] = {S("ROLE")};
    unsigned count = redis_node_count(redis);
    count = count < REDIS_BATCH_MAX ? count : REDIS_BATCH_MAX;
    redis_batch_start(batch);
    for (unsigned node = 0; node < count; node++) {
        redis_batch_add_at(batch, node, &(struct redis_command){role, 1}, 1);
    }
    redis_batch_collect(batch);
    return count;
}

/* WAIT is about what this connection has written: where that is nothing it is answered at once. */
static void wait_for_replicas(struct redis_batch *batch, const unsigned *nodes, unsigned count) {
    const struct slice wait[] = {S("WAIT"), S("1"), S(SETTLE_MS)};
    bool is_alone = false;
    redis_batch_start(batch);
    for (unsigned i = 0; i < count; i++) {
        redis_batch_add_at(batch, nodes[i], &(struct redis_command){wait, 3}, 1);
    }
    redis_batch_collect(batch);
    for (unsigned i = 0; i < count; i++) {
        struct value *reply = redis_batch_take(batch, i);
        is_alone |= value_is(reply, REDIS_VALUE_NUMBER) && reply->number == 0;
        value_free(reply);
    }
    if (is_alone) {
        say("warning: done, but no replica has it yet: a fail-over now would undo it");
    }
}

void redis_settle(struct redis *redis) {
    unsigned nodes[REDIS_BATCH_MAX], count = 0;
    struct redis_batch *batch = redis_batch_new(redis);
    if (batch == NULL) {
        return;
    }
    unsigned asked = ask_roles(redis, batch);
    for (unsigned node = 0; node < asked; node++) {
        struct value *role = redis_batch_take(batch, node);
        if (has_replicas(role)) {
            nodes[count++] = node;
        }
        value_free(role);
    }
    if (count != 0) {
        wait_for_replicas(batch, nodes, count);
    }
    redis_batch_free(batch);
}
