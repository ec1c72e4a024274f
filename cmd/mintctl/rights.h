/* rights.h: what mintd's user in Redis has to be allowed: one table, from which mintctl acl prints
 * a rule and the doctor looks for what is missing. A command that mintd sends belongs into it. */
#ifndef MINTCTL_RIGHTS_H
#define MINTCTL_RIGHTS_H

#include <stddef.h>

enum right_kind {
    RIGHT_NEEDED,
    RIGHT_FOR_CLOCK,    /* without it an instance goes by its own clock */
    RIGHT_FOR_DATABASE, /* where the URL names another database than 0 */
    RIGHT_FOR_CLUSTER,  /* where the URL names a cluster */
    RIGHT_FOR_LIST,     /* without it mintctl status does not see the instance */
    RIGHT_FOR_PAGE,     /* without it /status does not see the other instances */
    RIGHT_FOR_MEMORY,   /* without it each request asks Redis */
    RIGHT_FOR_REPLICAS, /* for an instance that waits for replicas */
    RIGHT_FOR_CLIENTS,  /* for an instance that has a clients file */
    RIGHT_FOR_FILES, /* for one that waits for their files; before 7.2 Redis knows no such word */
};

struct right_of_user {
    const char *command; /* as a rule names it: "get", "client|tracking" */
    enum right_kind kind;
    /* How mintd sends it, so that Redis can be asked whether it may: a key without the prefix
     * (NULL: none) and the arguments behind it. */
    const char *key;
    const char *arguments[3];
};

extern const struct right_of_user rights[];
extern const size_t rights_count;

#endif
