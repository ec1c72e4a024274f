/* redis_told.h: what stands against a Redis until somebody mends it is told once by a process,
 * however many links it has: by the first of which it is so. The last tells that it is over.
 *
 * One a process, zeroed, which outlives the stores of all workers, to each of which it is given
 * (redis_store.h). For any thread. */
#ifndef MINTD_REDIS_TOLD_H
#define MINTD_REDIS_TOLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum redis_standing {
    REDIS_STANDS_WELL,
    REDIS_REFUSES_HELLO,
    REDIS_DOES_NOT_TELL, /* of changes */
    REDIS_IS_TOO_OLD,    /* to be relied on to tell of them */
    REDIS_HAS_OTHER_LAYOUT,
    REDIS_IS_A_CLUSTER,    /* and the URL does not say so */
    REDIS_HAS_NO_SENTINEL, /* none of them answers */
    REDIS_STANDINGS
};

struct redis_told {
    _Atomic unsigned links[REDIS_STANDINGS]; /* so many of which it is so */
};

/* It is so of one link more. True: of the first, which tells. NULL: there is no other. */
static inline bool redis_told_begin(struct redis_told *told, enum redis_standing standing) {
    return told == NULL || atomic_fetch_add(&told->links[standing], 1) == 0;
}

/* Of one less, for which redis_told_begin() was called. True: of none any more. */
static inline bool redis_told_end(struct redis_told *told, enum redis_standing standing) {
    return told == NULL || atomic_fetch_sub(&told->links[standing], 1) == 1;
}

#endif
