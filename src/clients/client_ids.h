/* client_ids.h: the ids of all clients, sorted. */
#ifndef MINTD_CLIENTS_CLIENT_IDS_H
#define MINTD_CLIENTS_CLIENT_IDS_H

#include "clients/redis.h"

struct client_ids {
    size_t count;
    char **items; /* valid ids, each once */
};

/* Why there are none. */
enum client_ids_obstacle {
    CLIENT_IDS_NO_OBSTACLE,
    CLIENT_IDS_NOT_ALLOWED, /* the user may not look */
    CLIENT_IDS_NO_SET,      /* the key holds something else */
};

/* Of the set of clients; client_ids_fini() in any case. Where there is an obstacle all is well;
 * obstacle NULL: it is said, and REDIS. */
enum status client_ids_read(struct redis *redis, struct client_ids *ids,
                            enum client_ids_obstacle *obstacle);
/* Whether ids can be put into it: REDIS, said, where not. Ahead of writing clients: one that is not
 * listed would be missed. */
enum status client_ids_check(struct redis *redis);
void client_ids_fini(struct client_ids *ids);

#endif
