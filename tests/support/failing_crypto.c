#include "support/failing_crypto.h"
#include "mintd/crypto.h"
#include <string.h>

struct failing_crypto failing_crypto;

bool __real_crypto_random(struct crypto *crypto, void *out, size_t size);
bool __real_crypto_sha256(struct crypto *crypto, struct slice input, uint8_t *digest);
bool __real_crypto_keyed_digest(struct crypto *crypto, struct slice a, struct slice b,
                                uint8_t *digest);
bool __wrap_crypto_random(struct crypto *crypto, void *out, size_t size);
bool __wrap_crypto_sha256(struct crypto *crypto, struct slice input, uint8_t *digest);
bool __wrap_crypto_keyed_digest(struct crypto *crypto, struct slice a, struct slice b,
                                uint8_t *digest);

bool __wrap_crypto_random(struct crypto *crypto, void *out, size_t size) {
    if (failing_crypto.highest != 0) {
        failing_crypto.highest--;
        memset(out, 0xff, size);
        return true;
    }
    return !failing_crypto.random && __real_crypto_random(crypto, out, size);
}

bool __wrap_crypto_sha256(struct crypto *crypto, struct slice input, uint8_t *digest) {
    return !failing_crypto.sha256 && __real_crypto_sha256(crypto, input, digest);
}

bool __wrap_crypto_keyed_digest(struct crypto *crypto, struct slice a, struct slice b,
                                uint8_t *digest) {
    return !failing_crypto.keyed_digest && __real_crypto_keyed_digest(crypto, a, b, digest);
}
