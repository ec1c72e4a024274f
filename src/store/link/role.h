/* role.h: whether the server at the other end of a connection is the master.
 *
 * Happy path: HELLO without arguments, which every user may ask, names the role. RESP2 is spoken
 * where HELLO was refused, so there ROLE comes first.
 *
 * Failure modes: a way that is refused is not tried again on this connection, the next one is. Who
 * may ask nothing but PING hears of MASTERDOWN and LOADING; then only a write tells that it has
 * become a replica. */
#ifndef MINTD_REDIS_ROLE_H
#define MINTD_REDIS_ROLE_H

#include "store/link/traffic.h"

/* How a server can be asked; the last tells only of what hinders it. */
enum role_way {
    ROLE_BY_HELLO,
    ROLE_BY_ROLE,
    ROLE_BY_PING,
    ROLE_WAYS,
};

/* One of them for each question, from inside traffic_take() or traffic_drop(). */
struct role_events {
    void (*on_master)(void *context); /* it is, or it will not say */
    /* It is a replica, has no data to give (LOADING, MASTERDOWN), or what it said is no answer; or
     * the connection is lost. `reason` stays. */
    void (*on_other)(void *context, enum store_trouble trouble, const char *reason);
};

struct role {
    struct traffic *traffic;
    bool takes_replica;              /* a replica is as good as a master */
    const struct role_events *asker; /* NULL: no question is under way */
    void *context;
    enum role_way way;         /* of the question under way */
    bool ways_shut[ROLE_WAYS]; /* this server does not answer to these, */
    bool ways_busy[ROLE_WAYS]; /* and not to these now: for this question */
    bool speaks_hello;         /* it has answered to HELLO 3 */
    bool was_master;           /* on this connection, or did not say */
};

void role_init(struct role *role, struct traffic *traffic, bool takes_replica);
/* A new connection; is_without_hello: it is not to be asked in that way. */
void role_start(struct role *role, bool is_without_hello);
/* Asks in the first way that the server does not refuse. One question at a time; `asker` stays. */
void role_ask(struct role *role, const struct role_events *asker, void *context);
/* The same, where the greeting brought this reply to HELLO 3: asks only where that does not say,
 * else `asker` is told from inside. */
void role_take(struct role *role, const struct reply *hello, const struct role_events *asker,
               void *context);

static inline bool role_is_asked(const struct role *role) {
    return role->asker != NULL;
}

#endif
