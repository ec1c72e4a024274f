/* redis_store.h: a store kept in Redis (or Valkey), over one link for each worker; in a cluster,
 * over one for each node.
 *
 * The link comes up by itself: resolve, connect, HELLO 3 (with AUTH), SELECT, the schema check.
 * Whenever it is lost it comes back by itself, with jittered back-off from 50 ms to 500 ms. While
 * it is not up, verbs are DONE and UNKNOWN at once: nothing queues for a dead Redis. With
 * Sentinels, they are asked for the master before each attempt, and one of them each second. If
 * they name another master, the link leaves its own for that one. The process must ignore
 * SIGPIPE. */
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
    REDIS_CLUSTER,  /* each key has a slot, and each slot a node */
};

/* Where Redis is, or which hosts tell where it is. All storage is its own; it has no pointers. */
struct redis_url {
    enum redis_topology topology;
    bool is_unix;
    char host[REDIS_NAME_MAX]; /* or the path of a unix socket; empty where there are seeds */
    unsigned port;
    unsigned database;
    char user[REDIS_NAME_MAX];     /* empty: none */
    char password[REDIS_NAME_MAX]; /* empty: none */
    /* Sentinels, or nodes of the cluster, in the order of the text; none for STANDALONE. */
    unsigned seed_count;
    struct redis_endpoint seeds[REDIS_SEEDS_MAX];
    char master[REDIS_NAME_MAX]; /* the name that Sentinels know the master by */
    bool is_tls;
};

/* Reads redis://[[user]:password@]host[:port][/db], unix://[[user]:password@]/path[?db=N],
 * redis+sentinel://[[user]:password@]host[:port][,host[:port]...]/name[/db] and
 * redis+cluster://[[user]:password@]host[:port][,host[:port]...]. rediss:// and so on mean TLS.
 * User and password are those of Redis, not of a Sentinel, and may be percent-encoded. "user@"
 * gets its password from elsewhere. False: `error` has one line that says what is wrong; it never
 * has the password. */
bool redis_url_parse(struct slice text, struct redis_url *url, struct buffer *error);
/* Whether the URL has a password where it needs one, and none where another source gives it. NULL:
 * all is well. Else words for what is wrong. */
const char *redis_url_misses_password(const struct redis_url *url, bool has_source);
/* Whether both name the same Redis in the same way, whatever their passwords are. */
bool redis_url_is_same(const struct redis_url *a, const struct redis_url *b);
/* Writes the URL for people: "host:port", "[v6]:port", the path of a unix socket, "name of
 * host:port,..." or "cluster of host:port,...", cut to `size`. It never has the user or the
 * password. */
void redis_url_describe(const struct redis_url *url, char *text, size_t size);

/* What was heard of the identity: `<prefix>identity` is a random text that a Redis is given
 * once. */
#define REDIS_IDENTITY_MAX 64u

enum redis_identity_news {
    REDIS_IDENTITY_CHANGED, /* Redis was emptied, or it is another one; its copies are forgotten */
    REDIS_IDENTITY_WRONG,   /* `now` is not the one that was named: all is UNKNOWN (IDENTITY) */
    REDIS_IDENTITY_REFUSED, /* Redis refuses to read or make it; `now` is the reply */
};

/* Which writes have to reach replicas before they are acknowledged (WAIT). They go over a second
 * link to each node. While that link is not up, only these writes are UNKNOWN. */
struct redis_wait {
    unsigned replicas; /* how many replicas */
    bool is_auto;      /* as many as the node has, which may be none; `replicas` is 0 then */
    bool files;        /* WAITAOF: also in the append-only files of the node and of the replicas */
    bool mints;        /* not only deletions: also what rests on premises (mints) */
};

struct redis_store_options {
    struct redis_url url; /* copied */
    /* User and password for the Sentinels; Redis' own user is never used. Copied; absent: none. */
    struct slice sentinel_user, sentinel_password;
    /* Set where url.is_tls: handshakes are made with it. The store takes a reference of its own. */
    struct tls_context *tls;
    struct slice tls_name; /* copied: the name in the certificate; absent: url.host */
    struct slice prefix;   /* copied, at most 64 bytes; such as "mintd:" */
    struct slice name;     /* copied; for CLIENT SETNAME: [A-Za-z0-9._-], other bytes become '-' */
    struct redis_wait wait;
    unsigned timeout_ms;  /* for an operation that has no deadline of its own */
    unsigned pending_max; /* how many operations may be in flight; 0: 4,096 */
    /* For a tool that only reads, and wants to know what is there. A replica is taken too, and the
     * layout of an unmarked Redis is not marked. */
    bool takes_replica;
    struct store_metrics *metrics; /* outlives the store */
    /* Shared by all stores of the process, outlives them; NULL: there is only one. */
    struct redis_told *told;
    /* This store gives Redis' clock to the process (clock_share()). One store of a process does
     * it. */
    bool shares_clock;
    /* Bytes for copies of what was read; 0: nothing is remembered. It needs Redis 7.0, RESP3 and
     * the right to CLIENT TRACKING. Where Redis refuses, each read asks Redis, and the store tries
     * again every 5 s. */
    size_t cache_size;
    struct hash_seed cache_seed; /* random bits */
    /* Shared with the other workers' stores, outlives it; NULL: none. */
    struct cache_group *cache_group;
    /* A password that expires, in place of the URL's; outlives the store. NULL: the URL's. */
    struct redis_password *password;
    /* Needed with a cache_group or a password. It is called on any thread, and makes the owner
     * call redis_store_woken() soon. */
    void (*wake)(void *context);
    void *wake_context;
    /* The identity that a Redis without one is given begins with this random text (copied; at most
     * 48 bytes). Empty: it is given none, and is not asked for its own. */
    struct slice identity_seed;
    /* The only identity that is served; copied; empty: any. */
    struct slice identity;
    /* Called with an identity_seed, on the store's loop. An empty `now` or `before` means none. */
    void (*on_identity)(void *context, enum redis_identity_news news, struct slice before,
                        struct slice now);
    void *identity_context;
};

/* Starts to connect at once. NULL: no memory, the loop refused, or the URL has TLS and there is no
 * context. */
struct store *redis_store_new(struct uv_loop_s *loop, const struct redis_store_options *options);

/* On the store's thread: handshakes from now on use this context; the store takes over the
 * reference. The connection that is up goes on. */
void redis_store_use_tls(struct store *store, struct tls_context *tls);
/* The TLS that is spoken with a node now. False: no TLS, or no connection. */
bool redis_store_look_at_tls(const struct store *store, unsigned node,
                             struct tls_client_view *view);

/* On the store's thread, after `wake`: learns what other workers have deleted, and a new
 * password. */
void redis_store_woken(struct store *store);

/* Why the connection failed last, in words. "": it never failed, or it is up. It never has the
 * password. */
const char *redis_store_reason(const struct store *store);

/* ---- its version ---- */

/* A Redis before 7.0 may send a push inside another reply, and before the reply to the write that
 * caused it. So it is not asked to tell of changes. */
#define REDIS_OLDEST_MAJOR 7u

enum redis_age { REDIS_AGE_UNKNOWN, REDIS_AGE_OLD, REDIS_AGE_GOOD };

/* From a version as Redis names it ("6.2.14"). UNKNOWN: it is absent, or does not begin with a
 * number. */
enum redis_age redis_age_of(struct slice version);

/* ---- any command, for the operator's tool ---- */

/* The name and arguments of a command. Keys are given whole: the prefix is not added. */
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
const struct redis_value *redis_value_first(const struct redis_value *list); /* it must have one */
const struct redis_value *redis_value_next(const struct redis_value *value); /* there must be one */

/* The caller's storage. It must stay in place until on_done. */
struct redis_call {
    void (*on_done)(struct redis_call *call); /* set by the caller */
    /* The key that it is about, whole, with its prefix: in a cluster the call goes to the node
     * that has it. Absent: it goes to node number `node`, of redis_store_node_count(). */
    struct slice key;
    unsigned node;
    /* the result */
    /* NONE; or what the first error among the replies means; or why no reply came. */
    enum store_trouble trouble;
    /* The reply to the last command, valid until on_done returns. NULL: none came. */
    const struct redis_value *reply;
    /* its own */
    struct store_operation operation;
};

/* Sends the commands together, with no other command of ours between them (MULTI … EXEC). It works
 * as the verbs of store.h do (now or later, never both; the store's timeout counts from now).
 * Unlike them it also works where the layout of the data is unknown to us. */
enum progress redis_store_call(struct store *store, const struct redis_command *commands,
                               size_t count, struct redis_call *call);

/* How many masters are known now. Outside a cluster it is 1. */
unsigned redis_store_node_count(const struct store *store);
/* "host:port" of one of them, for people. Valid until the next turn of the loop. */
const char *redis_store_node_name(const struct store *store, unsigned node);

#endif
