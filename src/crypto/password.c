#include "mintd/password.h"
#include "mintd/encoding.h"
#include "password_record.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

/* A fresh slow hash: about 80 ms and 32 MiB. */
#define FRESH_LN 15u
#define FAST_PREFIX "$sha256$"
#define FRESH_PREFIX "$scrypt$ln=15,r=8,p=1$"
#define FRESH_SALT 16u
#define FRESH_HASH 32u
#define SCRYPT_MEMORY_MAX (UINT64_C(512) << 20) /* over anything a record may ask for */
#define OPENSSL_WITH_ARGON2 0x30200000ul

const struct slice password_slow_decoy =
    SLICE(FRESH_PREFIX "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

enum password_kind password_kind_of(struct slice stored) {
    struct password_record record;
    if (!password_record_parse(stored, &record)) {
        return PASSWORD_MALFORMED;
    }
    switch (record.algorithm) {
    case ALGORITHM_SHA256:
        return PASSWORD_FAST;
    case ALGORITHM_SCRYPT:
        return PASSWORD_SLOW;
    case ALGORITHM_ARGON2ID:
        /* Asked of the library that runs, which may be newer than the headers. */
        return OpenSSL_version_num() >= OPENSSL_WITH_ARGON2 ? PASSWORD_SLOW : PASSWORD_MALFORMED;
    }
    return PASSWORD_MALFORMED;
}

static OSSL_PARAM octets(const char *name, struct slice value) {
    const char *data = value.size == 0 ? "" : value.data; /* it wants an address in any case */
    return OSSL_PARAM_construct_octet_string(name, (void *)data, value.size);
}

static bool run_kdf(const char *name, const OSSL_PARAM *parameters, uint8_t *out, size_t size) {
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
    EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    bool ok = context != NULL && EVP_KDF_derive(context, out, size, parameters) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    if (!ok) {
        ERR_clear_error();
    }
    return ok;
}

static bool derive_sha256(struct slice secret, uint8_t *out) {
    bool ok = EVP_Q_digest(NULL, "SHA256", NULL, secret.data, secret.size, out, NULL) == 1;
    if (!ok) {
        ERR_clear_error();
    }
    return ok;
}

/* Its HMAC pads the key with zeros: "x" and "x\0" would be the same secret. */
static bool scrypt_cannot_tell(struct slice secret) {
    return secret.size != 0 && secret.data[secret.size - 1] == '\0';
}

static bool derive_scrypt(struct password_record *record, struct slice secret, uint8_t *out) {
    uint64_t memory_max = SCRYPT_MEMORY_MAX;
    OSSL_PARAM parameters[] = {
        octets(OSSL_KDF_PARAM_PASSWORD, secret),
        octets(OSSL_KDF_PARAM_SALT, slice_of(record->salt, record->salt_size)),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &record->scrypt.n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &record->scrypt.r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &record->scrypt.p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory_max),
        OSSL_PARAM_construct_end(),
    };
    return run_kdf("SCRYPT", parameters, out, record->hash_size);
}

/* The parameters' names are spelt out: headers before OpenSSL 3.2 lack them. One thread works on
 * all lanes; the result is the same. */
static bool derive_argon2id(struct password_record *record, struct slice secret, uint8_t *out) {
    OSSL_PARAM parameters[] = {
        octets(OSSL_KDF_PARAM_PASSWORD, secret),
        octets(OSSL_KDF_PARAM_SALT, slice_of(record->salt, record->salt_size)),
        OSSL_PARAM_construct_uint32("memcost", &record->argon2id.memory_kib),
        OSSL_PARAM_construct_uint32("iter", &record->argon2id.passes),
        OSSL_PARAM_construct_uint32("lanes", &record->argon2id.lanes),
        OSSL_PARAM_construct_end(),
    };
    return run_kdf("ARGON2ID", parameters, out, record->hash_size);
}

/* Writes record->hash_size bytes. */
static bool derive(struct password_record *record, struct slice secret, uint8_t *out) {
    switch (record->algorithm) {
    case ALGORITHM_SHA256:
        return derive_sha256(secret, out);
    case ALGORITHM_SCRYPT:
        return derive_scrypt(record, secret, out);
    case ALGORITHM_ARGON2ID:
        return derive_argon2id(record, secret, out);
    }
    return false;
}

static bool hash_equals(const struct password_record *record, const uint8_t *hash) {
    return crypto_equal(slice_of((const char *)hash, record->hash_size),
                        slice_of(record->hash, record->hash_size));
}

bool password_digest_of(struct crypto *crypto, struct slice secret,
                        struct password_digest *digest) {
    uint8_t bytes[CRYPTO_DIGEST_SIZE];
    bool ok = crypto_sha256(crypto, secret, bytes);
    if (ok) {
        hex_encode(bytes, sizeof(bytes), digest->hex);
    }
    crypto_wipe(bytes, sizeof(bytes));
    return ok;
}

bool password_digest_matches(const struct password_digest *digest, struct slice stored) {
    static const char nobodys[2 * CRYPTO_DIGEST_SIZE] = {0};
    char hex[sizeof(nobodys)];
    bool is_fast = stored.size == strlen(FAST_PREFIX) + sizeof(hex) &&
                   slice_starts_with(stored, S(FAST_PREFIX));
    const char *text = is_fast ? stored.data + strlen(FAST_PREFIX) : nobodys;
    for (size_t i = 0; i < sizeof(hex); i++) {
        hex[i] = (char)(text[i] | (text[i] & 0x40) >> 1); /* letters in lower case */
    }
    return crypto_equal(slice_of(hex, sizeof(hex)), slice_of(digest->hex, sizeof(digest->hex)));
}

static bool nothing_matches(struct slice stored, struct password_record *record,
                            struct slice secret) {
    return password_kind_of(stored) == PASSWORD_MALFORMED ||
           !password_record_parse(stored, record) ||
           (record->algorithm == ALGORITHM_SCRYPT && scrypt_cannot_tell(secret));
}

enum password_verdict password_verify(struct slice stored, struct slice secret) {
    struct password_record record;
    uint8_t hash[RECORD_PART_MAX];
    if (nothing_matches(stored, &record, secret)) {
        return PASSWORD_WRONG;
    }
    if (!derive(&record, secret, hash)) {
        return PASSWORD_NOT_CHECKED;
    }
    bool matches = hash_equals(&record, hash);
    crypto_wipe(hash, sizeof(hash));
    return matches ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

bool password_start(void) {
    struct password_record record = {
        .algorithm = ALGORITHM_SCRYPT, .scrypt = {.n = 2, .r = 1, .p = 1}, .hash_size = FRESH_HASH};
    uint8_t hash[FRESH_HASH];
    if (!crypto_start()) {
        return false;
    }
    unsigned failed_before = crypto_failed_allocations();
    derive_scrypt(&record, S(""), hash);
    return crypto_failed_allocations() == failed_before;
}

/* Says whether it fitted: a part of a hash is of no use. */
static bool append_whole(struct buffer *stored, const struct buffer *text) {
    size_t size_before = stored->size;
    buffer_append(stored, buffer_slice(text));
    return stored->size - size_before == text->size;
}

bool password_hash_slow(struct slice secret, struct buffer *stored) {
    struct password_record record = {.algorithm = ALGORITHM_SCRYPT,
                                     .scrypt = {.n = 1u << FRESH_LN, .r = 8, .p = 1},
                                     .salt_size = FRESH_SALT,
                                     .hash_size = FRESH_HASH};
    uint8_t hash[FRESH_HASH];
    if (secret.size > PASSWORD_SECRET_MAX || scrypt_cannot_tell(secret) ||
        RAND_bytes((uint8_t *)record.salt, (int)record.salt_size) != 1 ||
        !derive_scrypt(&record, secret, hash)) {
        ERR_clear_error();
        return false;
    }
    char text[PASSWORD_STORED_MAX];
    struct buffer out = buffer_of(text, sizeof(text));
    buffer_append(&out, S(FRESH_PREFIX));
    base64_encode_unpadded((const uint8_t *)record.salt, record.salt_size, &out);
    buffer_append_char(&out, '$');
    base64_encode_unpadded(hash, sizeof(hash), &out);
    return append_whole(stored, &out);
}

bool password_hash_fast(struct slice secret, struct buffer *stored) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    char text[PASSWORD_STORED_MAX];
    struct buffer out = buffer_of(text, sizeof(text));
    if (secret.size > PASSWORD_SECRET_MAX || !derive_sha256(secret, digest)) {
        return false;
    }
    buffer_append(&out, S(FAST_PREFIX));
    hex_encode(digest, sizeof(digest), out.data + out.size);
    out.size += 2 * sizeof(digest);
    return append_whole(stored, &out);
}
