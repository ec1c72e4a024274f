/* redis_internal.h: the connection's inside, for redis.c (its life), redis_ask.c (one call at a
 * time), redis_watch.c (calls that belong together), redis_batch.c (many) and redis_time.c (the
 * clock). */
#ifndef MINTD_CLIENTS_REDIS_INTERNAL_H
#define MINTD_CLIENTS_REDIS_INTERNAL_H

#include "clients/redis.h"
#include <uv.h>

struct redis {
    struct redis_target target;
    enum redis_layout layout;
    uv_loop_t loop;
    uv_prepare_t prepare; /* sends what is to be sent, before the loop blocks */
    uv_timer_t timer;     /* the deadline of the connection */
    bool is_late;
    struct redis_password *password; /* NULL: that of the URL */
    bool owns_password;
    uv_async_t wake; /* for news of the password, and for the stopper */
    bool is_closing; /* store_close() was called */
    struct store *store;
    struct store_metrics metrics;
    /* the call under way */
    struct redis_call call;
    struct store_operation operation;
    bool is_waiting, is_short_of_memory;
    struct value *reply;
    /* where a key is watched */
    struct slice watched; /* the key, in this storage */
    char watched_storage[REDIS_KEY_MAX];
    char watched_at[REDIS_NODE_NAME_MAX]; /* in a cluster: the node that has it */
};

/* One call, of which nothing is said. Without a key it goes to that node. NULL: no reply came;
 * call.trouble tells why, or it is_short_of_memory. */
struct value *redis_send(struct redis *redis, struct slice key, unsigned node,
                         const struct redis_command *commands, size_t count);
/* Why redis_send() gave nothing. `address`: of the one that was asked. */
void redis_say_silence(const struct redis *redis, const char *address);
/* Passes on a reply to these commands; an error is said, and NULL. */
struct value *redis_refuse_errors(const struct redis *redis, struct value *reply,
                                  const struct redis_command *commands, size_t count);
/* What to call the Redis that has this number. */
const char *redis_address_of(const struct redis *redis, unsigned node);
/* Sets is_late. */
void redis_on_late(uv_timer_t *timer);
/* Whether one of the nodes answers. */
bool redis_reaches_any(struct redis *redis);
/* In a cluster: waits until each node was reached, or for as long as that may take. */
void redis_await_nodes(struct redis *redis);

/* Asks for Redis' clock, and shares it. Where it may not be asked for, all stays as it is. */
enum status redis_follow_clock(struct redis *redis);
void redis_say_trouble(const struct redis *redis, enum store_trouble trouble);
void redis_say_trouble_of(const struct redis *redis, const char *address,
                          enum store_trouble trouble);
/* An error, also inside the reply to EXEC; NULL: none. */
const struct value *redis_find_error(const struct value *reply);

#endif
