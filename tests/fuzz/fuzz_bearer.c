/* oauth_bearer_token_of: any header; the token is a part of it, of b64token's characters. */
#include "fuzz/fuzz.h"
#include "mintd/oauth.h"
#include "oauth/token.h"

static void require_b64token(struct slice token) {
    FUZZ_REQUIRE(token.size != 0);
    for (size_t i = 0; i < token.size; i++) {
        char c = token.data[i];
        FUZZ_REQUIRE((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c != '\0' && strchr("-._~+/=", c) != NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice header = fuzz_input(data, size);
    struct slice token = SLICE_ABSENT;
    if (oauth_bearer_token_of(header, &token) == OAUTH_REFUSED_NONE) {
        FUZZ_REQUIRE(token.data >= header.data + strlen("Bearer "));
        FUZZ_REQUIRE(token.data + token.size <= header.data + header.size);
        require_b64token(token);
        if (token_text_is_valid(S("mtd_"), token)) {
            FUZZ_REQUIRE(token.size == OAUTH_TOKEN_SIZE && slice_starts_with(token, S("mtd_")));
        }
    }
    token_text_is_valid(S("mtd_"), header);
    return 0;
}
