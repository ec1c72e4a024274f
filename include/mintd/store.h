/* store.h: the contract of a store: keys, text values, hashes, sets, counters, time to live.
 *
 * No answer is not a no. An operation ends as
 *   STORE_FOUND    a read: it is there, and here it is; a write: it is acknowledged
 *   STORE_ABSENT   a read: it is not there
 *   STORE_UNKNOWN  nobody can tell (trouble says why); a write may have happened or not
 * UNKNOWN must never be taken for ABSENT: it is a 503, not a 401.
 *
 * Each verb returns PROGRESS_DONE or PROGRESS_PENDING. DONE: the answer is in the operation, and
 * on_done is not called. PENDING: on_done is called exactly once, on a later turn of the loop, at
 * the latest at the operation's deadline. The operation is the caller's storage, and must stay in
 * place until then. Keys, values and fields are copied before the verb returns. A store belongs to
 * one event loop. Each operation touches one key, so it works in the same way in a cluster. */
#ifndef MINTD_STORE_H
#define MINTD_STORE_H

#include "mintd/buffer.h"
#include "mintd/counter.h"
#include "mintd/flow.h"
#include "mintd/slice.h"

#define STORE_KEY_MAX 512u            /* bytes, without the prefix */
#define STORE_VALUE_MAX (64u * 1024u) /* a longer value that is read is UNKNOWN (PROTOCOL) */
#define STORE_FIELDS_MAX 64u          /* of a hash; more are UNKNOWN (PROTOCOL) too */
#define STORE_PREMISES_MAX 2u         /* of one decision */
#define STORE_MEMBERS_MAX 64u         /* how many members of a set are read at once */

enum store_answer { STORE_UNKNOWN, STORE_FOUND, STORE_ABSENT };

/* Why an answer is unknown. People see these names in logs, metrics and /readyz. */
#define STORE_TROUBLES(X)                                                                          \
    X(NONE, "none")                                                                                \
    X(DISCONNECTED, "disconnected") /* no link, or it was lost before the reply */                 \
    X(TIMEOUT, "timeout")           /* no reply by the deadline */                                 \
    X(OVERLOADED, "overloaded")     /* our queue is full */                                        \
    X(READONLY, "readonly")                                                                        \
    X(LOADING, "loading")                                                                          \
    X(OOM, "oom")                                                                                  \
    X(MISCONF, "misconf")                                                                          \
    X(MASTERDOWN, "masterdown")                                                                    \
    X(NOMASTER, "nomaster")     /* no Sentinel says where the master is */                         \
    X(NOREPLICAS, "noreplicas") /* done, but too few replicas have it in time */                   \
    X(CLUSTER, "cluster") /* no node has the slot; or MOVED, ASK, TRYAGAIN from a server that      \
                             should be none */                                                     \
    X(NOAUTH, "noauth")   /* NOAUTH, WRONGPASS */                                                  \
    X(NOPERM, "noperm")                                                                            \
    X(WRONGTYPE, "wrongtype")                                                                      \
    X(TLS_NAME, "tls_name")       /* its certificate is for another name */                        \
    X(TLS_CHAIN, "tls_chain")     /* no authority that we believe has signed it */                 \
    X(TLS_EXPIRED, "tls_expired") /* it has expired, or is not valid yet */                        \
    X(TLS_VERSION, "tls_version") /* it speaks neither TLS 1.2 nor 1.3 */                          \
    X(TLS_CUT, "tls_cut")         /* it cut the connection: in the handshake, or without an end */ \
    X(TLS_REFUSED, "tls_refused") /* it refuses us, mostly for want of a certificate */            \
    X(SCHEMA, "schema")           /* the layout of the data is of a version that we do not know */ \
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

/* Names a copy in memory. number 0: there is none. */
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
    void *node, *held; /* one of them is set while it waits for its reply, or to be sent */
    unsigned slot, replies;
    /* How many redirects it followed, and how often it was told to try again. */
    uint8_t hops, waits;
    bool is_aside;        /* it was sent to another node than the one that has the key */
    bool awaits_replicas; /* its reply has come, but not the reply to the WAIT behind it */
};

struct store_operation {
    void (*on_done)(struct store_operation *operation); /* set by the caller */
    /* The time by which there must be an answer, in clock_monotonic_ns(). 0: the store's timeout
     * from now; the verb then writes the deadline in here. So a request has one deadline, however
     * many commands it takes: start the same operation again, or give its value to another one. */
    uint64_t deadline_ns;

    /* The result. Slices are valid until on_done returns; after PROGRESS_DONE, until the store's
     * next verb. */
    enum store_answer answer;
    enum store_trouble trouble;       /* set when UNKNOWN */
    struct slice value;               /* store_get */
    const struct store_field *fields; /* store_read_hash; for store_read_members: the names */
    size_t field_count;
    /* store_create_hash: 1: it was made, 0: it was there already. store_delete: how many keys were
     * deleted. store_remove_field: how many fields were removed. store_add_member,
     * store_remove_member: how many members were added or removed. store_count: the new value. */
    int64_t number;
    /* A read: it was answered from a copy, which the store keeps coherent (below), or by what
     * another read had asked before. */
    bool from_memory;
    /* A read: the copy that the answer came from, or is kept as. None: this read has asked for the
     * answer itself, and it is not kept. */
    struct store_copy copy;
    /* A read or store_delete: if the store were no longer the one that was named, nothing would
     * have told so by now. */
    bool is_doubtful;
    /* store_set_on_premises and store_confirm, when FOUND: every premise holds. */
    bool holds;

    /* The store's own. */
    struct store_copy rests_on[STORE_PREMISES_MAX];
    struct store_operation *next, *previous;
    struct store_operation *next_waiting; /* the next operation that waits for the same read */
    uint64_t started_ns;
    void *store, *waits_for;
    struct store_way way;
    unsigned kind;
    uint8_t origin;    /* of the copy */
    bool is_unordered; /* the read that it should come after may have come later */
};

/* The cache: copies of the answers of reads. */
struct cache_metrics {
    struct counter on;          /* 1 while copies are kept and trusted */
    struct counter hits;        /* reads that were answered from memory */
    struct counter misses;      /* reads that asked the store */
    struct counter joined;      /* reads that waited for another read of the same key */
    struct counter evicted;     /* copies that were dropped for want of room */
    struct counter invalidated; /* copies that were dropped because the store told of a change */
    struct counter emptied;     /* how often all copies were dropped */
    struct counter entries;     /* now */
    struct counter bytes;       /* now */
};

/* The store counts; any thread may read. */
struct store_metrics {
    struct counter answers[3]; /* by enum store_answer */
    struct counter troubles[STORE_TROUBLE_COUNT];
    struct histogram round_trip;   /* from the command to its reply */
    struct counter link_up;        /* 1 while it can serve */
    struct counter nodes;          /* of a cluster: nodes that have slots */
    struct counter nodes_up;       /* of these: nodes whose link is up */
    struct counter redirects;      /* commands that were sent on to another node */
    struct counter connects;       /* links that came up */
    struct counter master_changes; /* links that were left because Sentinels named another master */
    struct counter sentinels_lost; /* links to Sentinels that had answered, and were lost */
    struct counter durable_up;     /* second links that are up, for writes that wait for replicas */
    struct counter waits;          /* replies to WAIT; one for each batch of writes */
    struct counter waits_short;    /* of these: too few replicas had it in time */
    struct counter pending;        /* operations now */
    /* The Unix time at which the first of its servers' certificates expires, as each showed it in
     * its last handshake. 0: there is no TLS, or there was no handshake yet. */
    struct counter certificate_expiry_s;
    struct cache_metrics cache;
};

struct store;

/* One server that the store is kept on, for people. */
struct store_node {
    struct slice address; /* without a password */
    const char *role;     /* "master", "sentinel"; NULL: it is away, and has not told its role */
    enum store_trouble trouble;
    unsigned slots; /* of a cluster: how many slots it has */
};
typedef void store_visit(void *context, const struct store_node *node);

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
    enum progress (*read_members)(struct store *, struct slice key, struct store_operation *);
    enum progress (*count)(struct store *, struct slice key, unsigned ttl_s,
                           struct store_operation *);
    enum progress (*confirm)(struct store *, const struct store_premise *premises, unsigned count,
                             struct store_operation *);
    void (*spare)(struct store *, bool); /* may be NULL: it has all in memory */
    void (*flush)(struct store *);
    void (*close)(struct store *, void (*on_closed)(void *), void *context);
    void (*free)(struct store *);
    enum store_trouble (*trouble)(const struct store *);
    /* May be NULL: no part of the store can be away by itself. */
    void (*write_away)(const struct store *, struct buffer *);
    bool (*has_place)(const struct store *, struct slice key);
    const char *(*look)(const struct store *, store_visit *visit, void *context);
};

/* Each implementation has it as its first member. */
struct store {
    const struct store_verbs *verbs;
};

/* Reads the text of a key (GET). */
static inline enum progress store_get(struct store *store, struct slice key,
                                      struct store_operation *operation) {
    return store->verbs->get(store, key, operation);
}
/* Writes a text that is gone after ttl_s seconds (SETEX); ttl_s is at least 1. */
static inline enum progress store_set(struct store *store, struct slice key, struct slice value,
                                      unsigned ttl_s, struct store_operation *operation) {
    return store->verbs->set(store, key, value, ttl_s, NULL, 0, operation);
}
/* Writes a text that rests on `count` premises, at most STORE_PREMISES_MAX. It is written whether
 * or not they hold, and `holds` tells, as for store_confirm(). */
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
/* Reads all fields of a hash (HGETALL). A hash without fields is ABSENT. */
static inline enum progress store_read_hash(struct store *store, struct slice key,
                                            struct store_operation *operation) {
    return store->verbs->read_hash(store, key, NULL, operation);
}
/* The same, asked after another read, `after`, which was started on this turn and is PENDING. What
 * is found is no older than what `after` finds, unless it is from_memory. So, of two keys that
 * change one after the other, nobody sees the second change without the first. */
static inline enum progress store_read_hash_after(struct store *store, struct slice key,
                                                  const struct store_operation *after,
                                                  struct store_operation *operation) {
    return store->verbs->read_hash(store, key, after, operation);
}
/* Makes a hash with all these fields; where the key exists, it changes nothing. It is atomic, also
 * against another instance that does the same at the same moment. */
static inline enum progress store_create_hash(struct store *store, struct slice key,
                                              const struct store_field *fields, size_t count,
                                              struct store_operation *operation) {
    return store->verbs->create_hash(store, key, fields, count, operation);
}
/* Sets one field of a hash that has the field `beside`. ABSENT: the hash lacks that field, or
 * there is no hash. The new field may be there even then, and store_remove_field() takes it away:
 * a store that others write to cannot check and set in one step. */
static inline enum progress store_set_field(struct store *store, struct slice key,
                                            struct slice beside, struct store_field field,
                                            struct store_operation *operation) {
    return store->verbs->set_field(store, key, beside, field, operation);
}
/* Removes one field of a hash (HDEL), and the hash with its last field. FOUND also where there was
 * no such field; `number` tells. */
static inline enum progress store_remove_field(struct store *store, struct slice key,
                                               struct slice name,
                                               struct store_operation *operation) {
    return store->verbs->remove_field(store, key, name, operation);
}
/* Adds a member to a set (SADD). `number` tells whether it is new. */
static inline enum progress store_add_member(struct store *store, struct slice key,
                                             struct slice member,
                                             struct store_operation *operation) {
    return store->verbs->add_member(store, key, member, operation);
}
/* Removes a member from a set (SREM), and the set with its last member. FOUND also where it was
 * not in the set; `number` tells. */
static inline enum progress store_remove_member(struct store *store, struct slice key,
                                                struct slice member,
                                                struct store_operation *operation) {
    return store->verbs->remove_member(store, key, member, operation);
}
/* Adds one to a counter that is gone ttl_s seconds after it was first counted up. `number` is its
 * new value. */
static inline enum progress store_count(struct store *store, struct slice key, unsigned ttl_s,
                                        struct store_operation *operation) {
    return store->verbs->count(store, key, ttl_s, operation);
}

/* ---- memory ----
 *
 * A store may answer reads from copies of what it read before. It hears of each change, mostly
 * within a millisecond and in any case within 2 s, and then forgets the copy. All stores of this
 * process forget what store_delete() ends before it is FOUND. A caller that must not rest on a
 * copy that may have changed a moment ago names it as a premise.
 *
 * Where one store is named, and nothing would tell if another one stood in its place, answers are
 * doubtful until store_confirm() has looked at which one it is. */

/* Whether a no that rests on this answer has to be confirmed before anybody hears of it. */
static inline bool store_no_may_be_wrong(const struct store_operation *operation) {
    return operation->from_memory || operation->is_doubtful;
}

/* FOUND: the store has heard of every change of the premises' keys that was made before this call,
 * and `holds` tells whether the copy of each premise was still in memory then. If so, each of them
 * was right from before the call until now, and there is one moment at which all of them were
 * right.
 *
 * A premise without a copy (a read of its own brought it, and it is not kept) holds, but proves
 * less: it was right when it was read. For answers that were doubtful, FOUND also means that they
 * came from the store that was named; otherwise it is UNKNOWN (IDENTITY). It is DONE at once where
 * nothing is remembered and no store is named. */
static inline enum progress store_confirm(struct store *store, const struct store_premise *premises,
                                          unsigned count, struct store_operation *operation) {
    return store->verbs->confirm(store, premises, count, operation);
}

/* Reads at most STORE_MEMBERS_MAX members of a set; of a larger set, any so many. A set without
 * members is ABSENT. */
static inline enum progress store_read_members(struct store *store, struct slice key,
                                               struct store_operation *operation) {
    return store->verbs->read_members(store, key, operation);
}

/* While it is spared, no server is asked by store_get() and store_read_hash(): what is not in
 * memory is UNKNOWN (OVERLOADED), at once. What waits already goes on. */
static inline void store_spare(struct store *store, bool is_spared) {
    if (store->verbs->spare != NULL) {
        store->verbs->spare(store, is_spared);
    }
}
/* Call it once in each turn, before the loop blocks. It sends the commands that have gathered, in
 * one write. While turns bring more commands it may hold them back: then the loop does not block,
 * and they leave within 1 ms. */
static inline void store_flush(struct store *store) {
    store->verbs->flush(store);
}
/* NONE while operations are expected to work, else why not. It sends no request. */
static inline enum store_trouble store_trouble_now(const struct store *store) {
    return store->verbs->trouble(store);
}
/* Writes for people which part of the store is away while operations on the rest work. It writes
 * nothing where all of it is there, or nothing is. */
static inline void store_write_away(const struct store *store, struct buffer *text) {
    if (store->verbs->write_away != NULL) {
        store->verbs->write_away(store, text);
    }
}
/* False: a part of the store is away, and this key would lie in that part. A caller that may
 * choose its key chooses another one. */
static inline bool store_has_place(const struct store *store, struct slice key) {
    return store->verbs->has_place == NULL || store->verbs->has_place(store, key);
}
/* Returns the kind of the store ("memory", "standalone", "sentinel", "cluster"), and visits the
 * servers behind it as this store sees them now. It asks nobody. */
static inline const char *store_look(const struct store *store, store_visit *visit, void *context) {
    return store->verbs->look(store, visit, context);
}
/* Ends all open operations as UNKNOWN (their on_done is called, on this turn or a later one) and
 * closes the links. on_closed is called once, on a later turn. Verbs that are called meanwhile and
 * afterwards are DONE and UNKNOWN. */
static inline void store_close(struct store *store, void (*on_closed)(void *), void *context) {
    store->verbs->close(store, on_closed, context);
}
/* To be called after on_closed. */
static inline void store_free(struct store *store) {
    store->verbs->free(store);
}

#endif
