/* redis.h: Redis, whose answers are waited for: one, or all the nodes of a cluster. */
#ifndef MINTD_CLIENTS_REDIS_H
#define MINTD_CLIENTS_REDIS_H

#include "clients/status.h"
#include "clients/value.h"
#include "mintd/redis_tls.h"
#include <pthread.h>

#define REDIS_KEY_MAX 384u                         /* prefix, "client:", id */
#define REDIS_NODE_NAME_MAX (REDIS_NAME_MAX + 10u) /* "[host]:port" */

/* Where Redis is, and how it is spoken to. Slices and texts outlive the connection. */
struct redis_target {
    struct redis_url redis;
    struct slice prefix;                          /* "mintd:" */
    const char *password_file, *password_command; /* one at most; NULL: the URL's */
    char sentinel_user[REDIS_NAME_MAX], sentinel_password[REDIS_NAME_MAX]; /* empty: none */
    struct redis_tls_settings tls;
    struct tls_context *context;      /* NULL: plain */
    bool is_local;                    /* the same machine: a socket, a loopback address */
    bool is_literal;                  /* no name to resolve */
    char address[2 * REDIS_NAME_MAX]; /* for people: without user and password */
    struct slice name;                /* what Redis calls the connection */
    /* Of mintd. The password that ends, in place of the one of the URL; NULL: none. */
    struct redis_password *password;
    struct slice identity;         /* the one Redis that is served; absent: any */
    struct redis_told *told;       /* NULL: nobody else tells */
    struct redis_stopper *stopper; /* NULL: nobody ends it early */
};

/* Ends a connection from another thread: what is under way has no answer then, and nothing is begun
 * any more. One connection at a time; it outlives it. */
struct redis_stopper {
    pthread_mutex_t lock;
    bool is_stopped;
    struct uv_async_s *wake; /* of the connection; NULL: there is none */
};
bool redis_stopper_init(struct redis_stopper *stopper);
void redis_stopper_fini(struct redis_stopper *stopper);
void redis_stop(struct redis_stopper *stopper); /* on any thread */
bool redis_is_stopped(struct redis_stopper *stopper);

/* Fills in what follows from the URL: is_local, is_literal, address. */
void redis_target_describe(struct redis_target *target);
void redis_target_fini(struct redis_target *target); /* wipes */

struct redis;

/* What the Redis has to be: a master with our layout; for who only reads, a replica too; for who
 * tells of nodes that are away, of a cluster any node that is there; for the doctor, to whom all of
 * this is something to be told, of any layout too. */
enum redis_layout { REDIS_OUR_LAYOUT, REDIS_REPLICA_TOO, REDIS_SOME_NODES, REDIS_ANY_LAYOUT };

/* Connects; waits 3 s at most. What the target holds is the connection's from then on, also where
 * that fails; *target is empty. Where that fails it says why. From then on clock_shared_ms() goes
 * by Redis' clock, where that may be asked for; not with ANY_LAYOUT, for who compares the clocks.
 */
enum status redis_open(struct redis_target *target, enum redis_layout layout, struct redis **redis);
void redis_close(struct redis *redis); /* NULL is fine */
/* For a command that goes on, ahead of asking again: a connection that was lost in between is made
 * anew; waits half a second at most. REDIS, said, where Redis is away. */
enum status redis_again(struct redis *redis);

const struct redis_target *redis_target_of(const struct redis *redis);
/* The whole name of a key ("client:", id) in storage of REDIS_KEY_MAX bytes. */
struct slice redis_key(const struct redis *redis, const char *kind, struct slice name,
                       char *storage);

/* Whether its stopper has ended it. */
bool redis_was_stopped(const struct redis *redis);

bool redis_is_cluster(const struct redis *redis);
/* The masters that are known now: 1, but in a cluster. Those numbers, and the name, hold until
 * something is waited for. */
unsigned redis_node_count(const struct redis *redis);
const char *redis_node_name(const struct redis *redis, unsigned node);

/* False: there is none of that name now. */
bool redis_find_node(const struct redis *redis, const char *name, unsigned *node);

/* What is spoken with it; false: no TLS, or it is away. */
bool redis_look_at_tls(const struct redis *redis, unsigned node, struct tls_client_view *view);

/* One command about the key behind its name; goes to the node that has that key. Waits for the
 * reply; the caller's to free. NULL, said, where none came. It may be an error. */
struct value *redis_try(struct redis *redis, const struct slice *arguments, size_t count);
/* The same of commands that stay together, all about that one key; the last one's reply. */
struct value *redis_try_all(struct redis *redis, struct slice key,
                            const struct redis_command *commands, size_t count);
/* The same of a command about the server, to one of the nodes. */
struct value *redis_try_at(struct redis *redis, unsigned node, const struct slice *arguments,
                           size_t count);
/* The same, and an error reply is said and NULL too: then STATUS_REDIS is due. */
struct value *redis_ask(struct redis *redis, const struct slice *arguments, size_t count);
struct value *redis_ask_all(struct redis *redis, struct slice key,
                            const struct redis_command *commands, size_t count);
/* For a command whose reply is a number. False: said. */
bool redis_ask_number(struct redis *redis, const struct slice *arguments, size_t count,
                      int64_t *number);
/* The clock that a reply to TIME tells, in milliseconds since the epoch; 0: it is none. */
uint64_t redis_time_of(const struct value *reply);
/* One thing that a reply cannot be: says so. */
enum status redis_complain(const char *what);
/* Says an error reply: in the words of the trouble (of its command) where they tell more; by the
 * key of its command (absent: not known), where what that holds is to blame. */
void redis_say_refusal(const struct redis *redis, const struct value *error,
                       enum store_trouble trouble, struct slice key);

/* ---- a key that is watched ---- */

#define REDIS_WATCHED_MAX 8u /* commands at a time */

/* From WATCH to EXEC or UNWATCH all goes over one connection, or it would guard nothing. So in a
 * cluster nothing follows the key to another node: *moves, where its slot has another one now, or
 * is about to. Then nothing was done, and all has to be done again, WATCH too. */
enum status redis_watch(struct redis *redis, struct slice key, bool *moves);
/* As redis_try_all() and redis_ask_all(); NULL, unsaid, where it moves. */
struct value *redis_try_watched(struct redis *redis, const struct redis_command *commands,
                                size_t count, bool *moves);
struct value *redis_ask_watched(struct redis *redis, const struct redis_command *commands,
                                size_t count, bool *moves);
enum status redis_unwatch(struct redis *redis);
/* A moment, ahead of doing again what did not work because a slot moves. */
void redis_pause(struct redis *redis);

/* ---- many at a time ---- */

#define REDIS_BATCH_MAX 256u

/* Questions that leave together, so that the way to Redis is gone once for all of them. */
struct redis_batch;

struct redis_batch *redis_batch_new(struct redis *redis); /* NULL, said, without memory */
void redis_batch_free(struct redis_batch *batch);         /* NULL is fine */
/* The replies of before are freed. */
void redis_batch_start(struct redis_batch *batch);
/* One more question, REDIS_BATCH_MAX at most: commands that stay together, about one key. They are
 * copied. */
void redis_batch_add(struct redis_batch *batch, struct slice key,
                     const struct redis_command *commands, size_t count);
/* The same about the server, to one of the nodes. */
void redis_batch_add_at(struct redis_batch *batch, unsigned node,
                        const struct redis_command *commands, size_t count);
size_t redis_batch_count(const struct redis_batch *batch);
/* Waits for all replies. REDIS, said, where one did not come. */
enum status redis_batch_wait(struct redis_batch *batch);
/* The same, where some of the replies may stay away: nothing is said of that. */
void redis_batch_collect(struct redis_batch *batch);
/* REDIS, said, where a WATCH was refused: then nothing guards what was read behind it. (That the
 * key holds something else than was asked for is the reader's to see.) */
enum status redis_batch_check_watched(struct redis_batch *batch);
/* The reply to the last command of a question, by its number; it may be an error. The caller's to
 * free. NULL: none came. */
struct value *redis_batch_take(struct redis_batch *batch, size_t number);
/* REDIS, said, where one of the replies is an error, also to a command ahead of the last of its
 * question. */
enum status redis_batch_check(struct redis_batch *batch);

/* Makes a hash where the key is not there (*made), else changes nothing. */
enum status redis_create_hash(struct redis *redis, struct slice key_without_prefix,
                              const struct store_field *fields, size_t count, bool *made);

/* After writes that must not be lost, to these keys (count 0: to any): waits for one replica of
 * their nodes, where there are any; a warning where none has it within a second. */
void redis_settle(struct redis *redis, const struct slice *keys, size_t count);

#endif
