/* instance.c: the main thread: opens listeners and workers, waits for a signal, tells the workers
 * to drain.
 *
 * Everything that can fail at start fails here, before a worker's thread runs. */
#include "instance/instance_internal.h"
#include "instance/sandbox.h"
#include "mintd/clock.h"
#include "mintd/log.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define POOL_THREADS 2u
#define POOL_PLACES 64u
#define MEMORY_KEYS_MAX 1000000u
#define RESOLVERS_MAX 32u    /* a container may bound its threads, and libuv ends where one fails */
#define DEAF_WITHIN_MS 1000u /* all workers have closed their listeners */

static bool fail(const char *what) {
    fprintf(stderr, "mintd: %s\n", what);
    return false;
}

/* ---- opening ---- */

static void choose_name(struct instance *instance, struct slice bound) {
    struct buffer name = buffer_of(instance->name, INSTANCE_NAME_MAX);
    instance_write_name(instance->options, slice_of_string(instance->host), bound, &name);
}

static void choose_issuer(struct instance *instance, struct slice bound) {
    struct buffer issuer = buffer_of(instance->issuer_text, sizeof instance->issuer_text);
    instance->issuer = instance->options->issuer;
    if (slice_is_absent(instance->issuer)) {
        instance_write_issuer(instance->options, bound, &issuer);
        instance->issuer = buffer_slice(&issuer);
    }
}

static void choose_resource(struct instance *instance) {
    struct buffer resource = buffer_of(instance->resource_text, sizeof instance->resource_text);
    api_write_resource(&resource, instance->issuer);
    instance->resource = buffer_slice(&resource);
}

static void choose_names(struct instance *instance) {
    char storage[HTTP_ADDRESS_MAX];
    struct buffer bound = buffer_of(storage, sizeof storage);
    http_listener_name(*instance_fd_of(instance, 0, 0),
                       &bound); /* tells the port where 0 was asked for */
    choose_name(instance, buffer_slice(&bound));
    choose_issuer(instance, buffer_slice(&bound));
    choose_resource(instance);
}

/* It is in every answer that names this instance, and may well be one that others do not reach. */
static void warn_of_guessed_issuer(struct instance *instance) {
    bool is_local = true;
    for (unsigned i = 0; i < instance->socket_count; i++) {
        char storage[HTTP_ADDRESS_MAX];
        struct buffer name = buffer_of(storage, sizeof storage);
        http_listener_name(*instance_fd_of(instance, 0, i), &name);
        is_local = is_local && http_address_is_local(buffer_slice(&name));
    }
    if (slice_is_absent(instance->options->issuer) && !is_local) {
        log_warning(INSTANCE_ISSUER_IS_A_GUESS " with --issuer",
                    LOG_TEXT("issuer", instance->issuer));
    }
}

static struct http_bounds *new_bounds(const struct instance *instance) {
    const struct instance_options *options = instance->options;
    struct http_bounds_options bounds = {
        .max_connections = options->max_connections,
        .max_per_address = options->max_connections_per_address,
        .max_handshakes = options->max_handshakes_per_address,
        .v6_prefix = options->failure_v6_prefix,
        .exempt = &options->trusted_proxies,
    };
    bool is_random = getrandom(&bounds.seed, sizeof bounds.seed, 0) == sizeof bounds.seed;
    return is_random ? http_bounds_new(&bounds) : NULL;
}

/* Who fills the main listeners is not in the way of who watches over them, nor the other way round.
 */
static bool open_bounds(struct instance *instance) {
    bool apart = !slice_is_absent(instance->options->metrics_listen);
    instance->bounds = new_bounds(instance);
    instance->metrics_bounds = apart ? new_bounds(instance) : NULL;
    return instance->bounds != NULL && (instance->metrics_bounds != NULL || !apart);
}

static bool open_client_names(struct instance *instance) {
    unsigned most = instance->options->metrics_clients;
    struct hash_seed seed;
    if (most == 0) {
        return true;
    }
    if (getrandom(&seed, sizeof seed, 0) == sizeof seed) {
        instance->process.client_names = client_names_new(most, &seed);
    }
    return instance->process.client_names != NULL;
}

static bool allocate(struct instance *instance) {
    const struct instance_options *options = instance->options;
    instance->process.worker_count = options->workers;
    instance->process.metrics_count = options->workers + 1;
    instance->process.metrics =
        calloc(instance->process.metrics_count, sizeof *instance->process.metrics);
    instance->workers = calloc(options->workers, sizeof *instance->workers);
    instance->fds = calloc((size_t)options->workers * instance_sockets_max(instance), sizeof(int));
    instance->pool = password_pool_new(POOL_THREADS, POOL_PLACES);
    if (options->store_in_memory) {
        instance->memory = memory_data_new(MEMORY_KEYS_MAX, clock_monotonic_ms);
    }
    if (options->workers > 1) {
        instance->caches = cache_group_new(options->workers);
    }
    return instance->process.metrics != NULL && instance->workers != NULL &&
           instance->fds != NULL && instance->pool != NULL &&
           (instance->memory != NULL || !options->store_in_memory) &&
           (instance->caches != NULL || options->workers == 1) && open_bounds(instance) &&
           open_client_names(instance);
}

/* On the worker's thread. The last one alone tells, so nobody sends to a handle that is closed. No
 * worker ends before it was told to, so `started` does not change any more. */
static void on_worker_end(void *context) {
    struct instance *instance = context;
    if (atomic_fetch_add(&instance->ended, 1) + 1 == instance->started) {
        uv_async_send(&instance->workers_ended);
    }
}

/* On the worker's thread; the last one alone tells. */
static void on_worker_listens(void *context) {
    struct instance *instance = context;
    if (atomic_fetch_sub(&instance->process.to_listen, 1) == 1) {
        uv_async_send(&instance->workers_listen);
    }
}

static void on_worker_stops_listening(void *context) {
    struct instance *instance = context;
    atomic_fetch_add(&instance->deaf, 1);
    uv_async_send(&instance->worker_deaf);
}

static bool open_workers(struct instance *instance) {
    const struct instance_options *options = instance->options;
    bool ok = true;
    for (unsigned i = 0; i < options->workers && ok; i++) {
        instance->opened++;
        ok = worker_open(&instance->workers[i],
                         &(struct worker_options){
                             .instance = options,
                             .process = &instance->process,
                             .issuer = instance->issuer,
                             .resource = instance->resource,
                             .tls = options->tls,
                             .redis_tls = options->redis_tls_context,
                             .password = instance->password,
                             .pool = instance->pool,
                             .memory = instance->memory,
                             .caches = instance->caches,
                             .told = &instance->told,
                             .bounds = instance->bounds,
                             .metrics_bounds = instance->metrics_bounds,
                             .index = i,
                             .listeners = instance_fd_of(instance, i, 0),
                             .listener_count = instance->socket_count,
                             .listens_later = instance->is_shared,
                             .metrics_listeners = instance->metrics_fds,
                             .metrics_listener_count = i == 0 ? instance->metrics_fd_count : 0,
                             .on_listen = on_worker_listens,
                             .on_stop_listening = on_worker_stops_listening,
                             .on_end = on_worker_end,
                             .context = instance,
                         });
    }
    return ok;
}

static bool start_workers(struct instance *instance) {
    for (unsigned i = 0; i < instance->opened; i++) {
        if (!worker_start(&instance->workers[i])) {
            return false;
        }
        instance->started++;
    }
    return true;
}

/* ---- running ---- */

/* Ahead of the sockets' end: while they listen nobody takes the path, and a file that is there
 * later is another program's. */
static void remove_socket_files(struct instance *instance) {
    for (unsigned i = 0; i < instance->listening; i++) {
        http_unlisten(instance->options->listen[i]);
    }
    if (instance->metrics_fd_count != 0) {
        http_unlisten(instance->options->metrics_listen);
    }
    instance->listening = instance->metrics_fd_count = 0;
}

static void drain_workers(struct instance *instance, bool now) {
    remove_socket_files(instance);
    for (unsigned i = 0; i < instance->started; i++) {
        worker_drain(&instance->workers[i], now);
    }
}

/* The loop of one hangs: the others do not wait for it. */
static void on_deaf_too_late(uv_timer_t *timer) {
    drain_workers(timer->data, false);
}

/* One worker after the other, then all drain: what one socket has not accepted the kernel hands to
 * another, which must not be about to close. */
static void stop_listening(struct instance *instance) {
    unsigned deaf = atomic_load(&instance->deaf);
    if (deaf == 0) {
        remove_socket_files(instance);
        uv_timer_start(&instance->drain_delay, on_deaf_too_late, DEAF_WITHIN_MS, 0);
    }
    if (deaf < instance->started) {
        worker_stop_listening(&instance->workers[deaf]);
    } else {
        uv_timer_stop(&instance->drain_delay);
        drain_workers(instance, false);
    }
}

/* Held back whenever there is nobody to take them: a signal that comes early or late waits, and
 * does not kill. */
static void hold_signals(bool hold) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &signals, NULL);
}

static void on_drain_delay_over(uv_timer_t *timer) {
    log_info("listeners close");
    stop_listening(timer->data);
}

/* The first signal drains, at once or after the delay; the second ends. */
static void on_signal(uv_signal_t *handle, int signal_number) {
    struct instance *instance = handle->data;
    unsigned delay_s = instance->options->drain_delay_s;
    bool waits = !instance->stopping && delay_s != 0;
    log_info(instance->stopping ? "stopping now" : "draining", LOG_NUMBER("signal", signal_number),
             LOG_NUMBER("delay_s", waits ? delay_s : 0));
    atomic_store(&instance->process.draining, true);
    for (unsigned i = 0; i < instance->started && waits; i++) {
        worker_announce_drain(&instance->workers[i]);
    }
    if (waits) {
        uv_timer_start(&instance->drain_delay, on_drain_delay_over, 1000ull * delay_s, 0);
    } else if (instance->stopping) {
        uv_timer_stop(&instance->drain_delay);
        drain_workers(instance, true);
    } else {
        stop_listening(instance);
    }
    if (!instance->stopping) {
        supervision_stopping(&instance->supervision);
    }
    instance->stopping = true;
}

static void on_hangup(uv_signal_t *handle, int signal_number) {
    struct instance *instance = handle->data;
    log_info("reloading", LOG_NUMBER("signal", signal_number));
    supervision_reload_begins(&instance->supervision);
    instance_reload(instance);
    supervision_reload_ends(&instance->supervision);
}

static void end_main_loop(struct instance *instance) {
    hold_signals(true);
    uv_close((uv_handle_t *)&instance->on_term, NULL);
    uv_close((uv_handle_t *)&instance->on_int, NULL);
    uv_close((uv_handle_t *)&instance->on_hup, NULL);
    uv_close((uv_handle_t *)&instance->drain_delay, NULL);
    certificate_watch_close(&instance->certificate);
    certificate_watch_close(&instance->redis_files);
    supervision_close(&instance->supervision);
    clients_close(&instance->clients);
    if (instance->password != NULL) {
        redis_password_close(instance->password);
    }
    uv_close((uv_handle_t *)&instance->workers_ended, NULL);
    uv_close((uv_handle_t *)&instance->workers_listen, NULL);
    uv_close((uv_handle_t *)&instance->worker_deaf, NULL);
}

static bool open_password(struct instance *instance) {
    struct redis_password_options options = {
        .file = instance->options->redis_password_file,
        .command = instance->options->redis_password_command,
    };
    if (instance->options->redis_file != NULL && instance->options->redis.password[0] != '\0') {
        options.file = instance->options->redis_file;
        options.url = &instance->options->redis;
    }
    if (options.file == NULL && options.command == NULL) {
        return true;
    }
    instance->password = redis_password_new(&instance->loop, &options);
    return instance->password != NULL;
}

static bool open_clients(struct instance *instance) {
    const struct instance_options *options = instance->options;
    instance->clients = (struct clients){
        .path = options->clients_file,
        .place = {.memory = instance->memory,
                  .redis = &options->redis,
                  .sentinel_user = options->sentinel_user,
                  .sentinel_password = options->sentinel_password,
                  .tls = options->redis_tls_context,
                  .tls_name = options->redis_tls.name,
                  .prefix = options->redis_prefix,
                  .name = slice_of_string(instance->name),
                  .password = instance->password,
                  .identity = options->redis_identity,
                  .told = &instance->told},
        .worker = &instance->workers[0],
        .process = &instance->process,
    };
    return clients_open(&instance->clients, &instance->loop);
}

static void on_workers_ended(uv_async_t *handle) {
    end_main_loop(handle->data);
}

static void on_workers_listen(uv_async_t *handle) {
    struct instance *instance = handle->data;
    if (!instance->stopping) {
        instance_tell_listeners(instance);
        supervision_ready(&instance->supervision);
    }
}

static void on_worker_deaf(uv_async_t *handle) {
    stop_listening(handle->data);
}

static bool open_main_loop(struct instance *instance) {
    instance->loop_open = uv_loop_init(&instance->loop) == 0;
    if (!instance->loop_open) {
        return false;
    }
    instance->on_term.data = instance;
    instance->on_int.data = instance;
    instance->on_hup.data = instance;
    instance->workers_ended.data = instance;
    instance->workers_listen.data = instance;
    instance->worker_deaf.data = instance;
    instance->drain_delay.data = instance;
    return uv_async_init(&instance->loop, &instance->workers_ended, on_workers_ended) == 0 &&
           uv_async_init(&instance->loop, &instance->workers_listen, on_workers_listen) == 0 &&
           uv_async_init(&instance->loop, &instance->worker_deaf, on_worker_deaf) == 0 &&
           uv_timer_init(&instance->loop, &instance->drain_delay) == 0 &&
           supervision_open(&instance->supervision, &instance->loop, instance->workers,
                            instance->options->workers, instance->options->store_in_memory) &&
           instance_open_watches(instance) &&
           uv_signal_init(&instance->loop, &instance->on_term) == 0 &&
           uv_signal_init(&instance->loop, &instance->on_int) == 0 &&
           uv_signal_init(&instance->loop, &instance->on_hup) == 0 &&
           uv_signal_start(&instance->on_hup, on_hangup, SIGHUP) == 0 &&
           uv_signal_start(&instance->on_term, on_signal, SIGTERM) == 0 &&
           uv_signal_start(&instance->on_int, on_signal, SIGINT) == 0 && open_password(instance) &&
           open_clients(instance);
}

static void tell_start(struct instance *instance) {
    const struct instance_options *options = instance->options;
    log_info("started", LOG_STRING("version", MINTD_VERSION),
             LOG_STRING("commit", instance->process.commit), LOG_STRING("name", instance->name),
             LOG_TEXT("issuer", instance->issuer), LOG_NUMBER("workers", options->workers),
             LOG_STRING("store", options->store_in_memory ? "memory" : "redis"),
             LOG_STRING("sandbox", instance->is_sandboxed ? "on" : "off"));
    if (slice_starts_with(instance->issuer, S("http://")) && !slice_is_absent(options->issuer)) {
        log_warning("the issuer is http: give --tls-cert and --tls-key, or put TLS in front, and "
                    "the https address as --issuer");
    }
    warn_of_guessed_issuer(instance);
    if (options->tls != NULL) {
        certificate_tell(options->tls, &instance->process);
    }
    if (options->store_in_memory) {
        log_warning("the store is memory: tokens and clients are this process's alone and gone at "
                    "its exit");
    }
}

/* Some workers run, or none: then there is nobody who tells that the last one has ended. */
static void abandon_start(struct instance *instance) {
    fail("a worker's thread could not be started: not enough memory or too many threads");
    instance->stopping = true;
    drain_workers(instance, true);
    if (instance->started == 0) {
        end_main_loop(instance);
    }
}

static bool run(struct instance *instance) {
    bool ok = start_workers(instance);
    hold_signals(false);
    if (ok) {
        tell_start(instance);
        if (!instance->is_shared) {
            supervision_ready(&instance->supervision);
        }
    } else {
        abandon_start(instance);
    }
    uv_run(&instance->loop, UV_RUN_DEFAULT);
    return ok;
}

/* ---- the end ---- */

static void free_instance(struct instance *instance) {
    remove_socket_files(instance); /* where the start went wrong */
    for (unsigned i = 0; i < instance->opened; i++) {
        worker_end(&instance->workers[i]);
    }
    if (instance->pool != NULL) {
        password_pool_free(instance->pool);
    }
    for (unsigned i = 0; i < instance->opened; i++) {
        worker_free(&instance->workers[i]);
    }
    if (instance->memory != NULL) {
        memory_data_free(instance->memory);
    }
    redis_password_free(instance->password);
    cache_group_free(instance->caches);
    http_bounds_free(instance->bounds);
    http_bounds_free(instance->metrics_bounds);
    certificate_watch_fini(&instance->certificate);
    certificate_watch_fini(&instance->redis_files);
    supervision_fini(&instance->supervision);
    clients_fini(&instance->clients);
    if (instance->loop_open) {
        uv_loop_close(&instance->loop);
    }
    free(instance->fds);
    free(instance->workers);
    client_names_free(instance->process.client_names);
    free(instance->process.metrics);
}

/* Its file is removed as it closes. */
static bool has_unix_listener(const struct instance_options *options) {
    bool has = slice_starts_with(options->metrics_listen, S("unix:"));
    for (unsigned i = 0; i < options->listen_count; i++) {
        has = has || slice_starts_with(options->listen[i], S("unix:"));
    }
    return has;
}

static bool enter_sandbox(struct instance *instance) {
    const struct instance_options *options = instance->options;
    bool is_wanted =
        options->sandbox == INSTANCE_SANDBOX_ON ||
        (options->sandbox == INSTANCE_SANDBOX_AUTO && options->redis_password_command == NULL);
    int error = is_wanted ? sandbox_enter(has_unix_listener(options), instance->is_shared) : 0;
    if (error == ENOMEM) {
        return fail("not enough memory to start");
    }
    if (error != 0 && options->sandbox == INSTANCE_SANDBOX_ON) {
        return fail("--sandbox: the kernel allows no seccomp filter; leave it out to go without");
    }
    instance->is_sandboxed = is_wanted && error == 0;
    return true;
}

static bool open_instance(struct instance *instance) {
    if (!allocate(instance)) {
        return fail("not enough memory to start");
    }
    if (!instance_open_listeners(instance)) {
        return false;
    }
    if (!enter_sandbox(instance)) {
        return false;
    }
    instance->process.to_link = instance->is_shared ? instance->options->workers : 0;
    instance->process.to_listen = instance->process.to_link;
    choose_names(instance);
    instance->process.issuer = instance->issuer;
    if (!instance->is_shared) {
        instance_tell_listeners(instance);
    }
    if (!open_main_loop(instance)) {
        return fail("the main loop could not be opened: not enough memory or file descriptors");
    }
    if (!open_workers(instance)) {
        end_main_loop(instance);
        uv_run(&instance->loop, UV_RUN_DEFAULT);
        return fail("a worker could not be opened: not enough memory or file descriptors");
    }
    return true;
}

static void describe_process(struct instance *instance) {
    const struct instance_options *options = instance->options;
    struct api_process *process = &instance->process;
    gethostname(instance->host, sizeof instance->host - 1);
    process->name = instance->name;
    process->host = instance->host;
    process->commit = options->commit == NULL ? "unknown" : options->commit;
    process->started_ms = clock_wall_ms();
    process->started_ns = clock_monotonic_ns();
    process->starting = options->seed != NULL;

    process->client = options->seed == NULL ? NULL : options->seed->id;
    process->listen = options->listen;
    process->listen_count = options->listen_count;
    process->tls = options->tls != NULL;
    process->refusals_told = options->refusals_told;
    process->stays_ready = options->stays_ready;
    if (options->redis.is_tls && options->redis_tls.believes_all) {
        api_notice(process, API_NOTICE_REDIS_UNCHECKED);
    }
}

/* Names of Redis and its Sentinels are looked up by libuv's threads, by half of them at once, and a
 * look-up that hangs holds one: each worker's of one name would hold up all others. */
static void make_room_for_resolvers(const struct instance_options *options) {
    unsigned names = options->redis.seed_count + 2; /* the master's, and one to spare */
    unsigned threads = 2 * options->workers * names;
    char text[16];
    snprintf(text, sizeof text, "%u", threads < RESOLVERS_MAX ? threads : RESOLVERS_MAX);
    setenv("UV_THREADPOOL_SIZE", text, 0); /* they start with the first look-up */
}

int instance_run(const struct instance_options *options) {
    struct instance *instance = calloc(1, sizeof *instance);
    if (instance == NULL) {
        fail("not enough memory to start");
        return 1;
    }
    instance->options = options;
    supervision_init(&instance->supervision); /* ahead of all threads of ours */
    describe_process(instance);
    hold_signals(true);
    make_room_for_resolvers(options);
    bool ok = open_instance(instance) && run(instance);
    api_tell_refusals(&instance->process, true);
    free_instance(instance);
    free(instance);
    if (ok) {
        log_info("stopped");
    }
    return ok ? 0 : 1;
}
