#include "clients/client_walk.h"

static enum status visit(struct redis *redis, struct redis_batch *batch,
                         const struct client_walk *walk, size_t first, size_t count) {
    enum status status = STATUS_DONE;
    for (size_t i = 0; i < count && status == STATUS_DONE; i++) {
        struct value *reply = redis_batch_take(batch, i);
        struct client_record record;
        if (reply == NULL) {
            *walk->unanswered += 1;
            continue;
        }
        status = client_record_of(redis, reply, &record);
        if (status == STATUS_DONE) {
            status = walk->visit(walk->context, first + i, &record);
            client_record_fini(&record);
        }
    }
    return status;
}

static enum status wait_for(struct redis *redis, struct redis_batch *batch,
                            const struct client_walk *walk) {
    enum status status = redis_batch_wait(batch);
    bool goes_on = status == STATUS_REDIS && redis_is_cluster(redis) && walk->unanswered != NULL;
    return goes_on ? STATUS_DONE : status;
}

static enum status walk_on(struct redis *redis, struct redis_batch *batch,
                           const struct client_walk *walk) {
    enum status status = STATUS_DONE;
    for (size_t first = 0; first < walk->count && status == STATUS_DONE; first += REDIS_BATCH_MAX) {
        size_t left = walk->count - first;
        size_t count = left < REDIS_BATCH_MAX ? left : REDIS_BATCH_MAX;
        redis_batch_start(batch);
        for (size_t i = 0; i < count; i++) {
            client_record_ask(redis, batch, walk->id(walk->context, first + i), false);
        }
        status = wait_for(redis, batch, walk);
        if (status == STATUS_DONE) {
            status = visit(redis, batch, walk, first, count);
        }
    }
    return status;
}

enum status client_walk(struct redis *redis, const struct client_walk *walk) {
    struct redis_batch *batch = redis_batch_new(redis);
    enum status status = batch == NULL ? STATUS_REFUSED : walk_on(redis, batch, walk);
    redis_batch_free(batch);
    return status;
}
