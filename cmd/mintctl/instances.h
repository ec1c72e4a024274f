/* instances.h: the heartbeats of instances, found in Redis. */
#ifndef MINTCTL_INSTANCES_H
#define MINTCTL_INSTANCES_H

#include "redis.h"
#include <cjson/cJSON.h>

#define INSTANCES_MAX 1024u

struct instance_view {
    char *name;
    cJSON *heartbeat; /* an object */
};

struct instances {
    size_t count;
    bool is_complete; /* false: there were too many keys to look through, or too many instances */
    struct instance_view items[INSTANCES_MAX];
};

/* instances_fini() in any case. Where the user may not look, there are none, and *is_allowed is
 * false. */
enum status instances_read(struct redis *redis, struct instances *instances, bool *is_allowed);
void instances_fini(struct instances *instances);

/* A member of a heartbeat; "" and 0 where there is none. */
const char *instance_text(const struct instance_view *instance, const char *member);
uint64_t instance_number(const struct instance_view *instance, const char *member);

#endif
