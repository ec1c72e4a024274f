/* call.h: the reply to any command, handed to the one who called redis_store_call(). */
#ifndef MINTD_REDIS_CALL_H
#define MINTD_REDIS_CALL_H

#include "mintd/redis_store.h"
#include "store/link/link.h"
#include "store/link/output.h"

/* Writes the commands one behind the other. */
void redis_call_write(const struct redis_command *commands, size_t count, struct output *out);

/* Takes what came for the call that this operation belongs to; the answer that the operation gets.
 */
enum store_answer redis_call_take(struct store_operation *operation,
                                  const struct link_result *result);

/* The operation's on_done: passes the result on. */
void redis_call_on_done(struct store_operation *operation);

#endif
