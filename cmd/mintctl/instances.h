/* instances.h: the heartbeats of instances, found in Redis by the set of their names. */
#ifndef MINTCTL_INSTANCES_H
#define MINTCTL_INSTANCES_H

#include "clients/redis.h"
#include "mintd/heartbeat_view.h"
#include <cjson/cJSON.h>

#define INSTANCES_MAX 1024u
#define INSTANCE_NAME_MAX 100u /* bytes; no name of ours is longer */

struct instance_view {
    char *name;
    cJSON *heartbeat; /* heartbeat_parse() */
};

struct instances {
    size_t count;
    bool is_complete;  /* false: there were too many */
    bool is_no_set;    /* the key of the set holds something else: none is known */
    size_t unanswered; /* in a cluster: heartbeats whose node does not answer */
    size_t unreadable; /* keys that hold no heartbeat, and are left out */
    char unreadable_name[INSTANCE_NAME_MAX + 1]; /* of the first of them */
    struct instance_view items[INSTANCES_MAX];
};

enum instances_care {
    INSTANCES_LOOK,
    INSTANCES_CLEAN, /* takes names out of the set whose heartbeat is gone, where it may */
};

/* instances_fini() in any case. Where the user may not look, there are none, and *is_allowed is
 * false. */
enum status instances_read(struct redis *redis, enum instances_care care,
                           struct instances *instances, bool *is_allowed);
void instances_fini(struct instances *instances);
/* Says which keys hold what mintd does not write; nothing where all is well. */
void instances_say_flaws(const struct redis *redis, const struct instances *instances);

/* Seconds since the last beat. */
uint64_t instance_age(const struct instance_view *instance);
/* Whether it has this to tell (API_NOTICES). */
bool instance_has_notice(const struct instance_view *instance, const char *notice);

#endif
