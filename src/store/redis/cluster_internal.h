/* cluster_internal.h: a cluster's inside, for cluster.c (its life), cluster_nodes.c (who there is),
 * cluster_view.c (what each says) and cluster_map.c (who has which slot). */
#ifndef MINTD_REDIS_CLUSTER_INTERNAL_H
#define MINTD_REDIS_CLUSTER_INTERNAL_H

#include "store/redis/redis_store_internal.h"

struct redis_cluster {
    struct redis_node *scout; /* NULL: some node is up, or it was called back a moment ago */
    uint64_t scout_ms;        /* loop time: when it was sent last */
    unsigned seed_turn;       /* which seed is next */
    uint64_t asked_ms;        /* loop time: when all nodes were asked last */
    bool is_wanted;           /* they are to be asked again */
    uv_timer_t tick;
    bool is_patched; /* a node has said MOVED since the last vote */
    uint8_t node_of[CLUSTER_SLOTS];
    unsigned slots_of[NODES_MAX];
    uint64_t given_ms[NODES_MAX]; /* when it got one last: the newest view that stood then */
};

/* What somebody says of a node. */
struct node_facts {
    struct slice host, id;          /* an empty id: not told */
    struct slice address, hostname; /* empty: not told */
    unsigned port;
};

/* ---- cluster_nodes.c ---- */

/* Known or new; NULL: it makes no sense, or there is no room. */
struct redis_node *cluster_meet(struct redis_store *store, const struct node_facts *facts);
/* It says who it is. Two names of one node: the one that was known goes on. */
void cluster_take_id(struct redis_node *node, struct slice id);
/* Whether what it says of others counts: it has a slot, or is named by one that has. Where none
 * that has a slot says anything, what anybody says does but one that did not count before. A node
 * that has left may be in another cluster by now, with another map and higher epochs. */
bool cluster_counts(const struct redis_node *node);
/* Nodes that have no slot, and that nobody has named for a while. */
void cluster_let_go_of_the_unnamed(struct redis_store *store);

/* ---- cluster_view.c ---- */

/* The answer to CLUSTER SLOTS. Of a node that does not count nothing is taken. False: it makes no
 * sense, and nothing is changed. */
bool cluster_take_view(struct redis_node *node, const struct reply *reply);

/* ---- cluster_map.c ---- */

/* Who has which slot, by all views that are of now. */
void cluster_vote(struct redis_store *store);
/* This slot alone. */
void cluster_patch(struct redis_store *store, unsigned slot, struct redis_node *node);
/* All slots of a node that goes; `heir` NULL: nobody has them. */
void cluster_pass_on(struct redis_store *store, const struct redis_node *node,
                     const struct redis_node *heir);

#endif
