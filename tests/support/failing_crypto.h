/* failing_crypto.h: lets a test make random bytes or digests fail, or choose the bytes.
 *
 * A program that links mintd_test_failing_crypto has the calls of these verbs, from any file but
 * crypto.c itself, behind this. */
#ifndef MINTD_TEST_FAILING_CRYPTO_H
#define MINTD_TEST_FAILING_CRYPTO_H

#include <stdbool.h>

struct failing_crypto {
    bool random, sha256, keyed_digest; /* true: fails */
    unsigned highest;                  /* so many calls get bytes of 0xff */
};

/* All zero at the start; the test that sets one clears it. */
extern struct failing_crypto failing_crypto;

#endif
