/* redis_store_internal.h: the store's inside, for redis_store.c (life), news.c and ownership.c
 * (what it hears), node.c and cluster.c (whom it speaks to), route.c (which of them gets a
 * command), waiting.c (how an operation waits and ends), writes.c, reads.c and confirm.c (the
 * verbs), copies.c (what is remembered of reads, and how it is kept coherent), durable.c (what
 * waits for replicas). */
#ifndef MINTD_REDIS_STORE_INTERNAL_H
#define MINTD_REDIS_STORE_INTERNAL_H

#include "mintd/redis_store.h"
#include "store/cache/cache.h"
#include "store/cache/flights.h"
#include "store/cache/member.h"
#include "store/deadlines.h"
#include "store/link/link.h"
#include "store/redis/answer.h"
#include "store/redis/clock.h"
#include "store/redis/cluster.h"
#include "store/redis/durable.h"
#include "store/redis/identity.h"
#include "store/redis/node.h"
#include "store/redis/route.h"
#include "store/redis/schema.h"
#include "store/redis/sentinel.h"

#define PREFIX_MAX 64u

/* What an operation in `deadlines` waits for, besides the reply to a command of its own. */
#define WAITS_FOR_FLIGHT REDIS_VERB_COUNT
#define WAITS_FOR_SIBLINGS (REDIS_VERB_COUNT + 1u)
#define WAITS_FOR_PARTS (REDIS_VERB_COUNT + 2u) /* of a confirmation */
#define WAITS_FOR_TURN (REDIS_VERB_COUNT + 3u)  /* for the read that it is to come after */

/* Copies of what was read, trusted while Redis tells us of each change. */
struct copies {
    struct cache *cache; /* NULL: nothing is remembered */
    struct flights flights;
    struct cache_member *member; /* NULL: no other worker */
    void (*wake)(void *context);
    void *wake_context;
    struct cache_group *own_group; /* where no other worker is */
    uv_timer_t sweep;              /* runs where there is a cache */
};

/* What links are made with. */
struct node_settings {
    struct redis_url url; /* the password in it is wiped with the store */
    struct tls_context *tls;
    char tls_name[REDIS_NAME_MAX], name[REDIS_NAME_MAX];
    unsigned pending_max; /* never 0 */
    bool takes_replica;
};

struct redis_store {
    struct store base;
    uv_loop_t *loop;
    struct node_settings settings;
    struct redis_node *nodes[NODES_MAX]; /* some may be NULL, but not the only one */
    unsigned node_count;                 /* all that are there have a lower index */
    struct redis_cluster *cluster;       /* NULL: there is one node, and it has all keys */
    struct held *held;                   /* commands that wait to be sent (route.c) */
    size_t held_bytes;
    uv_timer_t held_timer;  /* runs while there are some */
    struct redis_wait wait; /* for replicas: which writes do, and for how many */
    bool deletions_wait, mints_wait;
    struct sentinels *sentinels; /* NULL: the URL says where Redis is */
    struct deadlines deadlines;
    struct store_metrics *metrics;
    char prefix_text[PREFIX_MAX];
    struct slice prefix;

    struct redis_told *told; /* NULL: no other store */

    struct redis_schema schema, mark; /* the mark: in a cluster */
    char mark_key[PREFIX_MAX + sizeof "schema:{generation}"];
    bool schema_is_ours;
    bool schema_is_told;                    /* that it is not, as counted in `told` */
    uv_timer_t schema_timer;                /* runs while it is not */
    struct redis_password_member *password; /* NULL: it is that of the URL */
    struct redis_identity identity;
    uv_timer_t identity_timer; /* runs while the link is up */
    void (*on_identity)(void *context, enum redis_identity_news news, struct slice before,
                        struct slice now);
    void *identity_context;
    struct redis_clock clock;
    struct redis_node *clock_node; /* whose it is; NULL: none is up */

    struct copies copies;
    struct redis_fields fields;
    unsigned waits, waits_last_turn; /* operations that had to wait, so far */
    bool is_spared;
    bool closing;
    unsigned open_parts; /* nodes, Sentinels and handles, until they are closed */
    void (*on_closed)(void *);
    void *on_closed_context;
    char input[LINK_INPUT_SIZE]; /* all links read into it */
};

static inline struct redis_store *redis_store_of(struct store *base) {
    return (struct redis_store *)base;
}

/* ---- redis_store.c ---- */

/* Whether it serves, or by which servers, may have changed. */
void redis_tell_whether_it_serves(struct redis_store *store);
/* For handles and links: handle->data, or the context, is the store. */
void redis_part_closed(uv_handle_t *handle);
void redis_end_part(void *store);

/* ---- news.c ---- */

/* The node, greeted and looked at, serves from now on. */
void redis_node_set_up(struct redis_node *node);
void redis_on_sentinel_told(void *store);
/* What a node tells. */
extern const struct link_events redis_node_events, redis_sought_node_events,
    redis_cluster_node_events;

/* ---- ownership.c ---- */

void ownership_init(struct redis_store *store, const struct redis_store_options *options);
/* Its two handles are closed with redis_part_closed(). */
void ownership_close(struct redis_store *store);
/* Of the layout and the identity; NONE: they are ours. */
enum store_trouble redis_data_trouble(const struct redis_store *store);
/* Looks at the layout, where it is not known to be ours or a look was in vain, on those of its
 * nodes that are up. */
void redis_look_at_layout(struct redis_store *store);
/* Of one Redis: looks at both, and sets the node up. */
void ownership_on_greeting(struct redis_node *only);
void ownership_on_down(struct redis_store *store);
void ownership_on_node_up(struct redis_node *node);
/* What came from this node is wrong, or may be; and all that it has may be gone. Where the identity
 * is on another one it is as good as before. */
void ownership_on_forgotten(const struct redis_node *node);
void ownership_on_emptied(const struct redis_node *node);
/* Slots have another node. */
void ownership_on_map(struct redis_store *store);

/* ---- waiting.c ---- */

void redis_waiting_init(struct redis_store *store, unsigned timeout_ms);
enum progress redis_done_unknown(struct redis_store *store, struct store_operation *operation,
                                 enum store_trouble trouble);
/* Of one that is out of `deadlines`: its on_done is called. */
void redis_finish(struct redis_store *store, struct store_operation *operation,
                  enum store_answer answer, enum store_trouble trouble);
/* Resets the operation. False: it is DONE and UNKNOWN. */
bool redis_verb_may_start(struct redis_store *store, struct slice key, bool fits,
                          struct store_operation *operation);
/* The same, and room for the command on the link of the node that has the key (way.node); NULL: the
 * operation is DONE and UNKNOWN. */
struct output *redis_verb_begin(struct redis_store *store, struct slice key, bool fits,
                                struct store_operation *operation);
enum progress redis_verb_end(struct redis_store *store, enum redis_verb verb, unsigned replies,
                             struct store_operation *operation);
/* The same of a command behind which a WAIT will stand (durable.c). */
enum progress redis_verb_end_to_wait(struct redis_store *store, enum redis_verb verb,
                                     struct store_operation *operation);
/* Of one that has its answer and is out of `deadlines`: what has to come first, then its end. */
void redis_end_with_answer(struct redis_store *store, struct store_operation *operation);
/* Waits until its deadline for something of this kind. */
void redis_wait(struct redis_store *store, unsigned kind, struct store_operation *operation);
/* Of an answer that has just come: what another Redis than the one that is named says is no answer;
 * and it is doubtful where Redis would not have told that it is another one. */
void redis_judge_identity(const struct redis_store *store, struct store_operation *answer);
/* What an error reply means for the node's link; of a second link, for both. */
void redis_leave_if_no_master(struct redis_node *node, enum store_trouble trouble);

/* ---- writes.c ---- */

/* "<prefix><word>:{<prefix><key>}": a key in the same slot of a cluster as this one of ours, for
 * what is made before it gets its name, or is written in its stead. One that has braces of its own
 * brings its slot along. `word` has WORD_MAX bytes at most, `text` room for KEY_BESIDE_MAX. */
#define WORD_MAX 4u
#define KEY_BESIDE_MAX (STORE_KEY_MAX + 2 * PREFIX_MAX + WORD_MAX + sizeof ":{}")
struct slice redis_key_beside(const struct redis_store *store, struct slice word, struct slice key,
                              struct buffer *text);
enum progress redis_verb_set(struct store *base, struct slice key, struct slice value,
                             unsigned ttl_s, const struct store_premise *premises, unsigned count,
                             struct store_operation *operation);
enum progress redis_verb_delete(struct store *base, struct slice key,
                                struct store_operation *operation);
enum progress redis_verb_create_hash(struct store *base, struct slice key,
                                     const struct store_field *fields, size_t count,
                                     struct store_operation *operation);
enum progress redis_verb_set_field(struct store *base, struct slice key, struct slice beside,
                                   struct store_field field, struct store_operation *operation);
enum progress redis_verb_remove_field(struct store *base, struct slice key, struct slice name,
                                      struct store_operation *operation);
enum progress redis_verb_add_member(struct store *base, struct slice key, struct slice member,
                                    struct store_operation *operation);
enum progress redis_verb_remove_member(struct store *base, struct slice key, struct slice member,
                                       struct store_operation *operation);
enum progress redis_verb_count(struct store *base, struct slice key, unsigned ttl_s,
                               struct store_operation *operation);

/* ---- reads.c ---- */

/* EXISTS, asked on this turn or later. */
enum progress redis_ask_exists(struct redis_store *store, struct slice key,
                               struct store_operation *operation);
/* The operation waits for the flight that `after` waits for. */
void reads_leave_turn(struct store_operation *operation);

enum progress redis_verb_read_members(struct store *base, struct slice key,
                                      struct store_operation *operation);
enum progress redis_verb_get(struct store *base, struct slice key,
                             struct store_operation *operation);
enum progress redis_verb_read_hash(struct store *base, struct slice key,
                                   const struct store_operation *after,
                                   struct store_operation *operation);

/* ---- look.c ---- */

const char *redis_look(const struct store *base, store_visit *visit, void *context);

/* ---- confirm.c ---- */

enum progress redis_verb_confirm(struct store *base, const struct store_premise *premises,
                                 unsigned count, struct store_operation *operation);

/* ---- copies.c ---- */

/* Without handles; false: no memory. copies_fini() undoes it, also after copies_stop(). */
bool copies_init(struct redis_store *store, const struct redis_store_options *options);
void copies_fini(struct redis_store *store);
void copies_start(struct redis_store *store);
/* What waits for siblings ends; its handle is closed with redis_part_closed(). */
void copies_stop(struct redis_store *store);
/* A greeted connection: asks Redis to tell of changes. */
void copies_start_tracking(struct redis_node *node);
/* The connection is lost: nothing that it brought is trusted any more. */
void copies_stop_tracking(struct redis_node *node);
void copies_on_push(struct redis_node *node, const struct reply *push);
/* Another Redis, or an emptied one: nothing that is remembered is of it. */
void copies_forget_all(struct redis_store *store);
/* Whether what Redis was asked at that moment (loop time) is as good as a copy now. */
bool copies_is_recent(uint64_t asked_ms);
/* What came from this node is wrong, or may be. */
void copies_forget_node(struct redis_node *node);
/* A key has changed, or may have. */
void copies_forget_key(struct redis_store *store, struct slice key);
/* Whether copies of what it has are good now: it tells of changes, and was heard of lately. */
bool copies_is_trusted(const struct redis_node *node);
/* Of what the operation rests on. STORE_PREMISES_MAX at most. */
void copies_rest_on(struct store_operation *operation, const struct store_premise *premises,
                    unsigned count);
/* Sets `holds`, where a command that was sent after copies_rest_on() is answered: what Redis had to
 * tell stands in front of its answer. */
void copies_judge_premises(const struct redis_store *store, struct store_operation *operation);
/* A key is about to be deleted: makes ready what makes all workers forget it afterwards (the
 * operation's waits_for, to be dropped or sent). False: no memory. */
bool copies_prepare_notice(struct redis_store *store, struct slice key,
                           struct store_operation *operation);
/* What other workers have deleted is forgotten. */
void copies_hear_siblings(struct redis_store *store);
/* It is deleted: forgotten here, and the operation waits until the other workers have forgotten it
 * too. */
void copies_forget_everywhere(struct redis_store *store, struct store_operation *operation);

/* ---- confirm.c ---- */

/* Where its own reply does not say it, in a cluster and over a second link, of an operation that is
 * about to be sent: makes room for what its premises need to be asked besides; where that is
 * nothing, nothing is done. False: no memory. */
bool confirm_prepare(struct redis_store *store, const struct store_premise *premises,
                     unsigned count, struct store_operation *operation);
/* It is sent, and waits: asks. */
void confirm_ask(const struct store_premise *premises, unsigned count,
                 struct store_operation *operation);
/* It was not sent. */
void confirm_drop(struct store_operation *operation);
/* The operation's own reply has come; it is out of `deadlines`. */
void confirm_take_reply(struct store_operation *operation);
/* Nobody waits for it any more. */
void confirm_abandon(struct store_operation *operation);

/* ---- login.c ---- */

/* False: no memory. login_fini() undoes it; nobody is woken any more then. */
bool login_init(struct redis_store *store, const struct redis_store_options *options);
void login_fini(struct redis_store *store);
/* An attempt begins: a fresh password is wanted. */
void login_ask(struct redis_node *node);
/* Whether the link that seeks has it; where there is none to be had the link has failed. */
bool login_is_ready(struct redis_node *node);
bool login_is_awaited(const struct redis_store *store);
/* There may be a newer one: a link that is up says it. */
void login_renew(struct redis_node *node);
/* The link's was not accepted. */
void login_on_refused(struct redis_node *node, const char *why);

#endif
