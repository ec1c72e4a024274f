#include "oauth/digest_memory.h"

static struct digest_memory_entry *find(struct digest_memory *memory,
                                        const uint8_t digest[CRYPTO_DIGEST_SIZE], uint64_t now_ms) {
    for (unsigned way = 0; way < DIGEST_MEMORY_WAYS; way++) {
        struct digest_memory_entry *entry = &memory->entries[digest[0]][way];
        if (entry->until_ms > now_ms &&
            crypto_equal(slice_of((const char *)entry->digest, CRYPTO_DIGEST_SIZE),
                         slice_of((const char *)digest, CRYPTO_DIGEST_SIZE))) {
            return entry;
        }
    }
    return NULL;
}

static void put(struct digest_memory *memory, const uint8_t digest[CRYPTO_DIGEST_SIZE],
                uint64_t until_ms) {
    unsigned set = digest[0];
    struct digest_memory_entry *entry = find(memory, digest, 0);
    if (entry == NULL) {
        entry = &memory->entries[set][memory->next_way[set]];
        memory->next_way[set] = (unsigned char)((memory->next_way[set] + 1) % DIGEST_MEMORY_WAYS);
    }
    memcpy(entry->digest, digest, CRYPTO_DIGEST_SIZE);
    entry->until_ms = until_ms;
    entry->count = 1;
}

uint64_t digest_memory_find(struct digest_memory *memory, struct crypto *crypto, struct slice a,
                            struct slice b, uint64_t now_ms) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    const struct digest_memory_entry *entry =
        crypto_keyed_digest(crypto, a, b, digest) ? find(memory, digest, now_ms) : NULL;
    return entry == NULL ? 0 : entry->until_ms;
}

void digest_memory_put(struct digest_memory *memory, struct crypto *crypto, struct slice a,
                       struct slice b, uint64_t until_ms) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    if (crypto_keyed_digest(crypto, a, b, digest)) {
        put(memory, digest, until_ms);
    }
}

unsigned digest_memory_count(struct digest_memory *memory, struct crypto *crypto, struct slice a,
                             struct slice b, uint64_t now_ms, uint64_t until_ms) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    if (!crypto_keyed_digest(crypto, a, b, digest)) {
        return 0;
    }
    struct digest_memory_entry *entry = find(memory, digest, now_ms);
    if (entry != NULL) {
        return ++entry->count;
    }
    put(memory, digest, until_ms);
    return 1;
}
