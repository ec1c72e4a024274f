#include "oauth/verified_secrets.h"

static bool entry_holds(const struct verified_secrets *memory, unsigned set, unsigned way,
                        const uint8_t digest[CRYPTO_DIGEST_SIZE]) {
    return (memory->used[set] & (1u << way)) != 0 &&
           crypto_equal(slice_of((const char *)memory->entries[set][way], CRYPTO_DIGEST_SIZE),
                        slice_of((const char *)digest, CRYPTO_DIGEST_SIZE));
}

bool verified_secrets_has(const struct verified_secrets *memory, struct crypto *crypto,
                          struct slice stored, struct slice secret) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    if (!crypto_keyed_digest(crypto, stored, secret, digest)) {
        return false;
    }
    for (unsigned way = 0; way < VERIFIED_WAYS; way++) {
        if (entry_holds(memory, digest[0], way, digest)) {
            return true;
        }
    }
    return false;
}

void verified_secrets_add(struct verified_secrets *memory, struct crypto *crypto,
                          struct slice stored, struct slice secret) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    if (!crypto_keyed_digest(crypto, stored, secret, digest)) {
        return;
    }
    unsigned set = digest[0];
    unsigned way = memory->next_way[set];
    memcpy(memory->entries[set][way], digest, CRYPTO_DIGEST_SIZE);
    memory->used[set] = (unsigned char)(memory->used[set] | (1u << way));
    memory->next_way[set] = (unsigned char)((way + 1) % VERIFIED_WAYS);
}
