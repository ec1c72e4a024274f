/* unit.h: cmocka with the headers it wants, and assertions on slices and buffers. */
#ifndef MINTD_TEST_UNIT_H
#define MINTD_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mintd/buffer.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define assert_slice(actual, expected)                                                             \
    do {                                                                                           \
        struct slice actual_ = (actual), expected_ = (expected);                                   \
        assert_int_equal(actual_.size, expected_.size);                                            \
        if (expected_.size != 0) {                                                                 \
            assert_memory_equal(actual_.data, expected_.data, expected_.size);                     \
        }                                                                                          \
    } while (0)

#endif
