/* schema.h: whether the data in this Redis is laid out as we know it: the key
 * `<prefix>schema`, made where it is missing. In a cluster its mark is a second one that says the
 * same, in the slot of the generation: `<prefix>schema:{<prefix>generation}`. */
#ifndef MINTD_REDIS_SCHEMA_H
#define MINTD_REDIS_SCHEMA_H

#include "store/link/link.h"

#define SCHEMA_VERSION_MAX 64u

enum redis_schema_word { SCHEMA_UNTOLD, SCHEMA_IS_OURS, SCHEMA_IS_OTHER };

struct redis_schema {
    struct redis_link *link; /* of the node that has the key; NULL: it is not known */
    bool is_open;            /* a check is under way */
    bool is_moving; /* its node may say that another one has the key: nothing is wrong then */
    struct slice prefix, key;
    enum {
        SCHEMA_ABSENT_IS_MADE,
        SCHEMA_ABSENT_IS_OURS, /* no layout yet is as good as ours */
        SCHEMA_ABSENT_IS_UNTOLD,
    } absent;
    bool is_mark; /* an error to it is nothing that its node is left for */
    unsigned rounds;
    bool is_due; /* asked for, and in vain so far: its node is there, but not ready */
    enum redis_schema_word word; /* said last */
    /* The connection is usable as to the schema or not: `version` is absent where it is ours, else
     * what was found. Not called where the link fails. */
    void (*on_checked)(void *context, struct slice version);
    void *context;
};

/* Asks; link, prefix, key, on_checked and context are set. */
void schema_check(struct redis_schema *schema);

#endif
