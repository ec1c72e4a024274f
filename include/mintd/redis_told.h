/* redis_told.h: what is wrong with a Redis until somebody mends it. A process says it once,
 * however many links see it: the first link that sees it says so, and the last one says that it is
 * over.
 *
 * A process has one, which starts zeroed and outlives the stores of all workers. Each store is
 * given it (redis_store.h). For any thread. */
#ifndef MINTD_REDIS_TOLD_H
#define MINTD_REDIS_TOLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum redis_standing {
    REDIS_STANDS_WELL,
    REDIS_REFUSES_HELLO,
    REDIS_DOES_NOT_TELL, /* Redis does not tell of changes */
    REDIS_IS_TOO_OLD,    /* to tell of changes reliably */
    REDIS_HAS_OTHER_LAYOUT,
    REDIS_IS_A_CLUSTER,    /* but the URL does not say so */
    REDIS_HAS_NO_SENTINEL, /* no Sentinel answers */
    REDIS_STANDINGS
};

struct redis_told {
    _Atomic unsigned links[REDIS_STANDINGS]; /* how many links see each of them */
};

/* One link more sees it. True: it is the first, and must say so. NULL: there is no other store. */
static inline bool redis_told_begin(struct redis_told *told, enum redis_standing standing) {
    return told == NULL || atomic_fetch_add(&told->links[standing], 1) == 0;
}

/* One link less sees it; redis_told_begin() was called for it. True: no link sees it any more. */
static inline bool redis_told_end(struct redis_told *told, enum redis_standing standing) {
    return told == NULL || atomic_fetch_sub(&told->links[standing], 1) == 1;
}

#endif
