/* A private loop that runs for as long as something is waited for. Every wait ends: the store's
 * own deadlines answer each call. */
#include "clients/flaw.h"
#include "clients/redis_internal.h"
#include "mintd/crypto.h"
#include "mintd/encoding.h"
#include "mintd/redis_password.h"
#include "mintd/say.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define AGAIN_MS 500u /* how long a connection that is lost is waited for */
#define TIMEOUT_MS 3000u
#define IDENTITY_SEED_SIZE 32u

const struct redis_target *redis_target_of(const struct redis *redis) {
    return &redis->target;
}

struct slice redis_key(const struct redis *redis, const char *kind, struct slice name,
                       char *storage) {
    struct buffer key = buffer_of(storage, REDIS_KEY_MAX);
    buffer_append(&key, redis->target.prefix);
    buffer_append(&key, slice_of_string(kind));
    buffer_append(&key, name);
    return buffer_slice(&key);
}

/* ---- what is wrong ---- */

enum status redis_complain(const char *what) {
    say("Redis: %s", what);
    return STATUS_REDIS;
}

static const char *advice_for(const struct redis *redis, enum store_trouble trouble) {
    bool is_of_node = trouble == STORE_TROUBLE_DISCONNECTED || trouble == STORE_TROUBLE_TIMEOUT ||
                      trouble == STORE_TROUBLE_CLUSTER;
    if (is_of_node && redis_is_cluster(redis)) {
        return "mintctl doctor tells which node is away";
    }
    switch (trouble) {
    case STORE_TROUBLE_DISCONNECTED:
    case STORE_TROUBLE_TIMEOUT:
        return "check that it runs there, and --redis";
    case STORE_TROUBLE_NOMASTER:
        return "check --redis: its Sentinels, and the name behind the '/'";
    case STORE_TROUBLE_READONLY:
        return "name the master in --redis";
    case STORE_TROUBLE_NOAUTH:
        return "check the user and the password in --redis";
    case STORE_TROUBLE_NOPERM:
        return "give the user of --redis the right";
    case STORE_TROUBLE_SCHEMA:
        return "use the mintctl of the mintd that made it, or another --redis-prefix; mintctl "
               "doctor "
               "tells what the key holds";
    case STORE_TROUBLE_OOM:
        return "raise its maxmemory";
    case STORE_TROUBLE_PROTOCOL:
        return "check that --redis names a Redis";
    case STORE_TROUBLE_TLS_NAME:
    case STORE_TROUBLE_TLS_CHAIN:
    case STORE_TROUBLE_TLS_REFUSED:
        return "nothing was sent to it";
    case STORE_TROUBLE_TLS_EXPIRED:
        return "renew it, and check the clock of this machine";
    case STORE_TROUBLE_TLS_VERSION:
        return "see tls-protocols in its configuration";
    case STORE_TROUBLE_TLS_CUT:
        return "look at its log";
    case STORE_TROUBLE_MISCONF:
        return "it cannot write its files: look at its log and its disk";
    case STORE_TROUBLE_WRONGTYPE:
        return "a key holds something else than mintd writes there: mintctl doctor names it";
    default:
        return "mintctl doctor may tell more";
    }
}

void redis_say_trouble(const struct redis *redis, enum store_trouble trouble) {
    redis_say_trouble_of(redis, redis->target.address, trouble);
}

void redis_say_trouble_of(const struct redis *redis, const char *address,
                          enum store_trouble trouble) {
    char storage[REDIS_KEY_MAX], reason[REDIS_KEY_MAX + 100];
    if (trouble == STORE_TROUBLE_SCHEMA) {
        struct slice key = redis_key(redis, "schema", S(""), storage);
        snprintf(reason, sizeof reason,
                 "its data is laid out by another version, says the key %.*s", (int)key.size,
                 key.data);
    } else {
        visible(slice_of_string(redis_store_reason(redis->store)), reason, sizeof reason);
    }
    say("Redis at %s: %s%s%s: %s", address, store_trouble_name(trouble),
        *reason == '\0' ? "" : ": ", reason, advice_for(redis, trouble));
}

/* EXECABORT tells nothing; the trouble of the command that was refused does. */
void redis_say_refusal(const struct redis *redis, const struct value *error,
                       enum store_trouble trouble, struct slice key) {
    char text[200];
    bool is_alone = redis->target.redis.topology == REDIS_STANDALONE;
    if (slice_starts_with(error->text, S("EXECABORT"))) {
        redis_say_trouble(redis, trouble);
    } else if (!slice_is_absent(key) && flaw_is_meant(error->text)) {
        flaw_say(redis, key);
    } else {
        say("Redis at %s: %s%s", redis->target.address, visible(error->text, text, sizeof text),
            is_alone && slice_starts_with(error->text, S("MOVED "))
                ? ": it is a node of a cluster: write redis+cluster:// in --redis"
                : "");
    }
}

/* ---- opening ---- */

static void on_turn_end(uv_prepare_t *prepare) {
    struct redis *redis = prepare->data;
    store_flush(redis->store);
}

void redis_on_late(uv_timer_t *timer) {
    struct redis *redis = timer->data;
    redis->is_late = true;
}

/* Whether waiting cannot help: Redis has said no, or the one address there is does not answer. */
static bool is_final(const struct redis *redis, enum store_trouble trouble) {
    switch (trouble) {
    case STORE_TROUBLE_NOAUTH:
    case STORE_TROUBLE_NOPERM:
    case STORE_TROUBLE_SCHEMA:
    case STORE_TROUBLE_TLS_NAME:
    case STORE_TROUBLE_TLS_CHAIN:
    case STORE_TROUBLE_TLS_EXPIRED:
    case STORE_TROUBLE_TLS_VERSION:
    case STORE_TROUBLE_TLS_REFUSED:
        return true;
    case STORE_TROUBLE_LOADING:
        return false;
    default:
        return redis->target.is_literal && *redis_store_reason(redis->store) != '\0';
    }
}

static bool is_usable(const struct redis *redis, enum store_trouble trouble) {
    return trouble == STORE_TROUBLE_NONE ||
           (trouble == STORE_TROUBLE_SCHEMA && redis->layout == REDIS_ANY_LAYOUT);
}

/* Some nodes are there, and that is enough. */
static bool is_some(struct redis *redis, enum store_trouble trouble) {
    return redis_is_cluster(redis) && redis->layout >= REDIS_SOME_NODES &&
           trouble != STORE_TROUBLE_SCHEMA && redis_reaches_any(redis);
}

static enum status connect_to(struct redis *redis) {
    enum store_trouble trouble = store_trouble_now(redis->store);
    while (!redis->is_late && !is_usable(redis, trouble) && !is_final(redis, trouble)) {
        uv_run(&redis->loop, UV_RUN_ONCE);
        trouble = store_trouble_now(redis->store);
    }
    uv_timer_stop(&redis->timer);
    if (!is_usable(redis, trouble) && !is_some(redis, trouble)) {
        redis_say_trouble(redis, trouble);
        return STATUS_REDIS;
    }
    redis_await_nodes(redis);
    return STATUS_DONE;
}

enum status redis_again(struct redis *redis) {
    uv_update_time(&redis->loop); /* it stood still meanwhile */
    redis->is_late = redis->is_closing;
    uv_timer_start(&redis->timer, redis_on_late, AGAIN_MS, 0);
    uv_run(&redis->loop, UV_RUN_NOWAIT);
    while (!redis->is_late && !is_usable(redis, store_trouble_now(redis->store)) &&
           !is_some(redis, store_trouble_now(redis->store))) {
        uv_run(&redis->loop, UV_RUN_ONCE);
    }
    return connect_to(redis);
}

/* ---- a password that ends ---- */

static void wake_redis(void *context) {
    struct redis *redis = context;
    uv_async_send(&redis->wake);
}

static void close_password(struct redis *redis) {
    if (redis->owns_password) {
        redis_password_close(redis->password);
    }
}

/* Waits for it, as long as it may take: the link's own deadline is shorter. */
static bool open_password(struct redis *redis) {
    const struct redis_password_options options = {.file = redis->target.password_file,
                                                   .command = redis->target.password_command};
    redis->password = redis->target.password;
    if (options.file == NULL && options.command == NULL) {
        return true;
    }
    redis->password = redis_password_new(&redis->loop, &options);
    if (redis->password == NULL) {
        return false;
    }
    redis->owns_password = true;
    struct redis_password_member *member = redis_password_join(redis->password, wake_redis, redis);
    if (member == NULL) {
        return false;
    }
    (void)redis_password_ask(member, 0);
    while (redis_password_is_awaited(member)) {
        uv_run(&redis->loop, UV_RUN_ONCE);
    }
    redis_password_leave(member);
    return true;
}

/* ---- the loop ---- */

static void close_handles(struct redis *redis) {
    uv_close((uv_handle_t *)&redis->prepare, NULL);
    uv_close((uv_handle_t *)&redis->timer, NULL);
    uv_close((uv_handle_t *)&redis->wake, NULL);
    close_password(redis);
}

static void free_password(struct redis *redis) {
    if (redis->owns_password) {
        redis_password_free(redis->password);
    }
}

static void on_store_closed(void *context) {
    close_handles(context);
}

/* What waits for an answer is told that there is none; what comes later is not even asked. */
static void close_store(struct redis *redis) {
    if (!redis->is_closing) {
        redis->is_closing = redis->is_late = true;
        store_close(redis->store, on_store_closed, redis);
    }
}

static void on_wake(uv_async_t *wake) {
    struct redis *redis = wake->data;
    if (redis->store == NULL || redis->is_closing) {
        return;
    }
    if (redis_is_stopped(redis->target.stopper)) {
        close_store(redis);
    } else {
        redis_store_woken(redis->store);
    }
}

/* What a Redis without an identity would be given, and the one that is asked for is not: random. */
static bool write_identity_seed(const struct redis *redis, char seed[IDENTITY_SEED_SIZE],
                                struct slice *written) {
    uint8_t random[IDENTITY_SEED_SIZE / 2];
    *written = SLICE_ABSENT;
    if (redis->target.identity.size == 0) {
        return true;
    }
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        return false;
    }
    hex_encode(random, sizeof random, seed);
    *written = slice_of(seed, 2 * sizeof random);
    return true;
}

static bool open_store(struct redis *redis) {
    char seed[IDENTITY_SEED_SIZE + 1];
    struct slice identity_seed;
    if (!open_password(redis) || !write_identity_seed(redis, seed, &identity_seed)) {
        return false;
    }
    redis->store = redis_store_new(
        &redis->loop, &(struct redis_store_options){
                          .url = redis->target.redis,
                          .tls = redis->target.context,
                          .tls_name = redis->target.tls.name,
                          .password = redis->password,
                          .wake = wake_redis,
                          .wake_context = redis,
                          .sentinel_user = slice_of_string(redis->target.sentinel_user),
                          .sentinel_password = slice_of_string(redis->target.sentinel_password),
                          .prefix = redis->target.prefix,
                          .name = redis->target.name,
                          .timeout_ms = TIMEOUT_MS,
                          .pending_max = REDIS_BATCH_MAX + 16,
                          .takes_replica = redis->layout != REDIS_OUR_LAYOUT,
                          .metrics = &redis->metrics,
                          .told = redis->target.told,
                          .identity_seed = identity_seed,
                          .identity = redis->target.identity,
                      });
    return redis->store != NULL;
}

static void end_loop(struct redis *redis) {
    uv_run(&redis->loop, UV_RUN_DEFAULT);
    uv_loop_close(&redis->loop);
}

/* One that was stopped ahead of this hears of it now. */
static void tell_stopper(struct redis *redis, uv_async_t *wake) {
    struct redis_stopper *stopper = redis->target.stopper;
    if (stopper == NULL) {
        return;
    }
    pthread_mutex_lock(&stopper->lock);
    stopper->wake = wake;
    if (wake != NULL && stopper->is_stopped) {
        uv_async_send(wake);
    }
    pthread_mutex_unlock(&stopper->lock);
}

static bool open_loop(struct redis *redis) {
    if (uv_loop_init(&redis->loop) != 0) {
        return false;
    }
    uv_prepare_init(&redis->loop, &redis->prepare);
    uv_timer_init(&redis->loop, &redis->timer);
    redis->prepare.data = redis->timer.data = redis->wake.data = redis;
    if (uv_async_init(&redis->loop, &redis->wake, on_wake) != 0) {
        uv_close((uv_handle_t *)&redis->prepare, NULL);
        uv_close((uv_handle_t *)&redis->timer, NULL);
        end_loop(redis);
        return false;
    }
    if (!open_store(redis)) {
        close_handles(redis);
        end_loop(redis);
        free_password(redis);
        return false;
    }
    tell_stopper(redis, &redis->wake);
    uv_prepare_start(&redis->prepare, on_turn_end);
    uv_timer_start(&redis->timer, redis_on_late, TIMEOUT_MS, 0);
    return true;
}

enum status redis_open(struct redis_target *target, enum redis_layout layout, struct redis **out) {
    struct redis *redis = calloc(1, sizeof *redis);
    *out = NULL;
    if (redis == NULL) {
        redis_target_fini(target);
        say_no_memory();
        return STATUS_REFUSED;
    }
    redis->layout = layout;
    redis->target = *target;
    crypto_wipe(target, sizeof *target);
    if (!open_loop(redis)) {
        say_no_memory();
        redis_target_fini(&redis->target);
        free(redis);
        return STATUS_REFUSED;
    }
    enum status status = connect_to(redis);
    if (status == STATUS_DONE && layout != REDIS_ANY_LAYOUT) {
        status = redis_follow_clock(redis);
    }
    if (status != STATUS_DONE) {
        redis_close(redis);
        return status;
    }
    *out = redis;
    return STATUS_DONE;
}

void redis_close(struct redis *redis) {
    if (redis == NULL) {
        return;
    }
    tell_stopper(redis, NULL);
    close_store(redis);
    end_loop(redis);
    store_free(redis->store);
    free_password(redis);
    redis_target_fini(&redis->target);
    free(redis);
}
