/* What stored secrets say, of all algorithms: also of those that this OpenSSL lacks. */
#include "crypto/password_record.h"
#include "unit/unit.h"
#include <stdio.h>

#define SALT "c2FsdHNhbHQ" /* "saltsalt" */
#define HASH "qJM44DKFfcGR3GZDc+wn3A"
#define PARTS "$" SALT "$" HASH
#define DIGEST "4713ee04282a55b639bb487be0f886bccb2b5a1e4c9fb56581685e1ff55f3de6"

static struct password_record record;

/* From storage that is not zero. */
static bool parses(const char *text) {
    memset(&record, 0xa5, sizeof record);
    return password_record_parse(slice_of_string(text), &record);
}

static void assert_parts(void) {
    assert_slice(slice_of(record.salt, record.salt_size), S("saltsalt"));
    assert_int_equal(record.hash_size, 16);
}

static void assert_scrypt(const char *text, uint64_t n, uint32_t r, uint32_t p) {
    assert_true(parses(text));
    assert_int_equal(record.algorithm, ALGORITHM_SCRYPT);
    assert_int_equal(record.scrypt.n, n);
    assert_int_equal(record.scrypt.r, r);
    assert_int_equal(record.scrypt.p, p);
    assert_parts();
}

static void assert_argon2id(const char *text, uint32_t memory_kib, uint32_t passes,
                            uint32_t lanes) {
    assert_true(parses(text));
    assert_int_equal(record.algorithm, ALGORITHM_ARGON2ID);
    assert_int_equal(record.argon2id.memory_kib, memory_kib);
    assert_int_equal(record.argon2id.passes, passes);
    assert_int_equal(record.argon2id.lanes, lanes);
    assert_parts();
}

static void assert_malformed(const char *text) {
    if (parses(text)) {
        fail_msg("taken for a stored secret: %s", text);
    }
}

static void sha256_is_a_digest_without_a_salt(void **state) {
    (void)state;
    assert_true(parses("$sha256$" DIGEST));
    assert_int_equal(record.algorithm, ALGORITHM_SHA256);
    assert_int_equal(record.salt_size, 0);
    assert_int_equal(record.hash_size, 32);
    assert_int_equal((uint8_t)record.hash[0], 0x47);
    assert_int_equal((uint8_t)record.hash[31], 0xe6);
    assert_malformed("$sha256$" DIGEST "00");
    assert_malformed("$sha256$");
    assert_malformed("sha256$" DIGEST);
}

/* 128 * r * N is 256 MiB at most, and N < 2^(16 r): RFC 7914 section 2. */
static void scrypt_says_what_it_costs(void **state) {
    (void)state;
    assert_scrypt("$scrypt$ln=1,r=1,p=1" PARTS, 2, 1, 1);
    assert_scrypt("$scrypt$ln=14,r=8,p=16" PARTS, 16384, 8, 16);
    assert_scrypt("$scrypt$ln=15,r=1,p=1" PARTS, 32768, 1, 1);
    assert_scrypt("$scrypt$ln=20,r=2,p=1" PARTS, 1048576, 2, 1);
    assert_scrypt("$scrypt$ln=17,r=16,p=1" PARTS, 131072, 16, 1);
    assert_malformed("$scrypt$ln=16,r=1,p=1" PARTS);
    assert_malformed("$scrypt$ln=20,r=3,p=1" PARTS);
    assert_malformed("$scrypt$ln=21,r=1,p=1" PARTS);
    assert_malformed("$scrypt$ln=18,r=16,p=1" PARTS);
    assert_malformed("$scrypt$ln=4,r=17,p=1" PARTS);
    assert_malformed("$scrypt$ln=4,r=1,p=17" PARTS);
}

/* RFC 9106 section 3.1: eight KiB for each lane. */
static void argon2id_says_what_it_costs(void **state) {
    (void)state;
    assert_argon2id("$argon2id$v=19$m=8,t=1,p=1" PARTS, 8, 1, 1);
    assert_argon2id("$argon2id$v=19$m=16,t=3,p=2" PARTS, 16, 3, 2);
    assert_argon2id("$argon2id$v=19$m=262144,t=16,p=16" PARTS, 262144, 16, 16);
    assert_malformed("$argon2id$v=19$m=7,t=1,p=1" PARTS);
    assert_malformed("$argon2id$v=19$m=15,t=3,p=2" PARTS);
    assert_malformed("$argon2id$v=19$m=262145,t=1,p=1" PARTS);
    assert_malformed("$argon2id$v=19$m=64,t=17,p=1" PARTS);
    assert_malformed("$argon2id$v=19$m=256,t=1,p=17" PARTS);
    assert_malformed("$argon2id$v=18$m=64,t=1,p=1" PARTS);
    assert_malformed("$argon2id$m=64,t=1,p=1" PARTS);
    assert_malformed("$argon2i$v=19$m=64,t=1,p=1" PARTS);
}

/* Each number has to be there, once, in its place, and as it is written shortest. */
static void numbers_are_strict(void **state) {
    static const char *const forms[] = {
        "$scrypt$ln=%s,r=8,p=1" PARTS,        "$scrypt$ln=4,r=%s,p=1" PARTS,
        "$scrypt$ln=4,r=8,p=%s" PARTS,        "$argon2id$v=19$m=%s,t=1,p=1" PARTS,
        "$argon2id$v=19$m=64,t=%s,p=1" PARTS, "$argon2id$v=19$m=64,t=1,p=%s" PARTS};
    static const char *const wrong[] = {"",
                                        "0",
                                        "00",
                                        "08",
                                        "+8",
                                        "-8",
                                        "8 ",
                                        "x",
                                        "8x",
                                        "8,",
                                        "8$",
                                        "0x8",
                                        "18446744073709551624"};
    (void)state;
    for (size_t form = 0; form < COUNT_OF(forms); form++) {
        char text[256];
        snprintf(text, sizeof text, forms[form], "8");
        assert_true(parses(text));
        for (size_t i = 0; i < COUNT_OF(wrong); i++) {
            snprintf(text, sizeof text, forms[form], wrong[i]);
            assert_malformed(text);
        }
    }
}

static void names_are_in_their_order(void **state) {
    static const char *const texts[] = {"$scrypt$r=8,ln=4,p=1" PARTS,
                                        "$scrypt$ln=4,p=1,r=8" PARTS,
                                        "$scrypt$ln=4,r=8" PARTS,
                                        "$scrypt$ln=4",
                                        "$scrypt$ln=4,r=8,p=1,x=1" PARTS,
                                        "$scrypt$" PARTS,
                                        "$argon2id$v=19$t=1,m=64,p=1" PARTS,
                                        "$argon2id$v=19$m=64,p=1,t=1" PARTS,
                                        "$argon2id$v=19$m=64,t=1" PARTS,
                                        "$argon2id$v=19$m=64",
                                        "$argon2id$v=19$x=64,t=1,p=1" PARTS,
                                        "$argon2id$v=19$m=64,x=1,p=1" PARTS,
                                        "$argon2id$v=19$m=64,t=1,x=1" PARTS,
                                        "$argon2id$v=19$m=64,t=1,p=1",
                                        "$argon2id$v=19$m=64,t=1,p=1$" SALT,
                                        "$argon2id$v=19$m=64,t=1,p=1" PARTS "$",
                                        "$argon2id$v=19$m=64,t=1,p=1$" HASH,
                                        "$scrypt$ln=4,r=8,p=1$" SALT,
                                        "$scrypt$ln=4,r=8,p=1" PARTS "$" HASH};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_malformed(texts[i]);
    }
}

/* Eight bytes of salt and sixteen of hash at least, sixty-four at most. */
static void salt_and_hash_have_sizes(void **state) {
    static const char letters[] =
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAA";
    static const struct {
        int salt, hash; /* letters */
        bool good;
    } sizes[] = {{11, 22, true},  {10, 22, false}, {11, 20, false}, {11, 86, true}, {86, 22, true},
                 {11, 87, false}, {87, 22, false}, {0, 22, false},  {11, 0, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char text[256];
        snprintf(text, sizeof text, "$argon2id$v=19$m=64,t=1,p=1$%.*s$%.*s", sizes[i].salt, letters,
                 sizes[i].hash, letters);
        assert_int_equal(parses(text), sizes[i].good);
    }
}

static void long_texts_are_malformed(void **state) {
    char text[PASSWORD_STORED_MAX + 2];
    (void)state;
    memset(text, '8', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_malformed(text);
    memcpy(text, "$scrypt$ln=4,r=8,p=1$", 21);
    assert_malformed(text);
}

static void other_algorithms_are_unknown(void **state) {
    static const char *const texts[] = {"",
                                        "$",
                                        "plain",
                                        "$md5$x",
                                        "$bcrypt$x",
                                        "$sha512$" DIGEST,
                                        "$argon2d$v=19$m=64,t=1,p=1" PARTS};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_malformed(texts[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_is_a_digest_without_a_salt),
        cmocka_unit_test(scrypt_says_what_it_costs),
        cmocka_unit_test(argon2id_says_what_it_costs),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(names_are_in_their_order),
        cmocka_unit_test(salt_and_hash_have_sizes),
        cmocka_unit_test(long_texts_are_malformed),
        cmocka_unit_test(other_algorithms_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
