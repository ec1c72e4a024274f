/* model_cluster.h: three nodes of a Redis Cluster that live in the test: on unix sockets, each with
 * its keys, its own idea of who has which slot, and the keys that a connection has to be told of.
 *
 * Nothing happens by itself. What the store sends lies in a node's inbox until the test lets the
 * node execute it; what the node says, replies and pushes in their order, lies in its outbox until
 * the test delivers it. So a test decides in which order things happen on nodes that know nothing
 * of each other.
 *
 * Slots are of three classes: that of the client, that of the generation, and all others, where
 * tokens lie. As Redis 7 does: the push that a command causes comes behind its reply; MIGRATE
 * deletes a key where it was; a key that is restored has changed; EXISTS is a read. */
#ifndef MINTD_TEST_MODEL_CLUSTER_H
#define MINTD_TEST_MODEL_CLUSTER_H

#include "mintd/slice.h"
#include <stdbool.h>
#include <stdint.h>

#define MODEL_NODES 3u
#define MODEL_LINKS 4u /* of a node: the store's, and a scout's for a moment */
#define MODEL_KEYS 8u
#define MODEL_TRACKED 64u
#define MODEL_PATH_MAX 96u
#define MODEL_REPLY_MAX 640u
#define MODEL_NOWHERE MODEL_NODES

enum model_class { MODEL_TOKENS, MODEL_CLIENT, MODEL_GENERATION, MODEL_CLASSES };

/* What a node does wrong, for a test to see that it is found out. */
enum model_flaw {
    MODEL_IS_RIGHT,
    MODEL_TELLS_NOTHING,     /* it tracks, and never pushes */
    MODEL_TELLS_BEHIND,      /* a push comes behind the next reply */
    MODEL_ANSWERS_FOR_OTHERS /* it says nothing of a slot that it has lost, and answers */
};

struct model_entry {
    char key[96];                /* "": free */
    char reply[MODEL_REPLY_MAX]; /* to GET, or to HGETALL */
};

struct model_item; /* a command, or what is said */

struct model_link {
    int fd; /* -1: free */
    void *reader;
    struct model_item *inbox, *outbox;
    struct model_item *late; /* a push that is told behind the next reply */
    bool is_tracking, is_asking;
    char tracked[MODEL_TRACKED][96];
    unsigned tracked_count;
};

struct model_node {
    unsigned index;
    int listener;
    char path[MODEL_PATH_MAX];
    struct model_link links[MODEL_LINKS];
    struct model_entry entries[MODEL_KEYS];
    unsigned owner[MODEL_CLASSES];       /* as it knows */
    unsigned migrates_to[MODEL_CLASSES]; /* MODEL_NOWHERE: it does not */
    bool imports[MODEL_CLASSES];
    unsigned epoch; /* goes up where it gets a slot */
    bool refuses_tracking;
    enum model_flaw flaw;
};

struct model_cluster {
    char directory[64];
    struct model_node nodes[MODEL_NODES];
    char client_key[96], generation_key[96]; /* whole */
    unsigned slots[MODEL_CLASSES];           /* of these two */
    char last[96];                           /* what was executed, or delivered, last */
};

/* client_key and generation_key without the prefix. */
void model_open(struct model_cluster *cluster, struct slice prefix, struct slice client_key,
                struct slice generation_key);
void model_close(struct model_cluster *cluster);
/* No key is anywhere, each class lies where this says, and whoever tracks is told that all is gone.
 * What waits has to be through. */
void model_reset(struct model_cluster *cluster, const unsigned owner[MODEL_CLASSES]);

/* Takes connections, and what came on them, into the inboxes. Whether anything was there. */
bool model_take(struct model_cluster *cluster);
bool model_can_execute(const struct model_node *node);
bool model_can_deliver(const struct model_node *node);
void model_execute(struct model_cluster *cluster, struct model_node *node); /* one command */
void model_deliver(struct model_cluster *cluster, struct model_node *node); /* one reply or push */

/* ---- what others do, at once ---- */

/* Who has the slot, as that node itself would say. */
struct model_node *model_owner(struct model_cluster *cluster, enum model_class class);
enum model_class model_class_of(const struct model_cluster *cluster, const char *key);
/* Where the key is; NULL: nowhere. */
const struct model_entry *model_find(const struct model_cluster *cluster, const char *key);
/* The reply to GET or HGETALL from now on, on the node that has the key, or is getting it. */
void model_put(struct model_cluster *cluster, const char *key, const char *reply);
void model_remove(struct model_cluster *cluster, const char *key);
/* SETSLOT MIGRATING and IMPORTING. */
void model_begin_move(struct model_cluster *cluster, enum model_class class, unsigned to);
/* MIGRATE of all keys of the class; `tells`: as keys that are deleted and restored, or, as where a
 * slot is handed over at once, without a word. */
void model_move_keys(struct model_cluster *cluster, enum model_class class, unsigned to,
                     bool tells);
/* SETSLOT NODE, on one node. */
void model_set_owner(struct model_cluster *cluster, unsigned node, enum model_class class,
                     unsigned owner);

#endif
