/* password_record.h: what a stored secret in PHC string format says. */
#ifndef MINTD_CRYPTO_PASSWORD_RECORD_H
#define MINTD_CRYPTO_PASSWORD_RECORD_H

#include "mintd/crypto.h"
#include "mintd/password.h"

#define RECORD_SALT_MIN 8u
#define RECORD_HASH_MIN 16u
#define RECORD_PART_MAX 64u /* bytes of a salt or a hash */

enum password_algorithm { ALGORITHM_SHA256, ALGORITHM_SCRYPT, ALGORITHM_ARGON2ID };

struct password_record {
    enum password_algorithm algorithm;
    union {
        struct {
            uint64_t n;
            uint32_t r, p;
        } scrypt;
        struct {
            uint32_t memory_kib, passes, lanes;
        } argon2id;
    };
    size_t salt_size, hash_size;
    char salt[RECORD_PART_MAX];
    char hash[RECORD_PART_MAX];
};

/* Strict: fields in their order, numbers without leading zeros, nothing behind. False too where the
 * cost is over what a stored secret may make us pay: 256 MiB, 16 passes, 16 lanes. */
bool password_record_parse(struct slice stored, struct password_record *record);

#endif
