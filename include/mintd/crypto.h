/* crypto.h: OpenSSL behind a few verbs: random bytes, digests, equality, wiping.
 *
 * Objects are fetched once and kept: a struct crypto belongs to one thread. */
#ifndef MINTD_CRYPTO_H
#define MINTD_CRYPTO_H

#include "mintd/slice.h"
#include <stdint.h>

#define CRYPTO_DIGEST_SIZE 32u

struct crypto;

/* Readies OpenSSL, which walks into NULL where memory was short as it first readied itself: to be
 * asked before any of it is used. Costs next to nothing when repeated. False: OpenSSL must not be
 * used. */
bool crypto_start(void);
/* Has OpenSSL's allocations watched: it does not always say that memory was what was missing. For
 * main(), ahead of crypto_start() and of all threads; without it none are counted. */
void crypto_watch_allocations(void);
/* How many have failed since, on all threads. */
unsigned crypto_failed_allocations(void);

/* NULL where memory or OpenSSL's algorithms are not to be had. */
struct crypto *crypto_new(void);
void crypto_free(struct crypto *crypto); /* wipes; NULL is fine */

/* Random bytes from OpenSSL's generator, drawn in blocks and wiped as they are used. False where
 * the generator fails: then there must be no token. */
bool crypto_random(struct crypto *crypto, void *out, size_t size);

bool crypto_sha256(struct crypto *crypto, struct slice input, uint8_t digest[CRYPTO_DIGEST_SIZE]);

/* HMAC-SHA-256 over the size of a, a and b, so that no two pairs are taken for each other, under a
 * random key of this struct crypto: what it gives means nothing outside the thread that owns it. */
bool crypto_keyed_digest(struct crypto *crypto, struct slice a, struct slice b,
                         uint8_t digest[CRYPTO_DIGEST_SIZE]);

/* In a time that depends on the sizes alone. Different sizes are never equal. */
bool crypto_equal(struct slice a, struct slice b);

/* Sets size bytes to zero; never optimised away. */
void crypto_wipe(void *data, size_t size);

#endif
