/* worker.c: happy path: worker_open() builds the floors from below on the main thread,
 * worker_start() runs the loop on its own; each turn ends in on_turn_end(): answers first (they may
 * ask the store), then the store's commands.
 *
 * The end: a wish is set and wakes the loop. Listeners close, those of all workers ahead of the
 * first connection, or its client would come to one that is about to close. Open requests are
 * answered; when none is left, or time is up, the heartbeat is taken away, slow checks that have
 * not begun are given up (503), servers and store close; when they have, the last handles close and
 * the loop ends by itself. worker_free() closes the one that other threads use. */
#include "instance/worker.h"
#include "mintd/clock.h"
#include "mintd/encoding.h"
#include "mintd/log.h"
#include "mintd/thread.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define WORKER_STACK_SIZE (512u * 1024u)
#define IDENTITY_RANDOM 16u /* bytes */

enum worker_wish { WISH_RUN, WISH_ANNOUNCE, WISH_STOP_LISTENING, WISH_DRAIN, WISH_END };

/* ---- the end ---- */

/* The loop ends without the others; `wake` stays open until worker_free(), since other threads may
 * send to it until they have ended: a second signal, the pool. */
static void close_handles(struct worker *worker) {
    uv_close((uv_handle_t *)&worker->prepare, NULL);
    uv_close((uv_handle_t *)&worker->tick, NULL);
    uv_unref((uv_handle_t *)&worker->wake);
}

static void on_part_closed(void *context) {
    struct worker *worker = context;
    worker->open_parts--;
    if (worker->open_parts == 0) {
        close_handles(worker);
    }
}

/* Exchanges wait for their slow checks, and a full queue of those takes longer than we have: what
 * no thread has begun is answered now, while there are connections to answer on. */
static void give_up_slow_checks(struct worker *worker) {
    if (worker->oauth == NULL) {
        return;
    }
    oauth_give_up_slow_checks(worker->oauth);
    password_inbox_drain(worker->inbox);
    for (unsigned i = 0; i < worker->server_count; i++) {
        http_server_flush(worker->servers[i]);
    }
}

static void end_loop(struct worker *worker) {
    if (worker->closing) {
        return;
    }
    worker->closing = true;
    give_up_slow_checks(worker);
    worker->open_parts = 0;
    for (unsigned i = 0; i < worker->server_count; i++) {
        worker->open_parts++;
        http_server_close(worker->servers[i], on_part_closed, worker);
    }
    if (worker->store != NULL) {
        worker->open_parts++;
        store_close(worker->store, on_part_closed, worker);
    }
    if (worker->open_parts == 0) {
        close_handles(worker);
    }
}

static void stop_listening(struct worker *worker) {
    worker->is_deaf = true;
    for (unsigned i = 0; i < worker->server_count; i++) {
        http_server_stop_listening(worker->servers[i]);
    }
    worker->options.on_stop_listening(worker->options.context);
}

static void begin_drain(struct worker *worker) {
    if (worker->draining) {
        return;
    }
    worker->draining = true;
    worker->drain_started_ms = uv_now(&worker->loop);
    for (unsigned i = 0; i < worker->server_count; i++) {
        http_server_drain(worker->servers[i]);
    }
}

static bool is_drained(const struct worker *worker) {
    bool served = true;
    for (unsigned i = 0; i < worker->server_count; i++) {
        served = served && http_server_is_idle(worker->servers[i]);
    }
    return served || uv_now(&worker->loop) - worker->drain_started_ms > WORKER_DRAIN_MS;
}

/* Taken away ahead of the end, while there is a link. */
static void leave(struct worker *worker) {
    if (!worker->leaving) {
        worker->leaving = true;
        worker->leave_started_ms = uv_now(&worker->loop);
        if (worker->has_heartbeat) {
            heartbeat_leave(&worker->heartbeat);
        }
    }
}

static bool has_left(const struct worker *worker) {
    return !worker->has_heartbeat || heartbeat_has_left(&worker->heartbeat) ||
           uv_now(&worker->loop) - worker->leave_started_ms > WORKER_LEAVE_MS;
}

/* ---- the client made at start ---- */

/* Each reason once: it is tried ten times a second. */
static void tell_creation_trouble(struct worker *worker) {
    enum store_trouble trouble = worker->creation.trouble;
    if (worker->creation_told && trouble == worker->creation_trouble) {
        return;
    }
    log_warning("client could not be made: it is tried again",
                LOG_STRING("client", worker->creation.seed->id),
                LOG_STRING("reason", store_trouble_name(trouble)));
    worker->creation_told = true;
    worker->creation_trouble = trouble;
}

static void tell_creation(const struct oauth_client_creation *creation) {
    if (creation->answer == STORE_ABSENT) {
        log_warning(
            "client has settings but no secret, and is left so: mintctl client add makes it "
            "anew",
            LOG_STRING("client", creation->seed->id));
    } else if (creation->made) {
        log_info("client made", LOG_STRING("client", creation->seed->id));
    } else {
        log_info("client is there already", LOG_STRING("client", creation->seed->id));
    }
}

static void finish_creation(struct worker *worker) {
    const struct oauth_client_creation *creation = &worker->creation;
    worker->creation_open = false;
    worker->creation_done = creation->answer != STORE_UNKNOWN && !worker->creation_is_void;
    worker->creation_is_void = false;
    atomic_store(&worker->options.process->starting, !worker->creation_done);
    if (worker->creation_done) {
        tell_creation(creation);
        worker->comparison_due = creation->answer == STORE_FOUND && !creation->made;
    } else if (creation->answer == STORE_UNKNOWN) {
        tell_creation_trouble(worker); /* the next tick tries again */
    }
}

static void on_client_created(struct flow *flow) {
    finish_creation(container_of(flow, struct worker, creation.flow));
}

/* The first worker makes the client as soon as the store is up. */
static void create_client(struct worker *worker) {
    const struct oauth_client_seed *seed = worker->options.instance->seed;
    if (worker->options.index != 0 || seed == NULL || worker->creation_done ||
        worker->creation_open || worker->draining ||
        store_trouble_now(worker->store) != STORE_TROUBLE_NONE) {
        return;
    }
    worker->creation_open = true;
    worker->creation.flow.on_done = on_client_created;
    if (oauth_client_creation_start(worker->oauth, &worker->creation, seed) == PROGRESS_DONE) {
        finish_creation(worker);
    }
}

/* ---- the client that was there already ---- */

static void tell_comparison(struct worker *worker) {
    const struct oauth_client_comparison *c = &worker->comparison;
    if (!c->secret_differs && !c->scope_differs) {
        return;
    }
    api_notice(worker->options.process, API_NOTICE_CLIENT_DIFFERS);
    log_warning("the client of --client was there before, and is left as it is: mintctl client "
                "rotate gives it a new secret, mintctl client set another scope",
                LOG_STRING("client", c->seed->id),
                LOG_STRING("differs", !c->scope_differs    ? "secret"
                                      : !c->secret_differs ? "scope"
                                                           : "secret, scope"));
}

/* Where nobody could tell, the next tick tries again. */
static void finish_comparison(struct worker *worker) {
    enum oauth_refusal trouble = worker->comparison.trouble;
    worker->comparison_open = false;
    worker->comparison_due =
        trouble == OAUTH_REFUSED_STORE_UNKNOWN || trouble == OAUTH_REFUSED_BUSY;
    if (!worker->comparison_due) {
        tell_comparison(worker);
    }
}

static void on_client_compared(struct flow *flow) {
    finish_comparison(container_of(flow, struct worker, comparison.flow));
}

static void compare_client(struct worker *worker) {
    if (!worker->comparison_due || worker->comparison_open || worker->draining ||
        store_trouble_now(worker->store) != STORE_TROUBLE_NONE) {
        return;
    }
    worker->comparison_open = true;
    worker->comparison.flow.on_done = on_client_compared;
    if (oauth_client_comparison_start(worker->oauth, &worker->comparison,
                                      worker->options.instance->seed) == PROGRESS_DONE) {
        finish_comparison(worker);
    }
}

/* ---- another Redis ---- */

static struct slice or_none(struct slice identity) {
    return identity.size == 0 ? S("none") : identity;
}

/* The client of --client was made in the Redis before. */
static void make_client_again(struct worker *worker) {
    worker->creation_is_void = worker->creation_open;
    worker->creation_done = worker->creation_told = false;
    atomic_store(&worker->options.process->starting, worker->options.instance->seed != NULL);
}

/* Each worker's store looks for itself; the first worker tells, once for the process. */
static void on_redis_identity(void *context, enum redis_identity_news news, struct slice before,
                              struct slice now) {
    struct worker *worker = context;
    struct api_process *process = worker->options.process;
    if (worker->options.index != 0) {
        return;
    }
    switch (news) {
    case REDIS_IDENTITY_CHANGED:
        /* Who has read of it in the log finds it in /readyz and the metrics. */
        atomic_fetch_add(&process->identity_changes, 1);
        atomic_store(&process->identity_changed_ms, clock_monotonic_ms());
        log_error("redis was emptied, or is another one than before: its clients and tokens are "
                  "not those that were there",
                  LOG_TEXT("before", before), LOG_TEXT("now", or_none(now)));
        make_client_again(worker);
        break;
    case REDIS_IDENTITY_WRONG:
        log_error("redis is not the one that --redis-identity names: requests are answered 503",
                  LOG_TEXT("wanted", before), LOG_TEXT("found", or_none(now)));
        break;
    case REDIS_IDENTITY_REFUSED:
        log_warning("redis may not be given an identity: it is not noticed where it is emptied; "
                    "allow GET and SET of the key named identity",
                    LOG_TEXT("reply", now));
        break;
    }
}

/* ---- the loop ---- */

/* Once for the process, though each worker has a link. */
static void tell_store_state(struct worker *worker) {
    enum store_trouble trouble = store_trouble_now(worker->store);
    bool just_started =
        !worker->store_told && clock_monotonic_ns() - worker->options.process->started_ns <
                                   WORKER_STORE_GRACE_MS * 1000000ull;
    if (worker->options.index != 0 || worker->draining ||
        (worker->store_told && trouble == worker->last_trouble) ||
        (just_started && trouble != STORE_TROUBLE_NONE)) {
        return;
    }
    if (trouble == STORE_TROUBLE_NONE) {
        log_info("store is up");
    } else {
        log_warning("store is away: requests that need it are answered 503",
                    LOG_STRING("reason", store_trouble_name(trouble)));
    }
    worker->store_told = true;
    worker->last_trouble = trouble;
}

/* Another program serves the port meanwhile, and what comes here would be refused: all workers have
 * to have their links, and the client of --client to be there. */
static bool may_listen(struct worker *worker) {
    struct api_process *process = worker->options.process;
    if (!worker->is_linked && store_trouble_now(worker->store) == STORE_TROUBLE_NONE) {
        worker->is_linked = true;
        atomic_fetch_sub(&process->to_link, 1);
    }
    return atomic_load(&process->to_link) == 0 && !atomic_load(&process->starting);
}

static void listen_later(struct worker *worker) {
    char name[64] = "none";
    if (!worker->options.listens_later || worker->listens ||
        atomic_load(&worker->wish) != WISH_RUN || !may_listen(worker)) {
        return;
    }
    worker->listens = http_server_listen(worker->servers[0]);
    if (worker->listens) {
        worker->options.on_listen(worker->options.context);
    } else if (!worker->listen_told) {
        uv_err_name_r(-errno, name, sizeof name);
        log_error("the kernel refuses to listen: it is tried again", LOG_STRING("error", name));
        worker->listen_told = true;
    }
}

static void measure_lag(struct worker *worker) {
    uint64_t now = clock_monotonic_ns();
    uint64_t due = worker->last_tick_ns + WORKER_TICK_MS * 1000000ull;
    if (worker->last_tick_ns != 0) {
        histogram_record(&worker->options.process->metrics[worker->options.index].loop_lag,
                         now > due ? now - due : 0);
    }
    worker->last_tick_ns = now;
    atomic_store_explicit(&worker->ticked_ns, now, memory_order_relaxed);
}

static void on_tick(uv_timer_t *timer) {
    struct worker *worker = timer->data;
    uint64_t wall_ms = clock_shared_ms();
    measure_lag(worker);
    if (worker->closing) {
        return;
    }
    oauth_give_up_late_checks(worker->oauth, clock_monotonic_ns());
    for (unsigned i = 0; i < worker->server_count; i++) {
        http_server_tick(worker->servers[i], wall_ms);
        api_tick(worker->apis[i]);
    }
    atomic_store_explicit(&worker->trouble, (int)store_trouble_now(worker->store),
                          memory_order_relaxed);
    tell_store_state(worker);
    listen_later(worker);
    create_client(worker);
    compare_client(worker);
    if (worker->options.index == 0) {
        api_tell_refusals(worker->options.process, false);
    }
    if (worker->has_heartbeat) {
        heartbeat_tick(&worker->heartbeat, worker->last_tick_ns);
    }
    if (++worker->ticks % WORKER_USAGE_TICKS == 0) {
        oauth_write_usage(worker->oauth);
    }
}

static void flush_servers(struct worker *worker) {
    for (unsigned i = 0; i < worker->server_count; i++) {
        http_server_flush(worker->servers[i]);
    }
}

static void on_long_turn(void *context) {
    struct worker *worker = context;
    flush_servers(worker);
    store_flush(worker->store);
}

static void on_turn_end(uv_prepare_t *prepare) {
    struct worker *worker = prepare->data;
    flush_servers(worker);
    bool drained = worker->draining && is_drained(worker);
    if (drained && !worker->closing) {
        leave(worker);
    }
    if (worker->store != NULL) {
        store_flush(worker->store);
    }
    if (drained && has_left(worker)) {
        end_loop(worker);
    }
}

static void take_next_tls(struct worker *worker) {
    struct tls_context *tls = atomic_exchange(&worker->next_tls, NULL);
    struct tls_context *redis_tls = atomic_exchange(&worker->next_redis_tls, NULL);
    if (tls != NULL) {
        http_server_use_tls(worker->servers[0], tls); /* not the first: it cannot fail */
    }
    if (redis_tls != NULL) {
        redis_store_use_tls(worker->store, redis_tls);
    }
}

static void on_wake(uv_async_t *wake) {
    struct worker *worker = wake->data;
    password_inbox_drain(worker->inbox);
    if (worker->options.memory == NULL) {
        redis_store_woken(worker->store);
    }
    take_next_tls(worker);
    int wish = atomic_load(&worker->wish);
    for (unsigned i = 0; i < worker->server_count && wish == WISH_ANNOUNCE; i++) {
        http_server_announce_drain(worker->servers[i]);
    }
    if (wish == WISH_STOP_LISTENING && !worker->is_deaf) {
        stop_listening(worker);
    }
    if (wish >= WISH_DRAIN && !worker->closing) {
        begin_drain(worker);
    }
    if (wish == WISH_END) {
        end_loop(worker);
    }
}

static void wake_worker(void *context) {
    struct worker *worker = context;
    uv_async_send(&worker->wake);
}

/* ---- opening ---- */

static bool open_loop(struct worker *worker) {
    if (uv_loop_init(&worker->loop) != 0) {
        return false;
    }
    uv_prepare_init(&worker->loop, &worker->prepare);
    uv_timer_init(&worker->loop, &worker->tick);
    worker->prepare.data = worker;
    worker->tick.data = worker;
    worker->wake.data = worker;
    if (uv_async_init(&worker->loop, &worker->wake, on_wake) != 0) {
        uv_close((uv_handle_t *)&worker->prepare, NULL);
        uv_close((uv_handle_t *)&worker->tick, NULL);
        uv_run(&worker->loop, UV_RUN_DEFAULT);
        uv_loop_close(&worker->loop);
        return false;
    }
    return true;
}

/* An even share. */
static unsigned connections_of(const struct instance_options *instance) {
    return (instance->max_connections + instance->workers - 1) / instance->workers;
}

static struct store *open_redis(struct worker *worker, struct store_metrics *metrics) {
    uint8_t random[IDENTITY_RANDOM];
    char identity_seed[2 * IDENTITY_RANDOM];
    const struct instance_options *instance = worker->options.instance;
    struct redis_store_options options = {
        .url = instance->redis,
        .password = worker->options.password,
        .sentinel_user = instance->sentinel_user,
        .sentinel_password = instance->sentinel_password,
        .tls = worker->options.redis_tls,
        .tls_name = instance->redis_tls.name,
        .prefix = instance->redis_prefix,
        .name = slice_of_string(worker->options.process->name),
        .wait = instance->redis_wait,
        .timeout_ms = instance->redis_timeout_ms,
        /* Each connection works on one request, which has two operations at a time at most. */
        .pending_max = 2 * connections_of(instance) + WORKER_OWN_OPERATIONS,
        .metrics = metrics,
        .shares_clock = worker->options.index == 0,
        .cache_size = instance->cache_size / instance->workers,
        .cache_group = worker->options.caches,
        .told = worker->options.told,
        .wake = wake_worker,
        .wake_context = worker,
        .identity_seed = slice_of(identity_seed, sizeof identity_seed),
        .identity = instance->redis_identity,
        .on_identity = on_redis_identity,
        .identity_context = worker,
    };
    if (!crypto_random(worker->crypto, &options.cache_seed, sizeof options.cache_seed) ||
        !crypto_random(worker->crypto, random, sizeof random)) {
        return NULL;
    }
    hex_encode(random, sizeof random, identity_seed);
    return redis_store_new(&worker->loop, &options);
}

static bool open_store(struct worker *worker) {
    struct store_metrics *metrics = &worker->options.process->metrics[worker->options.index].store;
    worker->crypto = crypto_new();
    if (worker->crypto == NULL) {
        return false;
    }
    worker->store = worker->options.memory != NULL
                        ? local_store_new(worker->options.memory, metrics)
                        : open_redis(worker, metrics);
    return worker->store != NULL;
}

static bool open_oauth(struct worker *worker) {
    worker->inbox = password_inbox_new(wake_worker, worker);
    if (worker->inbox == NULL) {
        return false;
    }
    worker->oauth = oauth_new(&(struct oauth_options){
        .store = worker->store,
        .crypto = worker->crypto,
        .pool = worker->options.pool,
        .inbox = worker->inbox,
        .metrics = &worker->options.process->metrics[worker->options.index].oauth,
        .client_names = worker->options.process->client_names,
        .wall_ms = clock_shared_ms,
        .monotonic_ms = clock_monotonic_ms,
        .token_ttl_s = worker->options.instance->token_ttl_s,
        .failure_limit = worker->options.instance->failure_limit,
        .own_resource = worker->options.resource,
    });
    return worker->oauth != NULL;
}

static bool make_run_id(struct worker *worker) {
    struct buffer run = buffer_of(worker->options.process->run, API_RUN_SIZE + 1);
    uint64_t number;
    bool ok = crypto_random(worker->crypto, &number, sizeof number);
    buffer_append_format(&run, "%016llx", (unsigned long long)number);
    return ok;
}

/* One for the process; `memory:` has nobody who would read it. */
static bool open_heartbeat(struct worker *worker) {
    if (worker->options.index != 0 || worker->options.memory != NULL) {
        return true;
    }
    heartbeat_init(&worker->heartbeat, &(struct heartbeat_options){
                                           .process = worker->options.process,
                                           .store = worker->store,
                                           .wall_ms = clock_shared_ms,
                                       });
    worker->has_heartbeat = true;
    return make_run_id(worker);
}

static void close_listeners(const int *fds, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        close(fds[i]);
    }
}

/* A server, its endpoints and its listeners; the listeners are taken over in any case. */
static bool open_server(struct worker *worker, enum api_paths paths, unsigned metrics_index,
                        struct tls_context *tls, const int *listeners, unsigned listener_count) {
    bool is_main = paths != API_METRICS_ONLY;
    const struct instance_options *instance = worker->options.instance;
    struct api *api = api_new(&(struct api_options){
        .issuer = worker->options.issuer,
        .scopes_supported = instance->scopes_supported,
        .paths = paths,
        .trusted_proxies = &instance->trusted_proxies,
        .failure_v6_prefix = instance->failure_v6_prefix,
        .process = worker->options.process,
        .oauth = worker->oauth,
        .store = worker->store,
        .wall_ms = clock_shared_ms,
    });
    const struct http_server_options options = {
        .handler = api_handler(instance->access_log),
        .context = api,
        .metrics = &worker->options.process->metrics[metrics_index].http,
        /* Any worker may have all of them: the kernel does not spread them evenly. */
        .max_connections = is_main ? instance->max_connections : connections_of(instance),
        .on_long_turn = on_long_turn,
        .turn_context = worker,
        .bounds = is_main ? worker->options.bounds : worker->options.metrics_bounds,
        .listens_later = is_main && worker->options.listens_later,
    };
    struct http_server *server = api == NULL ? NULL : http_server_new(&worker->loop, &options);
    if (server == NULL) {
        api_free(api);
        close_listeners(listeners, listener_count);
        return false;
    }
    worker->apis[worker->server_count] = api;
    worker->servers[worker->server_count++] = server;
    if (tls != NULL && !http_server_use_tls(server, tls_context_share(tls))) {
        close_listeners(listeners, listener_count);
        return false;
    }
    for (unsigned i = 0; i < listener_count; i++) {
        if (http_server_add_listener(server, listeners[i]) != 0) {
            close_listeners(listeners + i + 1, listener_count - i - 1);
            return false;
        }
    }
    return true;
}

static bool open_servers(struct worker *worker) {
    const struct worker_options *options = &worker->options;
    bool apart = !slice_is_absent(options->instance->metrics_listen);
    bool main_open = open_server(worker, apart ? API_WITHOUT_METRICS : API_ALL, options->index,
                                 options->tls, options->listeners, options->listener_count);
    if (options->metrics_listener_count == 0) {
        return main_open;
    }
    return open_server(worker, API_METRICS_ONLY, options->process->metrics_count - 1, NULL,
                       options->metrics_listeners, options->metrics_listener_count) &&
           main_open;
}

bool worker_open(struct worker *worker, const struct worker_options *options) {
    worker->options = *options;
    worker->loop_open = open_loop(worker);
    if (!worker->loop_open || !open_store(worker) || !open_oauth(worker) ||
        !open_heartbeat(worker)) {
        close_listeners(options->listeners, options->listener_count);
        close_listeners(options->metrics_listeners, options->metrics_listener_count);
        return false;
    }
    return open_servers(worker);
}

/* ---- the thread ---- */

static void start_handles(struct worker *worker) {
    uv_prepare_start(&worker->prepare, on_turn_end);
    uv_timer_start(&worker->tick, on_tick, 0, WORKER_TICK_MS);
}

static void *run(void *context) {
    struct worker *worker = context;
    char name[16];
    snprintf(name, sizeof name, "worker-%u", worker->options.index);
    thread_name(name);
    start_handles(worker);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    atomic_store(&worker->is_over, true);
    worker->options.on_end(worker->options.context);
    return NULL;
}

bool worker_start(struct worker *worker) {
    worker->thread_runs = thread_start(&worker->thread, WORKER_STACK_SIZE, run, worker) == 0;
    return worker->thread_runs;
}

/* The main thread alone wishes; what was wished for before is not taken back. */
static void wish_for(struct worker *worker, enum worker_wish wish) {
    if (atomic_load(&worker->wish) < (int)wish) {
        atomic_store(&worker->wish, (int)wish);
    }
    uv_async_send(&worker->wake);
}

void worker_announce_drain(struct worker *worker) {
    wish_for(worker, WISH_ANNOUNCE);
}

void worker_stop_listening(struct worker *worker) {
    wish_for(worker, WISH_STOP_LISTENING);
}

void worker_drain(struct worker *worker, bool now) {
    wish_for(worker, now ? WISH_END : WISH_DRAIN);
}

void worker_use_tls(struct worker *worker, struct tls_context *tls) {
    tls_context_free(atomic_exchange(&worker->next_tls, tls));
    uv_async_send(&worker->wake);
}

void worker_use_redis_tls(struct worker *worker, struct tls_context *tls) {
    tls_context_free(atomic_exchange(&worker->next_redis_tls, tls));
    uv_async_send(&worker->wake);
}

void worker_end(struct worker *worker) {
    if (worker->thread_runs) {
        pthread_join(worker->thread, NULL);
        worker->thread_runs = false;
    } else if (worker->loop_open) {
        start_handles(worker);
        end_loop(worker);
        uv_run(&worker->loop, UV_RUN_DEFAULT);
    }
}

static void close_loop(struct worker *worker) {
    uv_close((uv_handle_t *)&worker->wake, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&worker->loop) != 0) {
        log_error("a worker's loop still had handles at its end");
    }
}

void worker_free(struct worker *worker) {
    if (worker->inbox != NULL) {
        password_inbox_drain(worker->inbox);
        password_inbox_free(worker->inbox);
    }
    for (unsigned i = 0; i < worker->server_count; i++) {
        http_server_free(worker->servers[i]);
        api_free(worker->apis[i]);
    }
    tls_context_free(atomic_exchange(&worker->next_tls, NULL));
    tls_context_free(atomic_exchange(&worker->next_redis_tls, NULL));
    oauth_free(worker->oauth);
    crypto_free(worker->crypto);
    if (worker->store != NULL) {
        store_free(worker->store);
    }
    if (worker->loop_open) {
        close_loop(worker);
    }
}
