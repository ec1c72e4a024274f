/* heartbeat_parse and what reads its record: any text that somebody wrote into Redis. */
#include "fuzz/fuzz.h"
#include "mintd/heartbeat_view.h"
#include <cjson/cJSON.h>

#define NUMBER_MAX 9000000000000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const members[] = {"version", "host",     "started", "seen",
                                          "workers", "draining", "totals",  "clock_skew_ms"};
    struct cJSON *record = heartbeat_parse(fuzz_input(data, size));
    if (record == NULL) {
        return 0;
    }
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        FUZZ_REQUIRE(heartbeat_text(record, members[i]) != NULL);
        FUZZ_REQUIRE(heartbeat_number(record, members[i]) <= NUMBER_MAX);
        heartbeat_is(record, members[i]);
    }
    heartbeat_rate(record, "minted");
    for (unsigned i = 0; heartbeat_notice(record, i) != NULL; i++) {
        FUZZ_REQUIRE(i < size);
    }
    cJSON_Delete(record);
    return 0;
}
