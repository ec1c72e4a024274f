/* handler.h: how a command that was sent ends, and whom that is told. */
#ifndef MINTD_REDIS_HANDLER_H
#define MINTD_REDIS_HANDLER_H

#include "mintd/store.h"
#include "store/link/reply.h"

/* How a command ended. With a reply: trouble is NONE, or what the first error reply among its
 * replies means. Without (NULL): DISCONNECTED, or PROTOCOL for one that was too big. */
struct link_result {
    const struct reply *reply; /* valid until the handler returns */
    enum store_trouble trouble;
    /* Where commands are kept, until the handler returns: the bytes that were sent (absent without
     * a reply), and the first error reply (absent: there was none). */
    struct slice command, error;
};

struct link_handler {
    void (*on_reply)(void *context, const struct link_result *result);
    void *context;
    unsigned replies; /* how many come; the handler gets the last (MULTI ... EXEC) */
};

#endif
