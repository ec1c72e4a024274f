/* redis_ask.c: one call at a time: to the node that has a key, or to one of the nodes. */
#include "clients/redis_internal.h"
#include "mintd/say.h"
#include <stdio.h>

bool redis_was_stopped(const struct redis *redis) {
    return redis_is_stopped(redis->target.stopper);
}

bool redis_is_cluster(const struct redis *redis) {
    return redis->target.redis.topology == REDIS_CLUSTER;
}

unsigned redis_node_count(const struct redis *redis) {
    return redis_store_node_count(redis->store);
}

const char *redis_node_name(const struct redis *redis, unsigned node) {
    return redis_store_node_name(redis->store, node);
}

bool redis_find_node(const struct redis *redis, const char *name, unsigned *node) {
    *node = 0;
    if (!redis_is_cluster(redis)) {
        return true; /* there is one, which may have moved */
    }
    for (*node = 0; *node < redis_node_count(redis); *node += 1) {
        if (strcmp(redis_node_name(redis, *node), name) == 0) {
            return true;
        }
    }
    return false;
}

const char *redis_address_of(const struct redis *redis, unsigned node) {
    return redis_is_cluster(redis) && node < redis_node_count(redis) ? redis_node_name(redis, node)
                                                                     : redis->target.address;
}

bool redis_look_at_tls(const struct redis *redis, unsigned node, struct tls_client_view *view) {
    return redis_store_look_at_tls(redis->store, node, view);
}

/* ---- calls ---- */

static void on_reply(struct redis_call *call) {
    struct redis *redis = container_of(call, struct redis, call);
    redis->is_waiting = false;
    redis->reply = call->reply == NULL ? NULL : value_copy(call->reply);
    redis->is_short_of_memory = call->reply != NULL && redis->reply == NULL;
}

static void wait_for_answer(struct redis *redis) {
    while (redis->is_waiting) {
        uv_run(&redis->loop, UV_RUN_ONCE);
    }
}

struct value *redis_send(struct redis *redis, struct slice key, unsigned node,
                         const struct redis_command *commands, size_t count) {
    uv_update_time(&redis->loop); /* it stood still while a person was asked */
    redis->reply = NULL;
    redis->is_short_of_memory = false;
    redis->call.on_done = on_reply;
    redis->call.key = key;
    redis->call.node = node;
    redis->is_waiting =
        redis_store_call(redis->store, commands, count, &redis->call) == PROGRESS_PENDING;
    wait_for_answer(redis);
    return redis->reply;
}

void redis_say_silence(const struct redis *redis, const char *address) {
    if (redis->is_short_of_memory) {
        say_no_memory();
    } else {
        redis_say_trouble_of(redis, address, redis->call.trouble);
    }
}

struct value *redis_try_all(struct redis *redis, struct slice key,
                            const struct redis_command *commands, size_t count) {
    struct value *reply = redis_send(redis, key, 0, commands, count);
    if (reply == NULL) {
        redis_say_silence(redis, redis->target.address);
    }
    return reply;
}

struct value *redis_try(struct redis *redis, const struct slice *arguments, size_t count) {
    return redis_try_all(redis, arguments[1], &(struct redis_command){arguments, count}, 1);
}

struct value *redis_try_at(struct redis *redis, unsigned node, const struct slice *arguments,
                           size_t count) {
    char address[sizeof redis->target.address];
    snprintf(address, sizeof address, "%s", redis_address_of(redis, node));
    struct value *reply =
        redis_send(redis, SLICE_ABSENT, node, &(struct redis_command){arguments, count}, 1);
    if (reply == NULL) {
        redis_say_silence(redis, address);
    }
    return reply;
}

/* ---- errors ---- */

const struct value *redis_find_error(const struct value *reply) {
    if (reply->kind == REDIS_VALUE_ERROR) {
        return reply;
    }
    for (size_t i = 0; reply->kind == REDIS_VALUE_LIST && i < reply->count; i++) {
        if (reply->items[i].kind == REDIS_VALUE_ERROR) {
            return &reply->items[i];
        }
    }
    return NULL;
}

/* The key of the command that the error is the reply to: of the last one, or, of MULTI … EXEC, of
 * the one that stands where the error does. */
static struct slice key_of(const struct value *reply, const struct value *error,
                           const struct redis_command *commands, size_t count) {
    size_t place = reply == error ? count - 1 : 1 + (size_t)(error - reply->items);
    return place < count && commands[place].count > 1 ? commands[place].arguments[1] : SLICE_ABSENT;
}

struct value *redis_refuse_errors(const struct redis *redis, struct value *reply,
                                  const struct redis_command *commands, size_t count) {
    const struct value *error = reply == NULL ? NULL : redis_find_error(reply);
    if (error == NULL) {
        return reply;
    }
    redis_say_refusal(redis, error, redis->call.trouble, key_of(reply, error, commands, count));
    value_free(reply);
    return NULL;
}

struct value *redis_ask_all(struct redis *redis, struct slice key,
                            const struct redis_command *commands, size_t count) {
    return redis_refuse_errors(redis, redis_try_all(redis, key, commands, count), commands, count);
}

struct value *redis_ask(struct redis *redis, const struct slice *arguments, size_t count) {
    return redis_ask_all(redis, arguments[1], &(struct redis_command){arguments, count}, 1);
}

bool redis_ask_number(struct redis *redis, const struct slice *arguments, size_t count,
                      int64_t *number) {
    struct value *reply = redis_ask(redis, arguments, count);
    bool is_number = value_is(reply, REDIS_VALUE_NUMBER);
    if (reply != NULL && !is_number) {
        redis_complain("a reply is none to its command");
    }
    *number = is_number && reply != NULL ? reply->number : 0;
    value_free(reply);
    return is_number;
}

/* ---- a verb of the store ---- */

static void on_created(struct store_operation *operation) {
    container_of(operation, struct redis, operation)->is_waiting = false;
}

enum status redis_create_hash(struct redis *redis, struct slice key,
                              const struct store_field *fields, size_t count, bool *made) {
    struct store_operation *operation = &redis->operation;
    uv_update_time(&redis->loop);
    operation->on_done = on_created;
    operation->deadline_ns = 0;
    redis->is_waiting =
        store_create_hash(redis->store, key, fields, count, operation) == PROGRESS_PENDING;
    wait_for_answer(redis);
    if (operation->answer != STORE_FOUND) {
        redis_say_trouble(redis, operation->trouble);
        return STATUS_REDIS;
    }
    *made = operation->number == 1;
    return STATUS_DONE;
}
