/* redis_identity.h: which Redis this is: the key `<prefix>identity`, a random text that is made
 * once. Another text than before, or none, means that the data is gone, or somebody else's: what an
 * emptied or a foreign Redis says of our keys is true of it, and wrong all the same.
 *
 * It is looked at in each greeting, and every REDIS_IDENTITY_MS on a link that is up. */
#ifndef MINTD_REDIS_IDENTITY_H
#define MINTD_REDIS_IDENTITY_H

#include "store/redis_link.h"

#define REDIS_IDENTITY_MS 2000u

struct redis_identity {
    struct redis_link *link;
    struct slice prefix;
    char seed[REDIS_IDENTITY_MAX + 1];   /* what new ones begin with; empty: none is made */
    char pinned[REDIS_IDENTITY_MAX + 1]; /* the one that is wanted; empty: any is */
    char known[REDIS_IDENTITY_MAX + 1];  /* as read last; empty: it has none */
    bool has_known;
    bool is_open;  /* a look is under way */
    bool in_doubt; /* one is pinned, and Redis was emptied since it was read */
    bool said_refusal, said_wrong;
    unsigned rounds, made;
    /* A look has ended; not called where the link fails. */
    void (*on_checked)(void *context);
    void (*on_news)(void *context, enum redis_identity_news news, struct slice before,
                    struct slice now);
    void *context;
};

/* Looks, where none is under way; link, prefix, seed, pinned and the callbacks are set. */
void identity_check(struct redis_identity *identity);
/* All of Redis may be gone: looks at once; where one is pinned, nothing is good until then. */
void identity_doubt(struct redis_identity *identity);
/* Whether it is the one that is wanted, as far as that is known: where one is pinned, nothing is
 * good before it was read. */
bool identity_is_right(const struct redis_identity *identity);

#endif
