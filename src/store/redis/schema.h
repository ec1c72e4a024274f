/* schema.h: whether the data in this Redis is laid out as we know it: the key
 * `<prefix>schema`, made where it is missing. */
#ifndef MINTD_REDIS_SCHEMA_H
#define MINTD_REDIS_SCHEMA_H

#include "store/link/link.h"

#define SCHEMA_VERSION_MAX 64u

struct redis_schema {
    struct redis_link *link; /* of the node that has the key; NULL: it is not known */
    bool is_open;            /* a check is under way */
    bool is_moving; /* its node may say that another one has the key: nothing is wrong then */
    struct slice prefix;
    bool only_reads; /* no layout yet is as good as ours */
    unsigned rounds;
    /* The connection is usable as to the schema or not: `version` is absent where it is ours, else
     * what was found. Not called where the link fails. */
    void (*on_checked)(void *context, struct slice version);
    void *context;
};

/* Asks; link, prefix, on_checked and context are set. */
void schema_check(struct redis_schema *schema);

#endif
