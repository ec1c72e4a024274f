/* nodes.h: the masters of a cluster, or the one Redis that there is, and what each says of itself.
 */
#ifndef MINTCTL_NODES_H
#define MINTCTL_NODES_H

#include "info.h"

struct node {
    char name[REDIS_NODE_NAME_MAX];
    bool is_away;
    struct info info;
    /* of the doctor */
    bool is_replica;
    struct value *user; /* of mintd, as ACL GETUSER has it; NULL: not known */
};

struct nodes {
    unsigned count, away;
    struct node *items;
};

/* nodes_fini() in any case. REDIS: none of them answers. What keeps one from answering is said. */
enum status nodes_read(struct redis *redis, struct nodes *nodes);
void nodes_fini(struct nodes *nodes);
/* A command about the server. NULL, said: it does not answer. */
struct value *node_ask(struct redis *redis, const struct node *node, const struct slice *arguments,
                       size_t count);

#endif
