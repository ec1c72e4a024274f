/* client_names.h: the ids of all clients, sorted. */
#ifndef MINTCTL_CLIENT_NAMES_H
#define MINTCTL_CLIENT_NAMES_H

#include "redis.h"

struct client_names {
    size_t count;
    char **items; /* valid ids, each once */
};

/* Of the set of clients; client_names_fini() in any case. Where the user may not look, *is_allowed
 * is false and all is well; is_allowed NULL: that is said, and REDIS. */
enum status client_names_read(struct redis *redis, struct client_names *names, bool *is_allowed);
void client_names_fini(struct client_names *names);

#endif
