/* trace_read(): any traceparent. What is taken is taken whole: put together again it is the input.
 */
#include "fuzz/fuzz.h"
#include "http/trace.h"
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice input = fuzz_input(data, size);
    struct trace trace;
    trace_read(input, &trace);
    if (trace.is_there) {
        char again[64];
        int written = snprintf(again, sizeof again, "00-%.32s-%.16s-", trace.id, trace.span_id);
        FUZZ_REQUIRE(written == 53 && size == 55);
        FUZZ_REQUIRE(memcmp(again, input.data, 53) == 0);
        FUZZ_REQUIRE(memchr(input.data, '\0', size) == NULL);
    }
    return 0;
}
