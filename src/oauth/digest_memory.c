#include "oauth/digest_memory.h"

uint64_t digest_memory_find(const struct digest_memory *memory, struct crypto *crypto,
                            struct slice a, struct slice b, uint64_t now_ms) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    if (!crypto_keyed_digest(crypto, a, b, digest)) {
        return 0;
    }
    struct slice wanted = slice_of((const char *)digest, sizeof digest);
    for (unsigned way = 0; way < DIGEST_MEMORY_WAYS; way++) {
        const uint8_t *held = memory->entries[digest[0]][way].digest;
        uint64_t until_ms = memory->entries[digest[0]][way].until_ms;
        if (until_ms > now_ms &&
            crypto_equal(slice_of((const char *)held, CRYPTO_DIGEST_SIZE), wanted)) {
            return until_ms;
        }
    }
    return 0;
}

void digest_memory_put(struct digest_memory *memory, struct crypto *crypto, struct slice a,
                       struct slice b, uint64_t until_ms) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    if (!crypto_keyed_digest(crypto, a, b, digest)) {
        return;
    }
    unsigned set = digest[0];
    unsigned way = memory->next_way[set];
    memcpy(memory->entries[set][way].digest, digest, CRYPTO_DIGEST_SIZE);
    memory->entries[set][way].until_ms = until_ms;
    memory->next_way[set] = (unsigned char)((way + 1) % DIGEST_MEMORY_WAYS);
}
