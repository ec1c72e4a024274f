/* redis_batch.c: many questions at a time, whose replies are kept until they are asked for. */
#include "clients/redis_internal.h"
#include "mintd/say.h"
#include <stdlib.h>

struct question {
    struct redis_batch *batch;
    struct redis_call call;
    struct value *reply;
};

struct redis_batch {
    struct redis *redis;
    size_t count, waiting;
    enum store_trouble trouble; /* the first that kept a reply away */
    bool is_short_of_memory;
    struct question questions[REDIS_BATCH_MAX];
};

struct redis_batch *redis_batch_new(struct redis *redis) {
    struct redis_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        say_no_memory();
        return NULL;
    }
    batch->redis = redis;
    return batch;
}

void redis_batch_start(struct redis_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        value_free(batch->questions[i].reply);
    }
    batch->count = 0;
    batch->trouble = STORE_TROUBLE_NONE;
    batch->is_short_of_memory = false;
    uv_update_time(&batch->redis->loop); /* it stood still while there was something else to do */
}

void redis_batch_free(struct redis_batch *batch) {
    if (batch != NULL) {
        redis_batch_start(batch);
        free(batch);
    }
}

static void note_trouble(struct redis_batch *batch, enum store_trouble trouble) {
    if (batch->trouble == STORE_TROUBLE_NONE) {
        batch->trouble = trouble;
    }
}

static void on_reply(struct redis_call *call) {
    struct question *question = container_of(call, struct question, call);
    struct redis_batch *batch = question->batch;
    batch->waiting--;
    if (call->reply == NULL) {
        note_trouble(batch, call->trouble);
        return;
    }
    question->reply = value_copy(call->reply);
    batch->is_short_of_memory |= question->reply == NULL;
}

static void add(struct redis_batch *batch, struct slice key, unsigned node,
                const struct redis_command *commands, size_t count) {
    if (batch->count == REDIS_BATCH_MAX) {
        note_trouble(batch, STORE_TROUBLE_OVERLOADED);
        return;
    }
    struct question *question = &batch->questions[batch->count++];
    *question = (struct question){
        .batch = batch, .call.on_done = on_reply, .call.key = key, .call.node = node};
    if (redis_store_call(batch->redis->store, commands, count, &question->call) ==
        PROGRESS_PENDING) {
        batch->waiting++;
    } else {
        note_trouble(batch, question->call.trouble);
    }
}

void redis_batch_add(struct redis_batch *batch, struct slice key,
                     const struct redis_command *commands, size_t count) {
    add(batch, key, 0, commands, count);
}

void redis_batch_add_at(struct redis_batch *batch, unsigned node,
                        const struct redis_command *commands, size_t count) {
    add(batch, SLICE_ABSENT, node, commands, count);
}

size_t redis_batch_count(const struct redis_batch *batch) {
    return batch->count;
}

void redis_batch_collect(struct redis_batch *batch) {
    while (batch->waiting != 0) {
        uv_run(&batch->redis->loop, UV_RUN_ONCE);
    }
}

enum status redis_batch_wait(struct redis_batch *batch) {
    redis_batch_collect(batch);
    if (batch->trouble != STORE_TROUBLE_NONE) {
        redis_say_trouble(batch->redis, batch->trouble);
        return STATUS_REDIS;
    }
    if (batch->is_short_of_memory) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    return STATUS_DONE;
}

struct value *redis_batch_take(struct redis_batch *batch, size_t number) {
    struct value *reply = batch->questions[number].reply;
    batch->questions[number].reply = NULL;
    return reply;
}

enum status redis_batch_check_watched(struct redis_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        enum store_trouble trouble = batch->questions[i].call.trouble;
        if (trouble != STORE_TROUBLE_NONE && trouble != STORE_TROUBLE_WRONGTYPE) {
            redis_say_trouble(batch->redis, trouble);
            return STATUS_REDIS;
        }
    }
    return STATUS_DONE;
}

enum status redis_batch_check(struct redis_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const struct question *question = &batch->questions[i];
        const struct value *error =
            question->reply == NULL ? NULL : redis_find_error(question->reply);
        if (question->call.trouble != STORE_TROUBLE_NONE) {
            redis_say_trouble(batch->redis, question->call.trouble);
            return STATUS_REDIS;
        }
        if (error != NULL) {
            redis_say_refusal(batch->redis, error, STORE_TROUBLE_NONE, SLICE_ABSENT);
            return STATUS_REDIS;
        }
    }
    return STATUS_DONE;
}
