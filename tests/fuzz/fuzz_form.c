/* form_read: any body, known parameters of every kind; what it finds is what a reading of the pairs
 * one by one finds. */
#include "api/form.h"
#include "fuzz/fuzz.h"
#include "mintd/encoding.h"

enum { PLAIN, REPEATABLE, ANY_LENGTH, COUNT };

static size_t pairs_with(struct slice body, struct slice name) {
    char storage[64];
    struct slice rest = body, pair, found;
    size_t pairs = 0;
    while (slice_split(&rest, '&', &pair)) {
        struct buffer decoded = buffer_of(storage, sizeof storage);
        slice_split(&pair, '=', &found);
        pairs += pair.size != 0 && form_decode(found, &decoded) &&
                 slice_equal(buffer_slice(&decoded), name);
    }
    return pairs;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char plain[8], repeatable[16], any_length[8];
    struct form_parameter known[COUNT] = {
        [PLAIN] = {.name = S("a"), .value = buffer_of(plain, sizeof plain)},
        [REPEATABLE] = {.name = S("resource"),
                        .repeatable = true,
                        .value = buffer_of(repeatable, sizeof repeatable)},
        [ANY_LENGTH] = {.name = S("token"),
                        .any_length = true,
                        .value = buffer_of(any_length, sizeof any_length)},
    };
    struct slice body = fuzz_input(data, size);
    enum form_result result = form_read(body, known, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        FUZZ_REQUIRE(known[i].value.size <= known[i].value.capacity);
    }
    if (result == FORM_OK) {
        FUZZ_REQUIRE(!known[PLAIN].value.overflow && !known[REPEATABLE].value.overflow);
        FUZZ_REQUIRE((pairs_with(body, S("a")) == 1) == (known[PLAIN].value.size != 0));
        FUZZ_REQUIRE((pairs_with(body, S("resource")) != 0) == (known[REPEATABLE].value.size != 0));
        FUZZ_REQUIRE(pairs_with(body, S("a")) <= 1);
    }
    return 0;
}
