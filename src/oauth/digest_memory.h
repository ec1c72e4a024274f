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

struct digest_memory_entry {
    uint64_t until_ms; /* 0: free */
    uint32_t count;
    uint8_t digest[CRYPTO_DIGEST_SIZE];
};

struct digest_memory {
    unsigned char next_way[DIGEST_MEMORY_SETS];
    struct digest_memory_entry entries[DIGEST_MEMORY_SETS][DIGEST_MEMORY_WAYS];
};

/* Until when the pair (a, b) is remembered; 0: it is not. */
uint64_t digest_memory_find(struct digest_memory *memory, struct crypto *crypto, struct slice a,
                            struct slice b, uint64_t now_ms);
void digest_memory_put(struct digest_memory *memory, struct crypto *crypto, struct slice a,
                       struct slice b, uint64_t until_ms);
/* Counts the pair up: 1 the first time, then one more each time until that first `until_ms`. 0:
 * nobody can count. */
unsigned digest_memory_count(struct digest_memory *memory, struct crypto *crypto, struct slice a,
                             struct slice b, uint64_t now_ms, uint64_t until_ms);

#endif
