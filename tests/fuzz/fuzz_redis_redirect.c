/* What a node says of where a command belongs: the text of an error reply, whatever it is. */
#include "fuzz/fuzz.h"
#include "store/redis/cluster.h"
#include "store/redis/redirect.h"

static bool is_inside(struct slice part, struct slice whole) {
    return part.size == 0 ||
           (part.data >= whole.data && part.size <= (size_t)(whole.data + whole.size - part.data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice error = fuzz_input(data, size);
    struct redirect redirect = redirect_read(error);
    bool has_target = redirect.kind == REDIRECT_MOVED || redirect.kind == REDIRECT_ASK;
    FUZZ_REQUIRE(is_inside(redirect.host, error));
    if (has_target) {
        FUZZ_REQUIRE(redirect.slot < CLUSTER_SLOTS);
        FUZZ_REQUIRE(redirect.port >= 1 && redirect.port <= 65535);
        FUZZ_REQUIRE(!slice_equal(redirect.host, S("?")));
        FUZZ_REQUIRE(size > sizeof "ASK 0 :1" - 2);
    }
    return 0;
}
