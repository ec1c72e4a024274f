/* SHA-256 is OpenSSL's, by the functions that it has deprecated: with EVP_MD_CTX OpenSSL 3.0
 * allocates and frees a context for each digest, the same one or not (mended in 3.1), and takes
 * half as long again. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "mintd/crypto.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>

#define RANDOM_BLOCK 4096u /* a draw costs 500 ns whatever its size: one serves 128 tokens */

struct crypto {
    SHA256_CTX sha256;
    EVP_MAC *hmac;
    EVP_MAC_CTX *mac;   /* holds the key */
    size_t random_left; /* at the end of the block; what was used before it is zero */
    uint8_t random[RANDOM_BLOCK];
};

/* Nobody may find our failure in the queue and take it for its own. */
static bool checked(bool ok) {
    if (!ok) {
        ERR_clear_error();
    }
    return ok;
}

bool crypto_start(void) {
    return OPENSSL_init_crypto(0, NULL) == 1 && OSSL_LIB_CTX_get0_global_default() != NULL;
}

static bool init_mac(struct crypto *crypto) {
    crypto->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (crypto->hmac == NULL) {
        return false;
    }
    crypto->mac = EVP_MAC_CTX_new(crypto->hmac);
    uint8_t key[CRYPTO_DIGEST_SIZE];
    if (crypto->mac == NULL || !crypto_random(crypto, key, sizeof(key))) {
        return false;
    }
    char digest_name[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end(),
    };
    bool ok = EVP_MAC_init(crypto->mac, key, sizeof(key), parameters) == 1;
    crypto_wipe(key, sizeof(key));
    return ok;
}

struct crypto *crypto_new(void) {
    struct crypto *crypto = calloc(1, sizeof(*crypto));
    if (crypto == NULL) {
        return NULL;
    }
    if (!crypto_start() || !checked(init_mac(crypto))) {
        crypto_free(crypto);
        return NULL;
    }
    return crypto;
}

void crypto_free(struct crypto *crypto) {
    if (crypto == NULL) {
        return;
    }
    EVP_MAC_CTX_free(crypto->mac);
    EVP_MAC_free(crypto->hmac);
    crypto_wipe(crypto, sizeof(*crypto));
    free(crypto);
}

static bool refill(struct crypto *crypto) {
    if (!checked(RAND_bytes(crypto->random, RANDOM_BLOCK) == 1)) {
        return false;
    }
    crypto->random_left = RANDOM_BLOCK;
    return true;
}

bool crypto_random(struct crypto *crypto, void *out, size_t size) {
    uint8_t *next = out;
    size_t missing = size;
    while (missing != 0) {
        if (crypto->random_left == 0 && !refill(crypto)) {
            crypto_wipe(out, size);
            return false;
        }
        size_t part = missing < crypto->random_left ? missing : crypto->random_left;
        uint8_t *source = crypto->random + RANDOM_BLOCK - crypto->random_left;
        memcpy(next, source, part);
        crypto_wipe(source, part);
        crypto->random_left -= part;
        next += part;
        missing -= part;
    }
    return true;
}

bool crypto_sha256(struct crypto *crypto, struct slice input, uint8_t digest[CRYPTO_DIGEST_SIZE]) {
    return checked(SHA256_Init(&crypto->sha256) == 1 &&
                   SHA256_Update(&crypto->sha256, input.data, input.size) == 1 &&
                   SHA256_Final(digest, &crypto->sha256) == 1);
}

static bool mac_update(struct crypto *crypto, const void *data, size_t size) {
    return size == 0 || EVP_MAC_update(crypto->mac, data, size) == 1;
}

bool crypto_keyed_digest(struct crypto *crypto, struct slice a, struct slice b,
                         uint8_t digest[CRYPTO_DIGEST_SIZE]) {
    size_t size;
    return checked(EVP_MAC_init(crypto->mac, NULL, 0, NULL) == 1 &&
                   mac_update(crypto, &a.size, sizeof(a.size)) &&
                   mac_update(crypto, a.data, a.size) && mac_update(crypto, b.data, b.size) &&
                   EVP_MAC_final(crypto->mac, digest, &size, CRYPTO_DIGEST_SIZE) == 1);
}

/* OpenSSL compares 16 bytes by words, and other sizes byte by byte. */
#define FAST_SIZE 16u

bool crypto_equal(struct slice a, struct slice b) {
    if (a.size != b.size) {
        return false;
    }
    int difference = 0;
    for (; a.size > FAST_SIZE; a = slice_skip(a, FAST_SIZE), b = slice_skip(b, FAST_SIZE)) {
        difference |= CRYPTO_memcmp(a.data, b.data, FAST_SIZE);
    }
    return (difference | (a.size == 0 ? 0 : CRYPTO_memcmp(a.data, b.data, a.size))) == 0;
}

void crypto_wipe(void *data, size_t size) {
    if (size != 0) {
        explicit_bzero(data, size); /* several times as fast as OPENSSL_cleanse() */
    }
}
