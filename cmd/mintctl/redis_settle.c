/* redis_settle.c: a write that is on one machine alone is lost with it. */
#include "output.h"
#include "redis.h"

#define SETTLE_MS "1000"

/* ROLE: "master", an offset, a list of replicas. Who may not ask is not troubled. */
static bool has_replicas(struct redis *redis) {
    const struct slice arguments[] = {S("ROLE")};
    struct value *role = redis_try(redis, arguments, 1);
    bool has = value_is(role, REDIS_VALUE_LIST) && role->count == 3 &&
               slice_equal(role->items[0].text, S("master")) &&
               role->items[2].kind == REDIS_VALUE_LIST && role->items[2].count > 0;
    value_free(role);
    return has;
}

void redis_settle(struct redis *redis) {
    const struct slice arguments[] = {S("WAIT"), S("1"), S(SETTLE_MS)};
    if (!has_replicas(redis)) {
        return;
    }
    struct value *reply = redis_try(redis, arguments, 3);
    if (value_is(reply, REDIS_VALUE_NUMBER) && reply->number == 0) {
        say("warning: done, but no replica has it yet: a fail-over now would undo it");
    }
    value_free(reply);
}
