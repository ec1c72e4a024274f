/* crypto.h: OpenSSL behind a few verbs: random bytes, digests, equality, wiping.
 *
 * A struct crypto fetches OpenSSL's objects once and keeps them. It belongs to one thread. */
#ifndef MINTD_CRYPTO_H
#define MINTD_CRYPTO_H

#include "mintd/slice.h"
#include <stdint.h>

#define CRYPTO_DIGEST_SIZE 32u

struct crypto;

/* Initialises OpenSSL. Call it before any other use of OpenSSL: where memory was short while
 * OpenSSL initialised itself, it would later read through NULL. Calling it again costs almost
 * nothing. False: OpenSSL must not be used. */
bool crypto_start(void);
/* OpenSSL's memory goes through ours from now on. Failed allocations are counted: OpenSSL does not
 * always say that memory was short. What records of TLS were decrypted in is wiped when it is given
 * back. For main(), before crypto_start() and before any other thread starts; without it nothing is
 * counted or wiped. */
void crypto_own_allocations(void);
/* False: that was not called, or OpenSSL had allocated before, as for a library that is preloaded.
 */
bool crypto_owns_allocations(void);
/* How many of OpenSSL's allocations have failed since then, on all threads. */
unsigned crypto_failed_allocations(void);

/* NULL: no memory, or OpenSSL lacks an algorithm. */
struct crypto *crypto_new(void);
void crypto_free(struct crypto *crypto); /* wipes it; NULL is fine */

/* Random bytes from OpenSSL's generator, drawn in blocks and wiped as they are used. False: the
 * generator failed, and no token may be made. */
bool crypto_random(struct crypto *crypto, void *out, size_t size);

bool crypto_sha256(struct crypto *crypto, struct slice input, uint8_t digest[CRYPTO_DIGEST_SIZE]);

/* HMAC-SHA-256 over the size of a, a, and b: the size keeps two different pairs from giving the
 * same input. The key is random and belongs to this struct crypto, so the digest means nothing
 * outside the thread that owns it. */
bool crypto_keyed_digest(struct crypto *crypto, struct slice a, struct slice b,
                         uint8_t digest[CRYPTO_DIGEST_SIZE]);

/* Takes a time that depends only on the sizes. Texts of different sizes are never equal. */
bool crypto_equal(struct slice a, struct slice b);

/* Sets size bytes to zero; the compiler never leaves it out. */
void crypto_wipe(void *data, size_t size);

#endif
