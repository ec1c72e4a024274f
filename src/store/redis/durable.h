/* durable.h: writes that wait for replicas, over a second link of a node.
 *
 * WAIT blocks its connection for everybody behind it, so what does not wait goes over the other
 * one. Commands gather; they leave as a batch with one WAIT behind them, and the next batch once
 * that is answered: that is what groups them.
 *
 * Happy path: durable_begin(), output_...(), durable_end(); the command's own reply comes and the
 * operation waits on; with the reply to WAIT it ends as its own reply said.
 *
 * From Redis 7.2 on WAIT is about what its own connection has written last. A deletion that found
 * nothing has written nothing: the write that it relies on came over another connection, and may
 * be on no replica yet. So it stays for the next batch, and a write that always changes something,
 * its mark, goes ahead of the WAIT of that one (durable_mark.c).
 *
 * Failure modes: too few replicas have it in time, or the operation's deadline comes first:
 * UNKNOWN (NOREPLICAS), the write is done and may be undone by a fail-over. The mark is refused:
 * UNKNOWN, of what it stands for. The link is lost, or
 * Redis becomes a replica (UNBLOCKED): UNKNOWN. The node's other link is lost: this one is left
 * too, and comes back behind it and to the same address: both always speak to the same Redis. */
#ifndef MINTD_REDIS_DURABLE_H
#define MINTD_REDIS_DURABLE_H

#include "store/redis/node.h"

struct output;

struct durable_operations {
    struct store_operation *first, *last;
};

/* Of a second link's node. */
struct durable_batch {
    struct redis_node *of; /* whose second link it is */
    unsigned wanted;       /* replicas that are to have a write */
    unsigned gathered;     /* commands that no WAIT stands behind */
    uint64_t until_ns;     /* the earliest deadline of these */
    bool is_waiting;       /* a WAIT is under way, for this many: */
    unsigned asked;
    struct durable_operations waiting; /* that the node has acknowledged, and wait for it */
    struct durable_operations
        unchanged; /* that changed nothing, for the next one; there is a mark */
};

/* ---- life, for node.c and redis_store.c ---- */

/* What its second link tells. */
const struct link_events *durable_events(const struct redis_store *store);
/* The node's first link has come up, or is lost. */
void durable_on_node_up(struct redis_node *node);
void durable_on_node_down(struct redis_node *node);
/* There may be a newer password. */
void durable_take_news(struct redis_node *node);
/* Once a turn: what has gathered leaves, unless a WAIT is under way. */
void durable_flush(struct redis_node *durable);

/* ---- between durable.c and durable_link.c ---- */

/* WAIT, or WAITAOF, for so many replicas. */
void durable_put_wait(const struct redis_store *store, struct output *out, unsigned replicas,
                      uint64_t ms);
bool durable_is_answer(const struct redis_store *store, const struct reply *reply);
/* It ends the second link; both, where Redis is no master any more. */
void durable_refuse(struct redis_node *durable, enum store_trouble trouble, const char *words);

/* ---- between durable.c and durable_mark.c ---- */

/* Of a deletion that was sent as this command (absent: it is not known): puts in a write that
 * changes something in any case, on the same link, and in a cluster in the same slot. False: there
 * is no room. */
bool durable_put_mark(struct store_operation *operation, struct slice command);
/* The mark was not written, or nobody knows. */
void durable_end_unchanged(struct redis_node *durable, enum store_trouble trouble);

/* ---- operations ---- */

/* As redis_verb_begin() and redis_verb_end(), on the second link of the node that has the key. */
struct output *durable_begin(struct redis_store *store, struct slice key, bool fits,
                             struct store_operation *operation);
enum progress durable_end(struct redis_store *store, enum redis_verb verb,
                          struct store_operation *operation);
/* A command of this operation was put in to be sent, also one that another node sent on. */
void durable_gather(struct redis_node *durable, const struct store_operation *operation);
/* The node has acknowledged it, which was sent as this command, and it is out of `deadlines`.
 * False: it is over as it is: there is nothing to wait for, or it is UNKNOWN by now. */
bool durable_wait(struct store_operation *operation, struct slice command);
/* Nobody waits for it any more. */
void durable_leave(struct store_operation *operation);

#endif
