/* redis_watch.c: WATCH … EXEC.
 *
 * Happy path: one Redis has all keys, over one connection. In a cluster WATCH goes to all nodes,
 * and the one that has the key takes it; what follows goes to that node, whatever happens to the
 * slot: a MULTI that followed the key to another node would find nothing watched there.
 *
 * Failure modes: the slot is being moved (ASK: the key is at the new node already), or has moved
 * since WATCH: the node refuses, nothing was done. A connection that was lost is not back before
 * something is waited for, which then has no answer. */
#include "clients/redis_internal.h"
#include "mintd/say.h"
#include <stdio.h>
#include <stdlib.h>

#define NODES_MAX REDIS_BATCH_MAX
#define NODES_MS 1000u /* for those that were not reached with the first ones */
#define PAUSE_MS 50u

static const struct slice asking[] = {SLICE("ASKING")};

/* ---- waiting ---- */

static void start_timer(struct redis *redis, unsigned ms) {
    uv_update_time(&redis->loop);
    redis->is_late = redis->is_closing;
    uv_timer_start(&redis->timer, redis_on_late, ms, 0);
}

void redis_pause(struct redis *redis) {
    start_timer(redis, PAUSE_MS);
    while (!redis->is_late) {
        uv_run(&redis->loop, UV_RUN_ONCE);
    }
}

/* What a node says is heard; one that is not reached yet is DISCONNECTED at once. */
static bool is_reached(struct redis *redis, unsigned node) {
    const struct slice ping[] = {S("PING")};
    struct value *reply =
        redis_send(redis, SLICE_ABSENT, node, &(struct redis_command){ping, 1}, 1);
    bool is_silent = reply == NULL && redis->call.trouble == STORE_TROUBLE_DISCONNECTED;
    value_free(reply);
    return !is_silent;
}

bool redis_reaches_any(struct redis *redis) {
    for (unsigned node = 0; node < redis_node_count(redis); node++) {
        if (is_reached(redis, node)) {
            return true;
        }
    }
    return false;
}

void redis_await_nodes(struct redis *redis) {
    unsigned node = 0;
    if (!redis_is_cluster(redis)) {
        return;
    }
    start_timer(redis, NODES_MS);
    while (node < redis_node_count(redis) && !redis->is_late) {
        if (is_reached(redis, node)) {
            node++;
        } else {
            uv_run(&redis->loop, UV_RUN_ONCE);
        }
    }
    uv_timer_stop(&redis->timer);
}

/* ---- who has the key ---- */

struct search {
    struct redis *redis;
    struct redis_batch *batch;
    unsigned count;
    char names[NODES_MAX][REDIS_NODE_NAME_MAX];
};

static void ask_nodes(struct search *s, const struct redis_command *commands, size_t count) {
    redis_batch_start(s->batch);
    s->count = redis_node_count(s->redis);
    s->count = s->count < NODES_MAX ? s->count : NODES_MAX;
    for (unsigned node = 0; node < s->count; node++) {
        snprintf(s->names[node], sizeof s->names[node], "%s", redis_node_name(s->redis, node));
        redis_batch_add_at(s->batch, node, commands, count);
    }
    redis_batch_collect(s->batch);
}

static bool read_answers(struct search *s, bool *is_asked) {
    bool is_found = false;
    for (unsigned node = 0; node < s->count; node++) {
        struct value *reply = redis_batch_take(s->batch, node);
        if (value_is(reply, REDIS_VALUE_TEXT)) {
            snprintf(s->redis->watched_at, sizeof s->redis->watched_at, "%s", s->names[node]);
            is_found = true;
        }
        *is_asked |=
            value_is(reply, REDIS_VALUE_ERROR) && slice_starts_with(reply->text, S("ASK "));
        value_free(reply);
    }
    return is_found;
}

static bool find_owner(struct search *s, const struct slice *watch) {
    const struct redis_command commands[] = {{asking, 1}, {watch, 2}};
    bool is_asked = false;
    ask_nodes(s, commands + 1, 1);
    if (read_answers(s, &is_asked)) {
        return true;
    }
    if (!is_asked) {
        return false;
    }
    ask_nodes(s, commands, 2); /* the slot is being moved, and the key is at the new node already */
    return read_answers(s, &is_asked);
}

static enum status watch_in_cluster(struct redis *redis, const struct slice *watch, bool *moves) {
    struct search *search = calloc(1, sizeof *search);
    struct redis_batch *batch = redis_batch_new(redis);
    enum status status = STATUS_DONE;
    if (search == NULL) {
        say_no_memory();
    }
    if (search == NULL || batch == NULL) {
        status = STATUS_REFUSED;
    } else {
        search->redis = redis;
        search->batch = batch;
        *moves = !find_owner(search, watch);
    }
    if (status == STATUS_DONE && *moves) { /* or else something is wrong, which is said by this */
        struct value *reply = redis_ask(redis, watch, 2);
        status = reply == NULL ? STATUS_REDIS : STATUS_DONE;
        value_free(reply);
    }
    redis_batch_free(batch);
    free(search);
    return status;
}

/* ---- what is known to the rest ---- */

enum status redis_watch(struct redis *redis, struct slice key, bool *moves) {
    struct buffer copy = buffer_of(redis->watched_storage, sizeof redis->watched_storage);
    const struct slice watch[] = {S("WATCH"), key};
    buffer_append(&copy, key);
    redis->watched = buffer_slice(&copy);
    *moves = false;
    if (redis_is_cluster(redis)) {
        return watch_in_cluster(redis, watch, moves);
    }
    struct value *reply = redis_ask(redis, watch, 2);
    enum status status = reply == NULL ? STATUS_REDIS : STATUS_DONE;
    value_free(reply);
    return status;
}

/* Of the replies to one block: that it was not done since the node has not got the slot, or not
 * all of its keys. */
static bool says_elsewhere(const struct redis *redis, const struct value *reply) {
    static const struct slice words[] = {SLICE("MOVED "), SLICE("ASK "), SLICE("TRYAGAIN")};
    if (!value_is(reply, REDIS_VALUE_ERROR)) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (slice_starts_with(reply->text, words[i])) {
            return true;
        }
    }
    return slice_starts_with(reply->text, S("EXECABORT")) &&
           redis->call.trouble == STORE_TROUBLE_CLUSTER;
}

/* ASKING harms nothing where the node has the slot, and holds until EXEC where it is about to. */
static struct value *try_in_cluster(struct redis *redis, const struct redis_command *commands,
                                    size_t count, bool *moves) {
    struct redis_command all[1 + REDIS_WATCHED_MAX] = {{asking, 1}};
    unsigned node;
    if (!redis_find_node(redis, redis->watched_at, &node)) {
        *moves = true;
        return NULL;
    }
    memcpy(all + 1, commands, count * sizeof *commands);
    struct value *reply = redis_send(redis, SLICE_ABSENT, node, all, 1 + count);
    if (reply == NULL) {
        redis_say_silence(redis, redis->watched_at);
    } else if (says_elsewhere(redis, reply)) {
        *moves = true;
        value_free(reply);
        reply = NULL;
    }
    return reply;
}

struct value *redis_try_watched(struct redis *redis, const struct redis_command *commands,
                                size_t count, bool *moves) {
    *moves = false;
    return redis_is_cluster(redis) ? try_in_cluster(redis, commands, count, moves)
                                   : redis_try_all(redis, redis->watched, commands, count);
}

struct value *redis_ask_watched(struct redis *redis, const struct redis_command *commands,
                                size_t count, bool *moves) {
    return redis_refuse_errors(redis, redis_try_watched(redis, commands, count, moves), commands,
                               count);
}

enum status redis_unwatch(struct redis *redis) {
    const struct slice unwatch[] = {S("UNWATCH")};
    bool moves;
    struct value *reply = redis_ask_watched(redis, &(struct redis_command){unwatch, 1}, 1, &moves);
    enum status status = reply == NULL && !moves ? STATUS_REDIS : STATUS_DONE;
    value_free(reply);
    return status;
}
