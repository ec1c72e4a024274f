/* verified_secrets.h: a memory of slow checks that succeeded, so that a client pays for one and not
 * for each mint.
 *
 * An entry is a digest of the stored secret and the secret, keyed with a random key of this
 * process: it is bound to what is stored (a rotation ends it), and tells nothing to who reads it.
 * Bounded; old entries make room. */
#ifndef MINTD_VERIFIED_SECRETS_H
#define MINTD_VERIFIED_SECRETS_H

#include "mintd/crypto.h"

#define VERIFIED_SETS 256u
#define VERIFIED_WAYS 4u

struct verified_secrets {
    unsigned char next_way[VERIFIED_SETS];
    unsigned char used[VERIFIED_SETS]; /* a bit a way */
    uint8_t entries[VERIFIED_SETS][VERIFIED_WAYS][CRYPTO_DIGEST_SIZE];
};

bool verified_secrets_has(const struct verified_secrets *memory, struct crypto *crypto,
                          struct slice stored, struct slice secret);
void verified_secrets_add(struct verified_secrets *memory, struct crypto *crypto,
                          struct slice stored, struct slice secret);

#endif
