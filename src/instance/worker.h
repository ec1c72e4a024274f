/* worker.h: one event loop on a thread of its own, with its listeners, its link to the store and
 * its endpoints.
 *
 * Workers share nothing but struct api_process (counters, and what an instance tells of itself),
 * the time of Redis (clock_shared_ms()), the password pool, the group of caches (which tells each
 * of what another has deleted), what was told of Redis, the bounds on connections, the TLS
 * contexts, and the request to drain. */
#ifndef MINTD_INSTANCE_WORKER_H
#define MINTD_INSTANCE_WORKER_H

#include "mintd/api.h"
#include "mintd/cache_group.h"
#include "mintd/heartbeat.h"
#include "mintd/instance.h"
#include "mintd/local_store.h"
#include "mintd/redis_told.h"
#include <uv.h>

#define WORKER_TICK_MS 100u
#define WORKER_USAGE_TICKS 50u    /* between two writes of when secrets were last used: 5 s */
#define WORKER_OWN_OPERATIONS 64u /* of the store, that belong to no request */
#define WORKER_DRAIN_MS 8000u
#define WORKER_LEAVE_MS 500u       /* at its end, for the store to take the heartbeat away */
#define WORKER_STORE_GRACE_MS 500u /* for the store to come up before its absence is told */

struct worker_options {
    const struct instance_options *instance;
    struct api_process *process;
    struct slice issuer;
    struct slice resource;         /* /secret, as api_write_resource() names it */
    struct tls_context *tls;       /* of the main server; NULL: plain */
    struct tls_context *redis_tls; /* to Redis; NULL: plain */
    struct password_pool *pool;
    struct memory_data *memory;      /* NULL: Redis */
    struct cache_group *caches;      /* of all workers; NULL: there is one alone */
    struct redis_told *told;         /* of all workers */
    struct redis_password *password; /* of all workers; NULL: that of the URL */
    struct http_bounds *bounds;      /* of the main servers of all workers */
    struct http_bounds
        *metrics_bounds; /* of the metrics listener's server; NULL where there is none */
    unsigned index;
    const int *listeners; /* sockets of its own; taken over by worker_open(), also on failure */
    unsigned listener_count;
    bool listens_later;           /* once it has its link to the store */
    const int *metrics_listeners; /* of the first worker; as `listeners` */
    unsigned metrics_listener_count;
    void (*on_listen)(void *context);         /* on its thread, if it listens later: it does now */
    void (*on_stop_listening)(void *context); /* on its thread */
    void (*on_end)(void *context);            /* on the worker's thread, as the last thing */
    void *context;
};

struct worker {
    struct worker_options options;
    pthread_t thread;
    bool loop_open, thread_runs;
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_timer_t tick;
    uv_async_t wake;
    _Atomic int wish; /* enum worker_wish */
    /* for the main thread, which looks after it: */
    _Atomic uint64_t ticked_ns; /* when its loop ticked last; 0: it has not yet */
    _Atomic int trouble;        /* enum store_trouble, at that tick */
    _Atomic bool is_over;       /* its loop has ended, as it was told to */
    /* given and not taken yet; NULL: none */
    _Atomic(struct tls_context *) next_tls, next_redis_tls;
    struct store *store;
    struct crypto *crypto;
    struct password_inbox *inbox;
    struct oauth *oauth;
    unsigned server_count;
    struct http_server *servers[2]; /* the main one; on the first worker, the metrics listener's */
    struct api *apis[2];
    struct oauth_client_creation creation;
    bool creation_open, creation_done;
    bool creation_is_void; /* what is under way is of the Redis before */
    bool creation_told;    /* creation_trouble has been logged */
    enum store_trouble creation_trouble;
    struct oauth_client_comparison comparison; /* of the client that was there already */
    bool comparison_due, comparison_open;
    enum store_trouble last_trouble;
    bool store_told;            /* last_trouble has been logged */
    struct heartbeat heartbeat; /* of the process; on the first worker, with Redis */
    bool has_heartbeat;
    bool is_linked, listens, listen_told; /* if it listens later */
    bool is_deaf;                         /* its listeners are closed */
    bool draining, leaving, closing;
    uint64_t drain_started_ms, leave_started_ms, last_tick_ns;
    unsigned ticks;
    unsigned open_parts; /* of those that close later */
};

/* Everything but the thread. False where something failed; worker_end() and worker_free() are due
 * in any case. */
bool worker_open(struct worker *worker, const struct worker_options *options);
bool worker_start(struct worker *worker);
/* From the main thread, ahead of the drain: all goes on, and answers ask clients to connect anew.
 */
void worker_announce_drain(struct worker *worker);
/* From the main thread, ahead of the drain: its listeners close, and on_stop_listening is called.
 */
void worker_stop_listening(struct worker *worker);
/* From the main thread: finish what is open, then end; with `now`, without waiting for anybody. */
void worker_drain(struct worker *worker, bool now);
/* From any thread, for a worker that was opened with TLS: new connections use this. Takes over the
 * reference. */
void worker_use_tls(struct worker *worker, struct tls_context *tls);
/* The same, for one with TLS to Redis. */
void worker_use_redis_tls(struct worker *worker, struct tls_context *tls);
/* Waits for the thread to end; a worker that was never started is ended on this thread. */
void worker_end(struct worker *worker);
/* After worker_end(), and after the password pool is gone. */
void worker_free(struct worker *worker);

#endif
