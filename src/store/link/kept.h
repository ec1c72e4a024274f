/* kept.h: commands that were sent, kept in their order until they are answered, so that they can be
 * sent elsewhere. */
#ifndef MINTD_REDIS_KEPT_H
#define MINTD_REDIS_KEPT_H

#include "store/link/output.h"

/* What was sent in one go. */
struct kept_commands {
    struct kept_commands *next;
    struct output bytes;
    unsigned end; /* the slot behind the last one */
};

struct kept {
    struct kept_commands *first, *last; /* NULL: none */
};

/* Takes over the buffer of `bytes`, which is empty afterwards. False: no memory; nothing is done.
 */
bool kept_add(struct kept *kept, struct output *bytes, unsigned end);
/* The first are not needed any more. Their buffer goes to `next`, where that has none. */
void kept_drop_first(struct kept *kept, struct output *next);

#endif
