/* password_kind_of and password_digest_matches: any text as a stored secret (PHC string format). */
#include "fuzz/fuzz.h"
#include "mintd/password.h"
#include <string.h>

#define FAST_SIZE (sizeof "$sha256$" - 1 + 2 * CRYPTO_DIGEST_SIZE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice stored = fuzz_input(data, size);
    struct password_digest digest;
    memset(digest.hex, '0', sizeof digest.hex);
    enum password_kind kind = password_kind_of(stored);
    FUZZ_REQUIRE(kind == PASSWORD_MALFORMED || size <= PASSWORD_STORED_MAX);
    FUZZ_REQUIRE(kind != PASSWORD_FAST || size == FAST_SIZE);
    if (password_digest_matches(&digest, stored)) {
        FUZZ_REQUIRE(kind == PASSWORD_FAST);
        FUZZ_REQUIRE(memcmp(stored.data + FAST_SIZE - sizeof digest.hex, digest.hex,
                            sizeof digest.hex) == 0);
    }
    return 0;
}
