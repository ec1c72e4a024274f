/* client_names.h: the ids of all clients, sorted. */
#ifndef MINTCTL_CLIENT_NAMES_H
#define MINTCTL_CLIENT_NAMES_H

#include "redis.h"

struct client_names {
    size_t count;
    char **items; /* valid ids, each once */
};

/* Why there are none. */
enum client_names_obstacle {
    CLIENT_NAMES_NO_OBSTACLE,
    CLIENT_NAMES_NOT_ALLOWED, /* the user may not look */
    CLIENT_NAMES_NO_SET,      /* the key holds something else */
};

/* Of the set of clients; client_names_fini() in any case. Where there is an obstacle all is well;
 * obstacle NULL: it is said, and REDIS. */
enum status client_names_read(struct redis *redis, struct client_names *names,
                              enum client_names_obstacle *obstacle);
/* Whether ids can be put into it: REDIS, said, where not. Ahead of writing clients: one that is not
 * listed would be missed. */
enum status client_names_check(struct redis *redis);
void client_names_fini(struct client_names *names);

#endif
