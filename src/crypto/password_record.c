#include "password_record.h"
#include "mintd/encoding.h"

#define MEMORY_MAX (256u * 1024u * 1024u)
#define COST_MAX 16u /* r, p, passes, lanes */
#define SCRYPT_LN_MAX 20u

/* Takes the prefix off the front. */
static bool take(struct slice *text, struct slice prefix) {
    if (!slice_starts_with(*text, prefix)) {
        return false;
    }
    *text = slice_skip(*text, prefix.size);
    return true;
}

/* Takes "name=number", which the separator ends. */
static bool take_number(struct slice *text, struct slice name, char separator, uint64_t max,
                        uint64_t *number) {
    struct slice digits;
    unsigned long long value;
    if (!take(text, name) || !slice_split(text, separator, &digits) || slice_is_absent(*text)) {
        return false;
    }
    bool leading_zero = digits.size > 1 && digits.data[0] == '0';
    if (leading_zero || !slice_to_number(digits, max, &value) || value == 0) {
        return false;
    }
    *number = value;
    return true;
}

static bool decode_part(struct slice text, size_t min, char part[RECORD_PART_MAX], size_t *size) {
    struct buffer out = buffer_of(part, RECORD_PART_MAX);
    if (!base64_decode_unpadded(text, &out) || out.size < min) {
        return false;
    }
    *size = out.size;
    return true;
}

/* "<salt>$<hash>" and nothing else. */
static bool parse_salt_and_hash(struct slice text, struct password_record *record) {
    struct slice salt;
    return slice_split(&text, '$', &salt) && !slice_is_absent(text) &&
           decode_part(salt, RECORD_SALT_MIN, record->salt, &record->salt_size) &&
           decode_part(text, RECORD_HASH_MIN, record->hash, &record->hash_size);
}

static bool parse_sha256(struct slice text, struct password_record *record) {
    record->algorithm = ALGORITHM_SHA256;
    record->salt_size = 0;
    record->hash_size = CRYPTO_DIGEST_SIZE;
    return hex_decode(text, (uint8_t *)record->hash, CRYPTO_DIGEST_SIZE);
}

static bool parse_scrypt(struct slice text, struct password_record *record) {
    uint64_t ln, r, p;
    if (!take_number(&text, S("ln="), ',', SCRYPT_LN_MAX, &ln) ||
        !take_number(&text, S("r="), ',', COST_MAX, &r) ||
        !take_number(&text, S("p="), '$', COST_MAX, &p)) {
        return false;
    }
    uint64_t n = UINT64_C(1) << ln;
    /* N < 2^(128 * r / 8): RFC 7914 section 2. */
    if (ln >= 16 * r || 128 * r * n > MEMORY_MAX) {
        return false;
    }
    record->algorithm = ALGORITHM_SCRYPT;
    record->scrypt.n = n;
    record->scrypt.r = (uint32_t)r;
    record->scrypt.p = (uint32_t)p;
    return parse_salt_and_hash(text, record);
}

static bool parse_argon2id(struct slice text, struct password_record *record) {
    uint64_t memory_kib, passes, lanes;
    if (!take(&text, S("v=19$")) ||
        !take_number(&text, S("m="), ',', MEMORY_MAX / 1024, &memory_kib) ||
        !take_number(&text, S("t="), ',', COST_MAX, &passes) ||
        !take_number(&text, S("p="), '$', COST_MAX, &lanes)) {
        return false;
    }
    if (memory_kib < 8 * lanes) { /* RFC 9106 section 3.1 */
        return false;
    }
    record->algorithm = ALGORITHM_ARGON2ID;
    record->argon2id.memory_kib = (uint32_t)memory_kib;
    record->argon2id.passes = (uint32_t)passes;
    record->argon2id.lanes = (uint32_t)lanes;
    return parse_salt_and_hash(text, record);
}

bool password_record_parse(struct slice stored, struct password_record *record) {
    if (stored.size > PASSWORD_STORED_MAX) {
        return false;
    }
    if (take(&stored, S("$sha256$"))) {
        return parse_sha256(stored, record);
    }
    if (take(&stored, S("$scrypt$"))) {
        return parse_scrypt(stored, record);
    }
    return take(&stored, S("$argon2id$")) && parse_argon2id(stored, record);
}
