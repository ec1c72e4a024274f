/* Scopes and audiences: a client's record may hold anything, and a request may ask for anything.
 * What is granted is of the record, well-formed, and names nothing twice.
 *
 * Input: seven texts with NUL between them. */
#include "fuzz/fuzz.h"
#include "oauth/oauth_internal.h"

#define TEXTS 7u
#define ROOM 256u /* small, so that it is full soon */

static void require_words(struct slice granted, struct slice allowed, struct slice other) {
    struct slice rest = granted, word;
    size_t words = 0;
    while (slice_next_word(&rest, &word)) {
        FUZZ_REQUIRE(slice_has_word(allowed, word) || slice_equal(word, other));
        FUZZ_REQUIRE(!slice_has_word(rest, word));
        words++;
    }
    for (size_t i = 0; i < granted.size; i++) {
        FUZZ_REQUIRE(granted.data[i] >= ' ' && granted.data[i] < 0x7f);
        words -= granted.data[i] == ' ';
    }
    FUZZ_REQUIRE(granted.size == 0 || words == 1); /* one space between two */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = fuzz_input(data, size), text[TEXTS];
    for (unsigned i = 0; i < TEXTS; i++) {
        text[i] = SLICE_ABSENT;
        slice_split(&rest, '\0', &text[i]);
    }
    struct oauth_client client = {.scope = text[0], .default_scope = text[1], .audience = text[2]};
    char scope_storage[ROOM], audience_storage[ROOM];
    struct buffer scope = buffer_of(scope_storage, sizeof scope_storage);
    struct buffer audience = buffer_of(audience_storage, sizeof audience_storage);
    if (oauth_scope_grant(&client, text[3], &scope) == OAUTH_REFUSED_NONE) {
        FUZZ_REQUIRE(oauth_scope_is_valid(buffer_slice(&scope)));
        require_words(buffer_slice(&scope), client.scope, SLICE_ABSENT);
    }
    if (oauth_audience_grant(&client, text[4], text[5], text[6], &audience) == OAUTH_REFUSED_NONE) {
        require_words(buffer_slice(&audience), client.audience, text[4]);
    }
    return 0;
}
