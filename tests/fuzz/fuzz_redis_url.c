/* redis_url_parse: any text; what is wrong is said in one line, and what is right can be said to
 * people and is the same as itself. */
#include "fuzz/fuzz.h"
#include "mintd/redis_store.h"
#include <string.h>

#define TEXT_MAX 4096u

static void require_one_line(struct slice text) {
    FUZZ_REQUIRE(text.size != 0);
    for (size_t i = 0; i < text.size; i++) {
        FUZZ_REQUIRE((unsigned char)text.data[i] >= ' ' && text.data[i] != 0x7f);
    }
}

static void require_port(unsigned port) {
    FUZZ_REQUIRE(port >= 1 && port <= 65535);
}

static void require_places(const struct redis_url *url) {
    FUZZ_REQUIRE(url->seed_count <= REDIS_SEEDS_MAX);
    FUZZ_REQUIRE((url->topology == REDIS_STANDALONE) == (url->seed_count == 0));
    for (unsigned i = 0; i < url->seed_count; i++) {
        FUZZ_REQUIRE(url->seeds[i].host[0] != '\0');
        require_port(url->seeds[i].port);
    }
    if (url->seed_count == 0) {
        FUZZ_REQUIRE(url->host[0] != '\0');
    }
    if (url->seed_count == 0 && !url->is_unix) {
        require_port(url->port);
    }
    FUZZ_REQUIRE((url->topology == REDIS_SENTINEL) == (url->master[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char storage[TEXT_MAX], described[TEXT_MAX];
    struct buffer error = buffer_of(storage, sizeof storage);
    struct redis_url url;
    memset(&url, 0xa5, sizeof url);
    if (!redis_url_parse(fuzz_input(data, size), &url, &error)) {
        require_one_line(buffer_slice(&error));
        return 0;
    }
    require_places(&url);
    FUZZ_REQUIRE(redis_url_is_same(&url, &url));
    redis_url_misses_password(&url, false);
    redis_url_misses_password(&url, true);
    redis_url_describe(&url, described, sizeof described);
    FUZZ_REQUIRE(described[0] != '\0' && strlen(described) < sizeof described);
    redis_url_describe(&url, described, 8);
    FUZZ_REQUIRE(strlen(described) < 8);
    return 0;
}
