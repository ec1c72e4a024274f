/* node.h: one Redis that a store speaks to: its link, whether it tells of changes, its password.
 *
 * Standalone and behind Sentinels there is one, which has all keys. In a cluster there is one a
 * master (cluster.h), and now and then one more, the scout, which asks a seed for the others. */
#ifndef MINTD_REDIS_NODE_H
#define MINTD_REDIS_NODE_H

#include "store/link/link.h"
#include "store/redis/answer.h"
#include <uv.h>

#define NODES_MAX 255u
#define NODE_NONE 255u
#define NODE_ID_SIZE 40u /* hex digits */

struct redis_store;
struct redis_node;

/* Who gets the replies to commands of one kind that nobody waits for any more. */
struct late_replies {
    struct redis_node *node;
    enum redis_verb verb;
};

/* What a link was greeted with, where the password is one that ends. */
struct redis_login {
    uint64_t number, refused; /* of the password that it has, and of one that was not accepted */
    uint64_t refused_ms;      /* when that was, in loop time */
    const char *why;          /* it was not; a text that stays */
};

/* Slots that one node has, as one node says. */
struct slot_range {
    uint16_t first, last;
    uint8_t node; /* its index */
};

struct redis_node {
    struct redis_store *store;
    unsigned index; /* in store->nodes, and as an origin of copies; NODE_NONE: the scout */
    struct redis_link *link;
    unsigned open_parts; /* the link and the timer, until they are closed */
    struct late_replies late[REDIS_VERB_COUNT];

    bool cluster_is_told;             /* that it is one, and the URL does not say so */
    bool is_tracked;                  /* it has said that it will tell */
    enum redis_standing refusal_told; /* why it will not, as counted in `told` */
    uv_timer_t retry;                 /* runs while it refuses to tell */
    long long certificate_expiry_s;   /* what its last handshake showed; 0: none, or no TLS */
    struct redis_login login;

    struct redis_node *durable;  /* its second link (durable.h); NULL: it has none */
    struct durable_batch *batch; /* of a second link; NULL: it is a first one */

    /* a cluster's */
    struct redis_endpoint place;  /* where it is, as another one has said */
    char address[REDIS_NAME_MAX]; /* of a host that is a name; "": not known */
    char id[NODE_ID_SIZE + 1];    /* "": not known yet */
    uint64_t named_ms;            /* loop time: when somebody named it last */
    unsigned long long epoch;     /* of its configuration, as it says; 0: it does not */
    bool is_asked;                /* for its view */
    uint64_t view_asked_ms;       /* loop time: when the view under way was asked for */
    bool is_leaving;              /* it closes */
    bool has_told_nonsense;       /* and that was said */
    bool is_unheard;              /* what it said last did not count (cluster_counts()) */
    bool has_view, had_view;      /* of this connection; and at the last vote */
    bool is_view_new;             /* since the last vote */
    uint64_t owned_ms;            /* loop time: when the view that it has was asked for */
    struct slot_range *view;      /* in the order of slots */
    unsigned view_count;
};

/* With a link that is not started, or two where writes wait. NULL: no memory. */
struct redis_node *node_new(struct redis_store *store, unsigned index,
                            const struct redis_endpoint *place, struct slice tls_name);
/* What its certificate is for, from the next handshake on; empty: its host. */
void node_set_tls_name(struct redis_node *node, struct slice name);
/* A part of the store from now on, until node_close() is through. */
void node_start(struct redis_node *node);
/* Everything that waits for it is answered; it frees itself on a later turn. */
void node_close(struct redis_node *node);
/* Of one that was never started. NULL is fine. */
void node_free(struct redis_node *node);

/* Handshakes from now on are made with this; the caller keeps its reference. */
void node_use_tls(struct redis_node *node, struct tls_context *tls);

/* What people see of it. */
void node_look(const struct redis_node *node, unsigned slots, store_visit *visit, void *context);

static inline bool node_is_up(const struct redis_node *node) {
    return link_state(node->link) == LINK_UP;
}

#endif
