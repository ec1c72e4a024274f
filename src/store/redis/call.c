/* Any command and its reply: a reply is handed out as it is, behind functions that look into it. */
#include "store/redis/call.h"

#include "store/link/reply.h"

void redis_call_write(const struct redis_command *commands, size_t count, struct output *out) {
    for (size_t i = 0; i < count; i++) {
        output_command(out, (unsigned)commands[i].count);
        for (size_t a = 0; a < commands[i].count; a++) {
            output_argument(out, commands[i].arguments[a]);
        }
    }
}

enum store_answer redis_call_take(struct store_operation *operation,
                                  const struct link_result *result) {
    struct redis_call *call = container_of(operation, struct redis_call, operation);
    call->reply = (const struct redis_value *)result->reply;
    return result->trouble == STORE_TROUBLE_NONE ? STORE_FOUND : STORE_UNKNOWN;
}

void redis_call_on_done(struct store_operation *operation) {
    struct redis_call *call = container_of(operation, struct redis_call, operation);
    call->trouble = operation->trouble;
    call->on_done(call);
}

/* ---- a reply, as its reader sees it ---- */

static const struct reply *reply_of(const struct redis_value *value) {
    return (const struct reply *)value;
}

enum redis_value_kind redis_value_kind(const struct redis_value *value) {
    switch (reply_of(value)->type) {
    case REPLY_TEXT:
    case REPLY_STATUS:
        return REDIS_VALUE_TEXT;
    case REPLY_INTEGER:
        return REDIS_VALUE_NUMBER;
    case REPLY_ERROR:
        return REDIS_VALUE_ERROR;
    case REPLY_ARRAY:
    case REPLY_MAP:
    case REPLY_PUSH:
        return REDIS_VALUE_LIST;
    case REPLY_NIL:
    case REPLY_OTHER:
        break;
    }
    return REDIS_VALUE_NIL;
}

struct slice redis_value_text(const struct redis_value *value) {
    return reply_of(value)->text;
}

int64_t redis_value_number(const struct redis_value *value) {
    return reply_of(value)->number;
}

size_t redis_value_count(const struct redis_value *value) {
    return reply_of(value)->elements;
}

const struct redis_value *redis_value_first(const struct redis_value *list) {
    return (const struct redis_value *)reply_first(reply_of(list));
}

const struct redis_value *redis_value_next(const struct redis_value *value) {
    return (const struct redis_value *)reply_next(reply_of(value));
}
