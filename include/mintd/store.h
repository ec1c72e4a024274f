/* store.h: the contract of a store: keys, text values, hashes, time to live.
 *
 * No answer is not a no. An operation ends as
 *   STORE_FOUND    a read: it is there, and here it is; a write: acknowledged
 *   STORE_ABSENT   a read: it is not there
 *   STORE_UNKNOWN  nobody can tell (trouble says why); a write may have happened or not
 * and UNKNOWN must never be taken for ABSENT: it is a 503, not a 401.
 *
 * Each verb returns PROGRESS_DONE (the answer is in the operation, on_done will not be called) or
 * PROGRESS_PENDING (on_done is called exactly once, on a later turn, at the operation's deadline at
 * the latest). The operation is the caller's storage, and must stay in place until then. Keys,
 * values and fields given are copied before the verb returns. A store belongs to one event loop.
 * Each operation touches one key, so that it is the same in a cluster. */
#ifndef MINTD_STORE_H
#define MINTD_STORE_H

#include "mintd/buffer.h"
#include "mintd/counter.h"
#include "mintd/flow.h"
#include "mintd/slice.h"

#define STORE_KEY_MAX 512u            /* bytes, without the prefix */
#define STORE_VALUE_MAX (64u * 1024u) /* a longer value read back is UNKNOWN (PROTOCOL) */
#define STORE_FIELDS_MAX 64u          /* of a hash; the same */
#define STORE_PREMISES_MAX 2u         /* of one decision */

enum store_answer { STORE_UNKNOWN, STORE_FOUND, STORE_ABSENT };

/* Why an answer is unknown. Names as people see them in logs, metrics and /readyz. */
#define STORE_TROUBLES(X)                                                                          \
    X(NONE, "none")                                                                                \
    X(DISCONNECTED, "disconnected") /* no link, or lost before the reply */                        \
    X(TIMEOUT, "timeout")           /* slower than the deadline */                                 \
    X(OVERLOADED, "overloaded")     /* our queue is full */                                        \
    X(READONLY, "readonly")                                                                        \
    X(LOADING, "loading")                                                                          \
    X(OOM, "oom")                                                                                  \
    X(MISCONF, "misconf")                                                                          \
    X(MASTERDOWN, "masterdown")                                                                    \
    X(NOMASTER, "nomaster")     /* no Sentinel says where it is */                                 \
    X(NOREPLICAS, "noreplicas") /* it is done, but too few replicas have it, or not in time */     \
    X(CLUSTER, "cluster") /* nobody has the slot; or MOVED, ASK, TRYAGAIN of a server that was not \
                             to be one */                                                          \
    X(NOAUTH, "noauth")   /* NOAUTH, WRONGPASS */                                                  \
    X(NOPERM, "noperm")                                                                            \
    X(WRONGTYPE, "wrongtype")                                                                      \
    X(TLS_NAME, "tls_name")       /* its certificate is for another name */                        \
    X(TLS_CHAIN, "tls_chain")     /* nobody whom we believe has signed it */                       \
    X(TLS_EXPIRED, "tls_expired") /* or is not valid yet */                                        \
    X(TLS_VERSION, "tls_version") /* it speaks no TLS 1.2 or 1.3 */                                \
    X(TLS_CUT, "tls_cut")         /* it cut the connection: in the handshake, or without an end */ \
    X(TLS_REFUSED, "tls_refused") /* it refuses us: mostly for want of a certificate of ours */    \
    X(SCHEMA, "schema")           /* the data is laid out by a version that we do not know */      \
    X(IDENTITY, "identity")       /* it is another Redis than the one that was named */            \
    X(PROTOCOL, "protocol")       /* a reply that makes no sense, or any other error reply */

enum store_trouble {
#define X(id, name) STORE_TROUBLE_##id,
    STORE_TROUBLES(X)
#undef X
        STORE_TROUBLE_COUNT
};

const char *store_trouble_name(enum store_trouble trouble);

struct store_field {
    struct slice name, value;
};

/* A copy in memory. number 0: none. */
struct store_copy {
    uint64_t key_hash, number;
};

/* What a decision rests on: a key, and the copy of it that a read gave. */
struct store_premise {
    struct slice key;
    struct store_copy copy;
};

/* The store's own: where a command is. */
struct store_way {
    void *node, *held; /* one of them, while it waits for its reply or to be sent */
    unsigned slot, replies;
    uint8_t hops;
    bool is_aside;        /* sent to another node than has the key */
    bool awaits_replicas; /* its reply has come, that to the WAIT behind it has not */
};

struct store_operation {
    void (*on_done)(struct store_operation *operation); /* set by the caller */
    /* By when there must be an answer, in clock_monotonic_ns(). Set to 0 for the store's timeout
     * from now: the verb then puts in what holds, so that the same operation, started again, or
     * another one given the same value, ends by the deadline of the first: a request has one,
     * however many commands it takes. */
    uint64_t deadline_ns;

    /* The result. Slices are valid until on_done returns; after PROGRESS_DONE, until the store's
     * next verb. */
    enum store_answer answer;
    enum store_trouble trouble;       /* when UNKNOWN */
    struct slice value;               /* store_get */
    const struct store_field *fields; /* store_read_hash */
    size_t field_count;
    int64_t number;   /* store_create_hash: 1 made, 0 it was there; store_delete: keys deleted;
                         store_remove_field: fields removed; store_add_member: members added;
                         store_remove_member: members removed; store_count */
    bool from_memory; /* a read: answered from a copy, which the store keeps coherent (below), or by
                         what another read had asked before */
    /* a read: the copy that the answer came from, or is kept as; none where it was asked for by
     * this read, and is not kept */
    struct store_copy copy;
    /* a read, store_delete: nothing would have told if the store were not the one that was named
     * any more */
    bool is_doubtful;
    bool holds; /* store_set_on_premises, store_confirm, when FOUND: each premise */

    /* The store's own. */
    struct store_copy rests_on[STORE_PREMISES_MAX];
    struct store_operation *next, *previous;
    struct store_operation *next_waiting; /* for the same read */
    uint64_t started_ns;
    void *store, *waits_for;
    struct store_way way;
    unsigned kind;
    uint8_t origin;    /* of the copy */
    bool is_unordered; /* the read that it was to come after may have come later */
};

/* What is remembered of the answers of reads. */
struct cache_metrics {
    struct counter on;          /* 1 while answers are remembered and trusted */
    struct counter hits;        /* reads answered from memory */
    struct counter misses;      /* reads that asked the store */
    struct counter joined;      /* reads that waited for another's question of the same key */
    struct counter evicted;     /* thrown away for want of room */
    struct counter invalidated; /* thrown away because the store said that it had changed */
    struct counter emptied;     /* times that all was thrown away */
    struct counter entries;     /* now */
    struct counter bytes;       /* now */
};

/* Counted by the store, read by anybody. */
struct store_metrics {
    struct counter answers[3]; /* by enum store_answer */
    struct counter troubles[STORE_TROUBLE_COUNT];
    struct histogram round_trip;   /* from the command to its reply */
    struct counter link_up;        /* 1 while it can serve */
    struct counter nodes;          /* of a cluster: that have slots */
    struct counter nodes_up;       /* of these, whose link is up */
    struct counter redirects;      /* commands that were sent on to another node */
    struct counter connects;       /* links that came up */
    struct counter master_changes; /* links that were left for another master, as Sentinels said */
    struct counter sentinels_lost; /* links to Sentinels that had answered */
    struct counter durable_up;     /* second links, for what waits for replicas, that are up */
    struct counter waits;          /* WAIT, answered: by batches of writes */
    struct counter waits_short;    /* of these: too few had it in time */
    struct counter pending;        /* operations now */
    struct cache_metrics cache;
};

struct store;

struct store_verbs {
    enum progress (*get)(struct store *, struct slice key, struct store_operation *);
    enum progress (*set)(struct store *, struct slice key, struct slice value, unsigned ttl_s,
                         const struct store_premise *premises, unsigned count,
                         struct store_operation *);
    enum progress (*delete)(struct store *, struct slice key, struct store_operation *);
    enum progress (*read_hash)(struct store *, struct slice key,
                               const struct store_operation *after, struct store_operation *);
    enum progress (*create_hash)(struct store *, struct slice key, const struct store_field *fields,
                                 size_t count, struct store_operation *);
    enum progress (*set_field)(struct store *, struct slice key, struct slice beside,
                               struct store_field field, struct store_operation *);
    enum progress (*remove_field)(struct store *, struct slice key, struct slice name,
                                  struct store_operation *);
    enum progress (*add_member)(struct store *, struct slice key, struct slice member,
                                struct store_operation *);
    enum progress (*remove_member)(struct store *, struct slice key, struct slice member,
                                   struct store_operation *);
    enum progress (*count)(struct store *, struct slice key, unsigned ttl_s,
                           struct store_operation *);
    enum progress (*confirm)(struct store *, const struct store_premise *premises, unsigned count,
                             struct store_operation *);
    void (*flush)(struct store *);
    void (*close)(struct store *, void (*on_closed)(void *), void *context);
    void (*free)(struct store *);
    enum store_trouble (*trouble)(const struct store *);
    /* NULL: nothing is ever away by itself. */
    void (*write_away)(const struct store *, struct buffer *);
    bool (*has_place)(const struct store *, struct slice key);
};

/* Embedded first in each implementation. */
struct store {
    const struct store_verbs *verbs;
};

/* The text of a key (GET). */
static inline enum progress store_get(struct store *store, struct slice key,
                                      struct store_operation *operation) {
    return store->verbs->get(store, key, operation);
}
/* Writes a text that is gone after ttl_s seconds (SETEX); ttl_s is 1 at least. */
static inline enum progress store_set(struct store *store, struct slice key, struct slice value,
                                      unsigned ttl_s, struct store_operation *operation) {
    return store->verbs->set(store, key, value, ttl_s, NULL, 0, operation);
}
/* The same of a text that rests on `count` premises, STORE_PREMISES_MAX at most: it is written
 * whether or not they hold, and `holds` tells, as that of store_confirm() does. */
static inline enum progress store_set_on_premises(struct store *store, struct slice key,
                                                  struct slice value, unsigned ttl_s,
                                                  const struct store_premise *premises,
                                                  unsigned count,
                                                  struct store_operation *operation) {
    return store->verbs->set(store, key, value, ttl_s, premises, count, operation);
}
/* Removes a key (DEL). FOUND also where there was none; `number` tells. */
static inline enum progress store_delete(struct store *store, struct slice key,
                                         struct store_operation *operation) {
    return store->verbs->delete (store, key, operation);
}
/* All fields of a hash (HGETALL); a hash without fields is ABSENT. */
static inline enum progress store_read_hash(struct store *store, struct slice key,
                                            struct store_operation *operation) {
    return store->verbs->read_hash(store, key, NULL, operation);
}
/* The same, asked after `after`: another read, which was started on this turn and is PENDING. What
 * is found is no older than what that one finds, unless it is from_memory: of two keys that change
 * one after the other, nobody sees the second change without the first. */
static inline enum progress store_read_hash_after(struct store *store, struct slice key,
                                                  const struct store_operation *after,
                                                  struct store_operation *operation) {
    return store->verbs->read_hash(store, key, after, operation);
}
/* Makes a hash with all these fields, or, where the key exists, changes nothing: atomically, also
 * against another instance that does the same at the same moment. */
static inline enum progress store_create_hash(struct store *store, struct slice key,
                                              const struct store_field *fields, size_t count,
                                              struct store_operation *operation) {
    return store->verbs->create_hash(store, key, fields, count, operation);
}
/* Sets one field of a hash that has the field `beside`. ABSENT: it has not, or there is no hash;
 * then the field that was to be set may be there nonetheless, and store_remove_field() takes it
 * away: a store that others write to cannot do both in one step. */
static inline enum progress store_set_field(struct store *store, struct slice key,
                                            struct slice beside, struct store_field field,
                                            struct store_operation *operation) {
    return store->verbs->set_field(store, key, beside, field, operation);
}
/* Removes one field of a hash (HDEL), and with its last field the hash. FOUND also where there was
 * none; `number` tells. */
static inline enum progress store_remove_field(struct store *store, struct slice key,
                                               struct slice name,
                                               struct store_operation *operation) {
    return store->verbs->remove_field(store, key, name, operation);
}
/* Adds to a set (SADD); `number` tells whether it was not in it. */
static inline enum progress store_add_member(struct store *store, struct slice key,
                                             struct slice member,
                                             struct store_operation *operation) {
    return store->verbs->add_member(store, key, member, operation);
}
/* Removes from a set (SREM), and with its last member the set. FOUND also where it was not in it;
 * `number` tells. */
static inline enum progress store_remove_member(struct store *store, struct slice key,
                                                struct slice member,
                                                struct store_operation *operation) {
    return store->verbs->remove_member(store, key, member, operation);
}
/* Adds one to a counter that is gone ttl_s seconds after it was first counted up; `number` is its
 * new value. */
static inline enum progress store_count(struct store *store, struct slice key, unsigned ttl_s,
                                        struct store_operation *operation) {
    return store->verbs->count(store, key, ttl_s, operation);
}

/* ---- memory ----
 *
 * A store may answer reads from copies of what it read before. It is told of each change, mostly
 * within a millisecond and in any case within 2 s, and forgets the copy. What store_delete() ends
 * is forgotten by all stores of this process before it is FOUND. Who must not rest on a copy that
 * may have changed a moment ago names it as a premise.
 *
 * Where one store is named and nothing tells of another one in its place, answers are doubtful
 * until store_confirm() has looked at which one it is. */

/* Whether a no that rests on this answer is to be confirmed before anybody hears of it. */
static inline bool store_no_may_be_wrong(const struct store_operation *operation) {
    return operation->from_memory || operation->is_doubtful;
}

/* FOUND: every change of the premises' keys that was made before this call has been heard of, and
 * `holds` tells whether each premise's copy was still in memory then: so each of them was right
 * from before the call until now, and there is one moment at which all of them were. A premise
 * without a copy (it was read by its own question, and is not kept) holds, but says less: it was
 * right when it was read. Of answers that were doubtful: they came from the store that was named;
 * else it is UNKNOWN (IDENTITY). DONE where nothing is remembered, and no store named. */
static inline enum progress store_confirm(struct store *store, const struct store_premise *premises,
                                          unsigned count, struct store_operation *operation) {
    return store->verbs->confirm(store, premises, count, operation);
}

/* Before the loop blocks, once a turn: sends the commands that have gathered in one write; or,
 * where this turn brought more, not yet: then the loop does not block, and they leave within 1 ms.
 */
static inline void store_flush(struct store *store) {
    store->verbs->flush(store);
}
/* NONE while operations can be expected to work, else why not. No request is sent for this. */
static inline enum store_trouble store_trouble_now(const struct store *store) {
    return store->verbs->trouble(store);
}
/* For people: which part of the store is away while operations on the rest work; nothing where all
 * is there, or nothing. */
static inline void store_write_away(const struct store *store, struct buffer *text) {
    if (store->verbs->write_away != NULL) {
        store->verbs->write_away(store, text);
    }
}
/* False: a part of the store is away, and it is the one that this key would lie in. Who is free to
 * choose a key chooses another one. */
static inline bool store_has_place(const struct store *store, struct slice key) {
    return store->verbs->has_place == NULL || store->verbs->has_place(store, key);
}
/* Ends all open operations as UNKNOWN (their on_done is called, on this turn or a later one),
 * closes the link; on_closed is called once, on a later turn. Verbs called meanwhile and after are
 * DONE and UNKNOWN. */
static inline void store_close(struct store *store, void (*on_closed)(void *), void *context) {
    store->verbs->close(store, on_closed, context);
}
/* After on_closed. */
static inline void store_free(struct store *store) {
    store->verbs->free(store);
}

#endif
