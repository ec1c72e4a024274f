/* answer.h: the reply to a command as the answer to an operation. */
#ifndef MINTD_REDIS_ANSWER_H
#define MINTD_REDIS_ANSWER_H

#include "mintd/store.h"
#include "store/link/reply.h"

/* Which verb an operation is. */
enum redis_verb {
    REDIS_GET,
    REDIS_SET,
    REDIS_DELETE,
    REDIS_READ_HASH,
    REDIS_CREATE_HASH,
    REDIS_ADD_MEMBER,
    REDIS_REMOVE_MEMBER,
    REDIS_READ_MEMBERS,
    REDIS_COUNT,
    REDIS_SET_FIELD,
    REDIS_REMOVE_FIELD,
    REDIS_CONFIRM,
    REDIS_CONFIRM_IDENTITY,
    REDIS_EXISTS,
    REDIS_CALL, /* any command: call.h takes its reply */
    REDIS_VERB_COUNT
};

/* Room for the fields of the hash that is handed out. */
struct redis_fields {
    struct store_field items[STORE_FIELDS_MAX];
};

/* Fills the operation's result: value, fields, number, answer and trouble. The slices lie in the
 * reply and in `fields`. False: the reply is none that this verb can have, so the order of replies
 * is not to be trusted any more; the answer is then UNKNOWN and PROTOCOL. */
bool redis_answer(enum redis_verb verb, const struct reply *reply, struct redis_fields *fields,
                  struct store_operation *operation);

#endif
