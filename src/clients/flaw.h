/* flaw.h: keys that hold something that neither mintd nor mintctl writes there. */
#ifndef MINTD_CLIENTS_FLAW_H
#define MINTD_CLIENTS_FLAW_H

#include "clients/redis.h"

/* What a key is then, as the rest of a sentence that begins with its name, and what to do. */
struct flaw {
    const char *is, *remedy;
};

/* Of the whole name of a key. */
struct flaw flaw_of(const struct redis *redis, struct slice key);
/* Whether an error reply is due to what the key of its command holds. */
bool flaw_is_meant(struct slice error);
/* Says the key, what it is, and what to do. */
void flaw_say(const struct redis *redis, struct slice key);

#endif
