/* cluster.h: a Redis Cluster: which node has which slot, and the nodes themselves.
 *
 *      seeds  -> the scout asks one of them: CLUSTER SLOTS          nodes
 *      nodes  -> each is asked when it is greeted, every 750 ms,    a view each
 *                and all of them whenever something is amiss
 *      views  -> of the nodes that are named the one with the       the map
 *                highest epoch has the slot, else the one that
 *                more of them name
 *      MOVED  -> that slot alone, at once                           the map
 *
 * A node that says itself, in the newer view, that it has not got a slot has not got it. When a
 * node loses a slot all copies that came from it are forgotten: coarse, rare, and it closes the way
 * back (A -> B -> A).
 *
 * Failure modes: a view that makes no sense is not taken, the one before stays. A slot that nobody
 * has is UNKNOWN (CLUSTER); one whose node is away is UNKNOWN, and all others go on. No node up:
 * the scout asks the seeds again, their names resolved anew. */
#ifndef MINTD_REDIS_CLUSTER_H
#define MINTD_REDIS_CLUSTER_H

#include "store/redis/node.h"
#include "store/redis/redirect.h"

#define CLUSTER_SLOTS 16384u
#define CLUSTER_HOPS_MAX 5u /* MOVED and ASK that one command follows */

struct redis_cluster;

/* Starts with the scout. NULL: no memory. */
struct redis_cluster *cluster_new(struct redis_store *store);
void cluster_start(struct redis_store *store);
/* Its timer and the scout; the nodes are the store's. */
void cluster_close(struct redis_store *store);
void cluster_free(struct redis_cluster *cluster); /* NULL is fine */

/* The slot of a key (CRC16, a part in braces alone where there is one). */
unsigned cluster_slot(struct slice prefix, struct slice key);
/* Who has it; NULL: nobody, as far as is known. */
struct redis_node *cluster_node_of(const struct redis_store *store, unsigned slot);
/* NONE: more than half of the nodes that have slots are up. Else why not. */
enum store_trouble cluster_trouble(const struct redis_store *store);
/* Nodes that have slots, and those of them that are up. */
void cluster_count(const struct redis_store *store, unsigned *nodes, unsigned *up);
/* "redis 10.0.0.1:6379 is away (2 of 9 nodes)"; nothing where none is. */
void cluster_write_away(const struct redis_store *store, struct buffer *text);
/* Those that have slots. */
void cluster_look(const struct redis_store *store, store_visit *visit, void *context);
/* Why one is away, in words; "" where none is. */
const char *cluster_reason(const struct redis_store *store);

/* The node that looks for the others; NULL: there is none now. */
struct redis_node *cluster_scout(const struct redis_store *store);
/* What the scout is to be asked leaves. */
void cluster_flush(struct redis_store *store);

/* ---- news of a node ---- */

void cluster_on_greeting(struct redis_node *node);
void cluster_on_down(struct redis_node *node);
void cluster_on_attempt(struct redis_node *node);
void cluster_on_beat(struct redis_node *node);
/* It has said MOVED or ASK: the node that is named, known or new; NULL: no room, or no such node.
 */
struct redis_node *cluster_follow(struct redis_node *from, const struct redirect *redirect);
/* Something is amiss: asks all nodes, not more often than each 250 ms. */
void cluster_ask_all(struct redis_store *store);

#endif
