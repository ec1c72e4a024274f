/* apply_remove.c: clients that the file does not have go, some hundred at a time: first they
 * themselves, then their ids from the list, so that none is there and not listed. Who was made anew
 * in between is listed again. */
#include "apply_remove.h"
#include "clients/client_record.h"

struct removal {
    struct redis *redis;
    struct redis_batch *batch;
    struct slice gone[2 + REDIS_BATCH_MAX]; /* SREM, its key, the ids of the group */
    size_t count;
};

static void ask_to_remove(struct removal *r, struct slice id) {
    char storage[REDIS_KEY_MAX];
    const struct slice delete_key[] = {S("DEL"), redis_key(r->redis, "client:", id, storage)};
    redis_batch_add(r->batch, delete_key[1], &(struct redis_command){delete_key, 2}, 1);
    r->gone[r->count++] = id;
}

static enum status finish(struct redis_batch *batch) {
    enum status status = redis_batch_wait(batch);
    return status == STATUS_DONE ? redis_batch_check(batch) : status;
}

static bool is_there(struct removal *r, size_t number) {
    struct value *reply = redis_batch_take(r->batch, number);
    bool is = value_is(reply, REDIS_VALUE_LIST) && reply->count != 0;
    value_free(reply);
    return is;
}

static enum status list_those_that_are_back(struct removal *r) {
    char storage[REDIS_KEY_MAX];
    size_t back = 2;
    for (size_t i = 2; i < r->count; i++) {
        const struct slice read[] = {S("HGETALL"),
                                     redis_key(r->redis, "client:", r->gone[i], storage)};
        redis_batch_add(r->batch, read[1], &(struct redis_command){read, 2}, 1);
    }
    enum status status = finish(r->batch);
    for (size_t i = 2; i < r->count && status == STATUS_DONE; i++) {
        if (is_there(r, i - 2)) {
            r->gone[back++] = r->gone[i];
        }
    }
    redis_batch_start(r->batch);
    if (status == STATUS_DONE && back > 2) {
        r->gone[0] = S("SADD");
        redis_batch_add(r->batch, r->gone[1], &(struct redis_command){r->gone, back}, 1);
        status = finish(r->batch);
        r->gone[0] = S("SREM");
    }
    return status;
}

static enum status remove_group(struct removal *r) {
    enum status status = finish(r->batch);
    redis_batch_start(r->batch);
    if (status == STATUS_DONE && r->count > 2) {
        redis_batch_add(r->batch, r->gone[1], &(struct redis_command){r->gone, r->count}, 1);
        status = finish(r->batch);
        redis_batch_start(r->batch);
        status = status == STATUS_DONE ? list_those_that_are_back(r) : status;
    }
    redis_batch_start(r->batch);
    r->count = 2;
    return status;
}

enum status apply_remove_others(struct redis *redis, const struct apply_file *file,
                                const struct client_ids *ids) {
    char storage[REDIS_KEY_MAX];
    struct removal r = {.redis = redis, .batch = redis_batch_new(redis), .count = 2};
    enum status status = r.batch == NULL ? STATUS_REFUSED : STATUS_DONE;
    r.gone[0] = S("SREM");
    r.gone[1] = redis_key(redis, OAUTH_KEY_CLIENTS, S(""), storage);
    for (size_t i = 0; i < ids->count && status == STATUS_DONE; i++) {
        struct slice id = slice_of_string(ids->items[i]);
        if (apply_file_find(file, id) == NULL) {
            ask_to_remove(&r, id);
        }
        if (redis_batch_count(r.batch) == REDIS_BATCH_MAX) {
            status = remove_group(&r);
        }
    }
    if (status == STATUS_DONE) {
        status = remove_group(&r);
    }
    redis_batch_free(r.batch);
    return status;
}
