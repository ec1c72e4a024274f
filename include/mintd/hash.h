/* hash.h: a keyed hash for tables whose keys may come from strangers. It is not a digest: with the
 * seed known, collisions are easy to find. Without the seed they are not. */
#ifndef MINTD_HASH_H
#define MINTD_HASH_H

#include "mintd/slice.h"
#include <stdint.h>

struct hash_seed {
    uint64_t words[2]; /* random, once for each table */
};

uint64_t hash_bytes(struct slice bytes, const struct hash_seed *seed);

#endif
