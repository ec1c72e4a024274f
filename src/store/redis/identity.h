/* identity.h: which Redis this is: the key `<prefix>identity`, a random text that is made
 * once. Another text than before, or none, means that the data is gone, or somebody else's: what an
 * emptied or a foreign Redis says of our keys is true of it, and wrong all the same.
 *
 * It is looked at in each greeting, every REDIS_IDENTITY_MS on a link that is up, and whenever
 * Redis tells that the key has changed. Where one is pinned and Redis does not tell, what Redis
 * says is doubtful: a no is good only behind a look of its own (store_confirm()). */
#ifndef MINTD_REDIS_IDENTITY_H
#define MINTD_REDIS_IDENTITY_H

#include "store/link/link.h"

#define REDIS_IDENTITY_MS 2000u
#define REDIS_IDENTITY_KEY "identity"

struct redis_identity {
    struct redis_link *link; /* as found last */
    /* That of the node that has the key; NULL: it is not known. Sets is_tracked. */
    struct redis_link *(*find_link)(void *context);
    struct slice prefix;
    char seed[REDIS_IDENTITY_MAX + 1];   /* what new ones begin with; empty: none is made */
    char pinned[REDIS_IDENTITY_MAX + 1]; /* the one that is wanted; empty: any is */
    char known[REDIS_IDENTITY_MAX + 1];  /* as read last; empty: it has none */
    bool has_known;
    bool is_open;           /* a look is under way */
    bool in_doubt;          /* one is pinned, and Redis was emptied since it was read */
    bool is_watched;        /* Redis tells of the key's changes, and it was read since Redis does */
    const bool *is_tracked; /* whether Redis tells of changes of what is read */
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
/* Redis says that the key has changed, or that it does not watch it any more (it has no room):
 * looks at once; where one is pinned, answers are doubtful until then. */
void identity_note_change(struct redis_identity *identity);
/* Whether it is the one that is wanted, as far as that is known: where one is pinned, nothing is
 * good before it was read. */
bool identity_is_right(const struct redis_identity *identity);
/* The same, and it is told of where that changes. */
bool identity_is_certain(const struct redis_identity *identity);
/* Whether one is pinned, and Redis would not tell if it were another one by now. */
bool identity_is_unwatched(const struct redis_identity *identity);
/* The question for it, as a command of an operation: for store_confirm(). */
void identity_put_question(const struct redis_identity *identity, struct output *out);
/* What that brought (empty: there is none). Another one than is pinned is a doubt. */
void identity_take_word(struct redis_identity *identity, struct slice now);

#endif
