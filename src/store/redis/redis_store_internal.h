/* redis_store_internal.h: the store's inside, for redis_store.c (life), waiting.c (how an
 * operation waits and ends), writes.c and reads.c (the verbs), copies.c (what is
 * remembered of reads, and how it is kept coherent). */
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
#include "store/redis/identity.h"
#include "store/redis/schema.h"
#include "store/redis/sentinel.h"

#define PREFIX_MAX 64u

/* What an operation in `deadlines` waits for, besides the reply to a command of its own. */
#define WAITS_FOR_FLIGHT REDIS_VERB_COUNT
#define WAITS_FOR_SIBLINGS (REDIS_VERB_COUNT + 1u)

/* Who gets the replies to commands of one kind that nobody waits for any more. */
struct late_replies {
    struct redis_store *store;
    enum redis_verb verb;
};

/* Copies of what was read, trusted while Redis tells us of each change. */
struct copies {
    struct cache *cache;              /* NULL: nothing is remembered */
    bool is_tracked;                  /* Redis has said that it will tell */
    enum redis_standing refusal_told; /* why it will not, as counted in `told` */
    struct flights flights;
    struct cache_member *member; /* NULL: no other worker */
    void (*wake)(void *context);
    void *wake_context;
    uv_timer_t retry; /* runs while Redis refuses to tell */
    uv_timer_t sweep; /* runs where there is a cache */
};

/* The password, where it is one that ends. */
struct redis_login {
    struct redis_password_member *member; /* NULL: it is that of the URL */
    void (*wake)(void *context);
    void *wake_context;
    uint64_t number, refused; /* of the one that the link has, and of one that was not accepted */
    uint64_t refused_ms;      /* when that was, in loop time */
    const char *why;          /* it was not; a text that stays */
};

struct redis_store {
    struct store base;
    uv_loop_t *loop;
    struct redis_link *link;
    struct sentinels *sentinels; /* NULL: the URL says where Redis is */
    struct deadlines deadlines;
    struct store_metrics *metrics;
    char prefix_text[PREFIX_MAX];
    struct slice prefix;

    struct redis_told *told; /* NULL: no other store */

    struct redis_schema schema;
    bool schema_is_ours;
    bool schema_is_told;     /* that it is not, as counted in `told` */
    uv_timer_t schema_timer; /* runs while it is not */
    struct redis_login login;
    struct redis_identity identity;
    uv_timer_t identity_timer; /* runs while the link is up */
    void (*on_identity)(void *context, enum redis_identity_news news, struct slice before,
                        struct slice now);
    void *identity_context;
    struct redis_clock clock;

    struct copies copies;
    struct redis_fields fields;
    unsigned waits, waits_last_turn; /* operations that had to wait, so far */
    struct late_replies late[REDIS_VERB_COUNT];

    bool closing;
    unsigned open_parts; /* the link and the handles, until they are closed */
    void (*on_closed)(void *);
    void *on_closed_context;
};

static inline struct redis_store *redis_store_of(struct store *base) {
    return (struct redis_store *)base;
}

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
/* The same, and room for the command; NULL: the operation is DONE and UNKNOWN. */
struct output *redis_verb_begin(struct redis_store *store, struct slice key, bool fits,
                                struct store_operation *operation);
enum progress redis_verb_end(struct redis_store *store, enum redis_verb verb, unsigned replies,
                             struct store_operation *operation);
/* Waits until its deadline for something of this kind. */
void redis_wait(struct redis_store *store, unsigned kind, struct store_operation *operation);
/* Of an answer that has just come: what another Redis than the one that is named says is no answer;
 * and it is doubtful where Redis would not have told that it is another one. */
void redis_judge_identity(const struct redis_store *store, struct store_operation *answer);
/* What an error reply means for the link. */
void redis_leave_if_no_master(struct redis_store *store, enum store_trouble trouble);

/* ---- writes.c ---- */

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

enum progress redis_verb_get(struct store *base, struct slice key,
                             struct store_operation *operation);
enum progress redis_verb_read_hash(struct store *base, struct slice key,
                                   const struct store_operation *after,
                                   struct store_operation *operation);
enum progress redis_verb_confirm(struct store *base, const struct store_premise *premises,
                                 unsigned count, struct store_operation *operation);

/* ---- copies.c ---- */

/* Without handles; false: no memory. copies_fini() undoes it, also after copies_stop(). */
bool copies_init(struct redis_store *store, const struct redis_store_options *options);
void copies_fini(struct redis_store *store);
void copies_start(struct redis_store *store);
/* What waits for siblings ends; its two handles are closed with redis_part_closed(). */
void copies_stop(struct redis_store *store);
/* A greeted connection: asks Redis to tell of changes. */
void copies_start_tracking(struct redis_store *store);
/* The connection is lost: nothing that it brought is trusted any more. */
void copies_stop_tracking(struct redis_store *store);
void copies_on_push(struct redis_store *store, const struct reply *push);
/* Another Redis, or an emptied one: nothing that is remembered is of it. */
void copies_forget_all(struct redis_store *store);
/* Whether what Redis was asked at that moment (loop time) is as good as a copy now. */
bool copies_is_recent(uint64_t asked_ms);
/* Whether copies are good now: Redis tells of changes, and was heard of lately. */
bool copies_is_trusted(const struct redis_store *store);
/* Of what the operation rests on. STORE_PREMISES_MAX at most. */
void copies_rest_on(struct store_operation *operation, const struct store_premise *premises,
                    unsigned count);
/* Sets `holds`, where a command that was sent after copies_rest_on() is answered: what Redis had to
 * tell stands in front of its answer. */
void copies_judge_premises(const struct redis_store *store, struct store_operation *operation);
/* A key is about to be deleted, by the next command: forgotten here already, since no read that is
 * sent behind that command finds it. Makes ready what tells the other workers afterwards (the
 * operation's waits_for, to be dropped or sent). False: no memory. */
bool copies_forget(struct redis_store *store, struct slice key, struct store_operation *operation);
/* What other workers have deleted is forgotten. */
void copies_hear_siblings(struct redis_store *store);
/* It is deleted: the operation waits until the other workers have forgotten it too. */
void copies_forget_everywhere(struct redis_store *store, struct store_operation *operation);

/* ---- login.c ---- */

/* False: no memory. login_fini() undoes it; nobody is woken any more then. */
bool login_init(struct redis_store *store, const struct redis_store_options *options);
void login_fini(struct redis_store *store);
/* An attempt begins: a fresh password is wanted. */
void login_ask(struct redis_store *store);
/* Whether the link that seeks has it; where there is none to be had the link has failed. */
bool login_is_ready(struct redis_store *store);
bool login_is_awaited(struct redis_store *store);
/* There may be a newer one: a link that is up says it. */
void login_renew(struct redis_store *store);
/* The link's was not accepted. */
void login_on_refused(struct redis_store *store, const char *why);

void redis_part_closed(uv_handle_t *handle); /* redis_store.c; handle->data is the store */

#endif
