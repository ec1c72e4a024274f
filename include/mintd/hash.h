/* hash.h: a keyed hash for tables whose keys strangers may choose. Not a digest: with the seed
 * known, collisions are easy to find; without it, they are not. */
#ifndef MINTD_HASH_H
#define MINTD_HASH_H

#include "mintd/slice.h"
#include <stdint.h>

struct hash_seed {
    uint64_t words[2]; /* random, once for each table */
};

uint64_t hash_bytes(struct slice bytes, const struct hash_seed *seed);

#endif
