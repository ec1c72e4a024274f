/* A private loop that runs for as long as something is waited for. Every wait ends: the store's
 * own deadlines answer each call. */
#include "flaw.h"
#include "mintd/redis_password.h"
#include "output.h"
#include "redis_internal.h"
#include <stdlib.h>

#define TIMEOUT_MS 3000u

const struct settings *redis_settings(const struct redis *redis) {
    return &redis->settings;
}

struct slice redis_key(const struct redis *redis, const char *kind, struct slice name,
                       char *storage) {
    struct buffer key = buffer_of(storage, REDIS_KEY_MAX);
    buffer_append(&key, redis->settings.prefix);
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
    redis_say_trouble_of(redis, redis->settings.address, trouble);
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
    bool is_alone = redis->settings.redis.topology == REDIS_STANDALONE;
    if (slice_starts_with(error->text, S("EXECABORT"))) {
        redis_say_trouble(redis, trouble);
    } else if (!slice_is_absent(key) && flaw_is_meant(error->text)) {
        flaw_say(redis, key);
    } else {
        say("Redis at %s: %s%s", redis->settings.address, visible(error->text, text, sizeof text),
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
        return redis->settings.is_literal && *redis_store_reason(redis->store) != '\0';
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

/* ---- a password that ends ---- */

static void on_wake(uv_async_t *wake) {
    struct redis *redis = wake->data;
    if (redis->store != NULL) {
        redis_store_woken(redis->store);
    }
}

static void wake_redis(void *context) {
    struct redis *redis = context;
    uv_async_send(&redis->wake);
}

static void close_password(struct redis *redis) {
    if (redis->password != NULL) {
        redis_password_close(redis->password);
        uv_close((uv_handle_t *)&redis->wake, NULL);
    }
}

/* Waits for it, as long as it may take: the link's own deadline is shorter. */
static bool open_password(struct redis *redis) {
    const struct redis_password_options options = {.file = redis->settings.password_file,
                                                   .command = redis->settings.password_command};
    if (options.file == NULL && options.command == NULL) {
        return true;
    }
    redis->wake.data = redis;
    if (uv_async_init(&redis->loop, &redis->wake, on_wake) != 0) {
        return false;
    }
    redis->password = redis_password_new(&redis->loop, &options);
    if (redis->password == NULL) {
        uv_close((uv_handle_t *)&redis->wake, NULL);
        return false;
    }
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
    close_password(redis);
}

static bool open_store(struct redis *redis) {
    if (!open_password(redis)) {
        return false;
    }
    redis->store = redis_store_new(
        &redis->loop, &(struct redis_store_options){
                          .url = redis->settings.redis,
                          .tls = redis->settings.context,
                          .tls_name = redis->settings.tls.name,
                          .password = redis->password,
                          .wake = wake_redis,
                          .wake_context = redis,
                          .sentinel_user = slice_of_string(redis->settings.sentinel_user),
                          .sentinel_password = slice_of_string(redis->settings.sentinel_password),
                          .prefix = redis->settings.prefix,
                          .name = S("mintctl"),
                          .timeout_ms = TIMEOUT_MS,
                          .pending_max = REDIS_BATCH_MAX + 16,
                          .takes_replica = redis->layout != REDIS_OUR_LAYOUT,
                          .metrics = &redis->metrics,
                      });
    return redis->store != NULL;
}

static bool open_loop(struct redis *redis) {
    if (uv_loop_init(&redis->loop) != 0) {
        return false;
    }
    uv_prepare_init(&redis->loop, &redis->prepare);
    uv_timer_init(&redis->loop, &redis->timer);
    redis->prepare.data = redis->timer.data = redis;
    if (!open_store(redis)) {
        close_handles(redis);
        uv_run(&redis->loop, UV_RUN_DEFAULT);
        uv_loop_close(&redis->loop);
        redis_password_free(redis->password);
        return false;
    }
    uv_prepare_start(&redis->prepare, on_turn_end);
    uv_timer_start(&redis->timer, redis_on_late, TIMEOUT_MS, 0);
    return true;
}

enum status redis_open(const struct arguments *arguments, enum redis_layout layout,
                       struct redis **out) {
    struct redis *redis = calloc(1, sizeof *redis);
    *out = NULL;
    if (redis == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    redis->layout = layout;
    enum status status = settings_read(&redis->settings, arguments);
    if (status == STATUS_DONE && !open_loop(redis)) {
        say_no_memory();
        status = STATUS_REFUSED;
    }
    if (status != STATUS_DONE) {
        settings_fini(&redis->settings);
        free(redis);
        return status;
    }
    status = connect_to(redis);
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

static void on_store_closed(void *context) {
    close_handles(context);
}

void redis_close(struct redis *redis) {
    if (redis == NULL) {
        return;
    }
    store_close(redis->store, on_store_closed, redis);
    uv_run(&redis->loop, UV_RUN_DEFAULT);
    uv_loop_close(&redis->loop);
    store_free(redis->store);
    redis_password_free(redis->password);
    settings_fini(&redis->settings);
    free(redis);
}
