/* route.h: to which node a command goes, and where it goes next.
 *
 * Happy path: route_of() is the node that has the key; link_begin() there, output_...(),
 * route_end(); the reply comes to on_reply.
 *
 * Failure modes: a node says that it has not got the slot (MOVED, ASK), or not now (TRYAGAIN). Then
 * nothing was done, and route_goes_on() sends the same bytes to the node that is named, behind
 * ASKING for ASK, at most CLUSTER_HOPS_MAX times; or, where that is not up yet, keeps them until it
 * is, two seconds at most. Where it is too early they leave again after 50 ms, 100 ms and so on,
 * seven times within two seconds. Then it is over, whether anybody waits or not. A reply that was
 * lost is never asked for again. */
#ifndef MINTD_REDIS_ROUTE_H
#define MINTD_REDIS_ROUTE_H

#include "store/redis/node.h"

/* The node that has this key of ours; NULL: nobody has its slot. */
struct redis_node *route_of(const struct redis_store *store, struct slice key);
/* NONE where it can serve. */
enum store_trouble route_trouble(const struct redis_store *store, const struct redis_node *node);

/* The end of a command that was begun on this node's link. False: there was no room; nothing of it
 * will be sent. */
bool route_end(struct redis_node *node, const struct link_handler *handler, struct store_way *way);
/* Of the result that on_reply was called with. True: it is not over, on_reply comes once more. */
bool route_goes_on(struct redis_store *store, const struct link_handler *handler,
                   struct store_way *way, const struct link_result *result);
/* The connection is lost: what was told of it is over. */
void route_forget_told(struct redis_node *node);
/* Nobody waits for it any more: its reply, if one comes, goes to this one instead. */
void route_abandon(struct store_way *way,
                   void (*on_reply)(void *context, const struct link_result *result),
                   void *context);
/* A node has come up: what was kept for it leaves. */
void route_send_held(struct redis_store *store);
/* What is kept for a node goes to its heir; NULL: it is answered, DISCONNECTED. */
void route_leave(struct redis_store *store, const struct redis_node *node, struct redis_node *heir);
/* All that is kept is answered: DISCONNECTED. */
void route_end_held(struct redis_store *store);

#endif
