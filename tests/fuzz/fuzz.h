/* fuzz.h: what the fuzz targets share. */
#ifndef MINTD_TEST_FUZZ_H
#define MINTD_TEST_FUZZ_H

#include "mintd/slice.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops the fuzzer with a finding. */
#define FUZZ_REQUIRE(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input, in memory of its exact size; present also where it is empty. */
static inline struct slice fuzz_input(const uint8_t *data, size_t size) {
    return slice_of(size == 0 ? "" : (const char *)data, size);
}

#endif
