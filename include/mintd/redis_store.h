/* redis_store.h: a store kept in Redis (or Valkey), over one connection a worker.
 *
 * The link comes up by itself: resolve, connect, HELLO 3 (with AUTH), SELECT, the schema check; it
 * comes back by itself whenever it is lost, with jittered back-off from 50 ms to 500 ms. While it
 * is not up, verbs are DONE and UNKNOWN at once: no queue for a dead Redis. Where Sentinels tell
 * which Redis is the master they are asked ahead of each attempt, and one of them each second; the
 * link leaves a master for the one that is named in its place. The process must ignore SIGPIPE. */
#ifndef MINTD_REDIS_STORE_H
#define MINTD_REDIS_STORE_H

#include "mintd/cache_group.h"
#include "mintd/hash.h"
#include "mintd/redis_told.h"
#include "mintd/store.h"
#include "mintd/tls_client.h"

struct uv_loop_s;
struct redis_password;

#define REDIS_NAME_MAX 256u
#define REDIS_SCHEMA_VERSION "1"

#define REDIS_SEEDS_MAX 8u

struct redis_endpoint {
    char host[REDIS_NAME_MAX];
    unsigned port;
};

enum redis_topology {
    REDIS_STANDALONE,
    REDIS_SENTINEL, /* Sentinels tell which Redis is the master */
    REDIS_CLUSTER,  /* each key has a slot, each slot a node */
};

/* Where Redis is, or who tells where it is. Own storage, no pointers. */
struct redis_url {
    enum redis_topology topology;
    bool is_unix;
    char host[REDIS_NAME_MAX]; /* or the path of a unix socket; empty where seeds tell */
    unsigned port;
    unsigned database;
    char user[REDIS_NAME_MAX];     /* empty: none */
    char password[REDIS_NAME_MAX]; /* empty: none */
    /* Sentinels, or nodes of the cluster, in the order of the text; STANDALONE: none. */
    unsigned seed_count;
    struct redis_endpoint seeds[REDIS_SEEDS_MAX];
    char master[REDIS_NAME_MAX]; /* what Sentinels call it */
    bool is_tls;
};

/* redis://[[user]:password@]host[:port][/db], unix://[[user]:password@]/path[?db=N] and
 * redis+sentinel://[[user]:password@]host[:port][,host[:port]...]/name[/db] and
 * redis+cluster://[[user]:password@]host[:port][,host[:port]...]; rediss:// and so on for TLS. User
 * and password, of Redis and not of Sentinel, may be percent-encoded; "user@" has its password from
 * elsewhere. False with one line that says what is wrong; the line never has the password. */
bool redis_url_parse(struct slice text, struct redis_url *url, struct buffer *error);
/* Whether it has a password where it has to, and none where another source gives one. NULL: it is
 * well; else what is wrong, in words. */
const char *redis_url_misses_password(const struct redis_url *url, bool has_source);
/* For people: "host:port", "[v6]:port", the path of a unix socket, or "name of host:port,...",
 * "cluster of host:port,..."; cut where it does not fit. Without user and password. */
void redis_url_describe(const struct redis_url *url, char *text, size_t size);

/* `<prefix>identity`, a text that a Redis is given once: what was heard of it. */
#define REDIS_IDENTITY_MAX 64u

enum redis_identity_news {
    REDIS_IDENTITY_CHANGED, /* it was emptied, or is another Redis; its copies are forgotten */
    REDIS_IDENTITY_WRONG,   /* `now` is not the one that was named: all is UNKNOWN (IDENTITY) */
    REDIS_IDENTITY_REFUSED, /* it may not be read or made; `now` is the reply */
};

/* Which writes are to reach replicas before they are acknowledged (WAIT), over a second connection
 * to each node. Where that is not up they are UNKNOWN, and nothing else is. */
struct redis_wait {
    unsigned replicas; /* so many */
    bool is_auto;      /* as many as the node has, none where it has none; then that number is 0 */
    bool files;        /* WAITAOF: also in its own append-only file, and in theirs */
    bool mints;        /* besides deletions: what rests on premises */
};

struct redis_store_options {
    struct redis_url url; /* copied */
    /* What Sentinels are greeted with: never Redis' own user. Copied; absent: none. */
    struct slice sentinel_user, sentinel_password;
    /* With url.is_tls: what handshakes are made with; the store takes a reference of its own. */
    struct tls_context *tls;
    struct slice tls_name; /* copied: what the certificate is for; absent: url.host */
    struct slice prefix;   /* copied, 64 bytes at most; "mintd:" */
    struct slice name;     /* copied; for CLIENT SETNAME: [A-Za-z0-9._-], other bytes become '-' */
    struct redis_wait wait;
    unsigned timeout_ms;  /* of an operation */
    unsigned pending_max; /* operations in flight; 0: 4,096 */
    bool takes_replica;   /* for who only reads, and wants to know what there is: the layout is not
                             marked then where it is not marked yet */
    struct store_metrics *metrics; /* outlives the store */
    struct redis_told *told;       /* of all stores of the process, outlives them; NULL: one only */
    /* Redis' clock is what the process goes by (clock_share()): one store of a process. */
    bool shares_clock;
    /* Bytes for copies of what was read; 0: nothing is remembered. Needs Redis 7.0, RESP3 and the
     * right to CLIENT TRACKING: where Redis refuses, reads ask Redis, and it is asked again every
     * 5 s. */
    size_t cache_size;
    struct hash_seed cache_seed;     /* random */
    struct cache_group *cache_group; /* of the other workers' stores, outlives it; NULL: none */
    /* One that ends, in place of the URL's; outlives the store. NULL: the URL's. */
    struct redis_password *password;
    /* With a cache_group or a password: called on any thread; makes the owner call
     * redis_store_woken() soon. */
    void (*wake)(void *context);
    void *wake_context;
    /* What a Redis without an identity is given begins with this random text (copied; 48 bytes at
     * most); empty: it is given none, and not asked for its own. */
    struct slice identity_seed;
    /* The one identity that is served; copied; empty: any. */
    struct slice identity;
    /* With an identity_seed; an empty `now` or `before` is none. */
    void (*on_identity)(void *context, enum redis_identity_news news, struct slice before,
                        struct slice now);
    void *identity_context;
};

/* Starts connecting at once. NULL where memory or the loop fails, or a URL with TLS has no context.
 */
struct store *redis_store_new(struct uv_loop_s *loop, const struct redis_store_options *options);

/* On the store's thread: handshakes from now on are made with this, whose reference is the store's.
 * The connection that there is goes on. */
void redis_store_use_tls(struct store *store, struct tls_context *tls);
/* What is spoken now with a node; false: no TLS, or no connection. */
bool redis_store_look_at_tls(const struct store *store, unsigned node,
                             struct tls_client_view *view);

/* On the store's thread, after it was woken: hears what other workers have deleted, and of a new
 * password. */
void redis_store_woken(struct store *store);

/* Why the connection failed last, in words; "" where it did not, or is up. Never has the password.
 */
const char *redis_store_reason(const struct store *store);

/* ---- its version ---- */

/* Before 7.0 a push may come inside another reply, and ahead of the reply to the write that caused
 * it: such a Redis is not asked to tell of changes. */
#define REDIS_OLDEST_MAJOR 7u

enum redis_age { REDIS_AGE_UNKNOWN, REDIS_AGE_OLD, REDIS_AGE_GOOD };

/* Of a version as Redis gives it of itself ("6.2.14"); UNKNOWN: it is absent, or begins with no
 * number. */
enum redis_age redis_age_of(struct slice version);

/* ---- any command, for the operator's tool ---- */

/* A command's name and arguments. Keys are given whole: the prefix is not added. */
struct redis_command {
    const struct slice *arguments;
    size_t count;
};

enum redis_value_kind {
    REDIS_VALUE_NIL,
    REDIS_VALUE_TEXT,
    REDIS_VALUE_NUMBER,
    REDIS_VALUE_ERROR,
    REDIS_VALUE_LIST, /* a map is a list of names and values in turn */
};

struct redis_value;
enum redis_value_kind redis_value_kind(const struct redis_value *value);
struct slice redis_value_text(const struct redis_value *value); /* of a TEXT or an ERROR */
int64_t redis_value_number(const struct redis_value *value);    /* of a NUMBER */
size_t redis_value_count(const struct redis_value *value);      /* elements of a LIST */
const struct redis_value *redis_value_first(const struct redis_value *list); /* there must be one */
const struct redis_value *redis_value_next(const struct redis_value *value); /* the same */

/* The caller's storage, in place until on_done. */
struct redis_call {
    void (*on_done)(struct redis_call *call); /* set by the caller */
    /* What it is about, whole, with its prefix: in a cluster it goes to the node that has it.
     * Absent: to this node, of redis_store_node_count(). */
    struct slice key;
    unsigned node;
    /* the result */
    enum store_trouble trouble; /* NONE; or what the first error among the replies means; or why
                                   none came */
    const struct redis_value *reply; /* to the last command, until on_done returns; NULL: none came
                                      */
    /* its own */
    struct store_operation operation;
};

/* Sends the commands together, nothing of ours between them (MULTI … EXEC). Works as the verbs of
 * store.h do (now or later, never both; the store's timeout from now), but also where the layout of
 * the data is one that we do not know. */
enum progress redis_store_call(struct store *store, const struct redis_command *commands,
                               size_t count, struct redis_call *call);

/* Masters that are known now: 1, but in a cluster. */
unsigned redis_store_node_count(const struct store *store);
/* "host:port" of one of them, for people; valid until the loop's next turn. */
const char *redis_store_node_name(const struct store *store, unsigned node);

#endif
