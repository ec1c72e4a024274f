#include "store/redis/answer.h"

#include "store/link/error.h"

/* What EXEC gives for store_create_hash: the replies to DEL, HSET, RENAMENX, DEL. */
#define CREATE_HASH_REPLIES 4u
#define CREATE_HASH_RESULT 2u
/* For store_count: to SET, INCR. */
#define COUNT_REPLIES 2u
#define COUNT_RESULT 1u
/* For store_set_field: to HSET, HEXISTS. */
#define SET_FIELD_REPLIES 2u
#define SET_FIELD_RESULT 1u

/* STORE_UNKNOWN from one of these: no reply to such a command. */

static enum store_answer answer_get(const struct reply *reply, struct store_operation *operation) {
    if (reply->type == REPLY_NIL) {
        return STORE_ABSENT;
    }
    operation->value = reply->text;
    return reply->type == REPLY_TEXT ? STORE_FOUND : STORE_UNKNOWN;
}

static enum store_answer answer_number(const struct reply *reply,
                                       struct store_operation *operation) {
    operation->number = reply->number;
    return reply->type == REPLY_INTEGER ? STORE_FOUND : STORE_UNKNOWN;
}

/* A map, or in RESP2 an array, of names and values in turn. */
static enum store_answer answer_read_hash(const struct reply *reply, struct redis_fields *fields,
                                          struct store_operation *operation) {
    bool is_list = reply->type == REPLY_MAP || reply->type == REPLY_ARRAY;
    if (!is_list || reply->elements % 2 != 0 || reply->below != reply->elements) {
        return STORE_UNKNOWN;
    }
    size_t count = reply->elements / 2;
    const struct reply *name = reply_first(reply);
    for (size_t i = 0; i < count; i++, name += 2) {
        if (name[0].type != REPLY_TEXT || name[1].type != REPLY_TEXT) {
            return STORE_UNKNOWN;
        }
        fields->items[i] = (struct store_field){name[0].text, name[1].text};
    }
    operation->fields = fields->items;
    operation->field_count = count;
    return count != 0 ? STORE_FOUND : STORE_ABSENT;
}

static enum store_answer answer_read_members(const struct reply *reply, struct redis_fields *fields,
                                             struct store_operation *operation) {
    bool is_list = reply->type == REPLY_ARRAY && reply->below == reply->elements;
    if (!is_list || reply->elements > STORE_MEMBERS_MAX) {
        return STORE_UNKNOWN;
    }
    const struct reply *member = reply_first(reply);
    for (size_t i = 0; i < reply->elements; i++) {
        if (member[i].type != REPLY_TEXT) {
            return STORE_UNKNOWN;
        }
        fields->items[i] = (struct store_field){.name = member[i].text, .value = SLICE_ABSENT};
    }
    operation->fields = fields->items;
    operation->field_count = reply->elements;
    return reply->elements != 0 ? STORE_FOUND : STORE_ABSENT;
}

/* The number among the replies of a transaction. */
static enum store_answer answer_exec(const struct reply *reply, uint32_t replies, uint32_t result,
                                     struct store_operation *operation) {
    if (reply->type != REPLY_ARRAY || reply->elements != replies || reply->below != replies) {
        return STORE_UNKNOWN;
    }
    return answer_number(reply_first(reply) + result, operation);
}

/* The field beside which it was set: there or not. */
static enum store_answer answer_set_field(const struct reply *reply,
                                          struct store_operation *operation) {
    enum store_answer answer = answer_exec(reply, SET_FIELD_REPLIES, SET_FIELD_RESULT, operation);
    bool is_beside = operation->number != 0;
    operation->number = 0;
    return answer == STORE_FOUND && !is_beside ? STORE_ABSENT : answer;
}

static enum store_answer answer(enum redis_verb verb, const struct reply *reply,
                                struct redis_fields *fields, struct store_operation *operation) {
    switch (verb) {
    case REDIS_GET:
    case REDIS_CONFIRM_IDENTITY:
        return answer_get(reply, operation);
    case REDIS_SET:
        return slice_equal(reply->text, S("OK")) ? STORE_FOUND : STORE_UNKNOWN;
    case REDIS_READ_HASH:
        return answer_read_hash(reply, fields, operation);
    case REDIS_READ_MEMBERS:
        return answer_read_members(reply, fields, operation);
    case REDIS_CREATE_HASH:
        return answer_exec(reply, CREATE_HASH_REPLIES, CREATE_HASH_RESULT, operation);
    case REDIS_COUNT:
        return answer_exec(reply, COUNT_REPLIES, COUNT_RESULT, operation);
    case REDIS_CONFIRM:
        return slice_equal(reply->text, S("PONG")) ? STORE_FOUND : STORE_UNKNOWN;
    case REDIS_SET_FIELD:
        return answer_set_field(reply, operation);
    case REDIS_DELETE:
    case REDIS_ADD_MEMBER:
    case REDIS_REMOVE_MEMBER:
    case REDIS_REMOVE_FIELD:
    case REDIS_EXISTS:
    case REDIS_CALL:
    case REDIS_VERB_COUNT:
        break;
    }
    return answer_number(reply, operation);
}

/* What is wrong with a reply that is well-formed: longer than the bounds of store.h, or an error
 * inside it. */
static enum store_trouble trouble_inside(const struct reply *reply) {
    if (reply->elements > 2 * STORE_FIELDS_MAX) {
        return STORE_TROUBLE_PROTOCOL;
    }
    for (uint32_t i = 0; i <= reply->below; i++) {
        if (reply[i].type == REPLY_ERROR) {
            return redis_error_trouble(reply[i].text);
        }
        if (reply[i].text.size > STORE_VALUE_MAX) {
            return STORE_TROUBLE_PROTOCOL;
        }
    }
    return STORE_TROUBLE_NONE;
}

bool redis_answer(enum redis_verb verb, const struct reply *reply, struct redis_fields *fields,
                  struct store_operation *operation) {
    operation->answer = STORE_UNKNOWN;
    operation->trouble = trouble_inside(reply);
    if (operation->trouble != STORE_TROUBLE_NONE) {
        return true;
    }
    operation->answer = answer(verb, reply, fields, operation);
    if (operation->answer == STORE_UNKNOWN) {
        operation->trouble = STORE_TROUBLE_PROTOCOL;
        return false;
    }
    return true;
}
