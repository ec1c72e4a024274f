/* client_walk.h: the records of many clients, read some hundred at a time. */
#ifndef MINTD_CLIENTS_CLIENT_WALK_H
#define MINTD_CLIENTS_CLIENT_WALK_H

#include "clients/client_record.h"

struct client_walk {
    size_t count;
    struct slice (*id)(void *context, size_t number);
    /* Called once for each in order; anything but DONE ends the walk. */
    enum status (*visit)(void *context, size_t number, const struct client_record *record);
    void *context;
    /* In a cluster: how many were not visited, since their node does not answer, which is said.
     * NULL: that ends the walk. */
    size_t *unanswered;
};

enum status client_walk(struct redis *redis, const struct client_walk *walk);

#endif
