/* digest_memory.h: a bounded memory of keyed digests, each for a time; old entries make room for
 * new ones.
 *
 * The digests are keyed with a random key of this thread (crypto_keyed_digest), so the memory tells
 * nothing to who reads it, and nobody can choose which entries push each other out. */
#ifndef MINTD_DIGEST_MEMORY_H
#define MINTD_DIGEST_MEMORY_H

#include "mintd/crypto.h"

#define DIGEST_MEMORY_SETS 256u
#define DIGEST_MEMORY_WAYS 4u
#define DIGEST_MEMORY_FOREVER UINT64_MAX

struct digest_memory {
    unsigned char next_way[DIGEST_MEMORY_SETS];
    struct {
        uint64_t until_ms;
        uint8_t digest[CRYPTO_DIGEST_SIZE];
    } entries[DIGEST_MEMORY_SETS][DIGEST_MEMORY_WAYS];
};

/* Until when the pair (a, b) is remembered; 0: it is not. */
uint64_t digest_memory_find(const struct digest_memory *memory, struct crypto *crypto,
                            struct slice a, struct slice b, uint64_t now_ms);
void digest_memory_put(struct digest_memory *memory, struct crypto *crypto, struct slice a,
                       struct slice b, uint64_t until_ms);

#endif
