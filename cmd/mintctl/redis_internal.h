/* redis_internal.h: the connection's inside, for redis.c (one call at a time), redis_batch.c (many)
 * and redis_time.c (the clock). */
#ifndef MINTCTL_REDIS_INTERNAL_H
#define MINTCTL_REDIS_INTERNAL_H

#include "redis.h"
#include <uv.h>

struct redis {
    struct settings settings;
    enum redis_layout layout;
    uv_loop_t loop;
    uv_prepare_t prepare; /* sends what is to be sent, before the loop blocks */
    uv_timer_t timer;     /* the deadline of the connection */
    bool is_late;
    struct redis_password *password; /* NULL: that of the URL */
    uv_async_t wake;                 /* where there is one: the store hears of it */
    struct store *store;
    struct store_metrics metrics;
    /* the call under way */
    struct redis_call call;
    struct store_operation operation;
    bool is_waiting;
    struct value *reply;
};

/* Asks for Redis' clock, and shares it. Where it may not be asked for, all stays as it is. */
enum status redis_follow_clock(struct redis *redis);
void redis_say_trouble(const struct redis *redis, enum store_trouble trouble);
/* An error, also inside the reply to EXEC; NULL: none. */
const struct value *redis_find_error(const struct value *reply);

#endif
